// CAGrad: max_d min_t g_t . d within ||d - g_0|| <= r, r = c ||g_0||; from which paper stands in
// mtlbench/weightings/gramian.py.
//
// d = g_0 + sum_t x_t u_t with x >= 0, ||d - g_0|| = r, and g_t . d = nu for each task with x_t > 0, more for the
// others. For given nu that is `exchange`, and ||sum_t x_t u_t|| grows with nu: where C is positive definite, nu is the
// root of a function that is a quadratic one between exchanges. Elsewhere interior-point steps on the dual problem.
#pragma once

#include "math/solvers/cone.h"

namespace mtlbench::solvers {

// How ||sum_t x_t u_t||^2 changes with nu while the same tasks are free: square + 2 slope delta + curve delta^2.
struct Growth {
  double square = 0, slope = 0, curve = 0;

  // delta for which it is `wanted`.
  MTLBENCH_CALL double root(double wanted) const {
    const double missing = wanted - square;
    return missing / (slope + sqrt(larger(slope * slope + curve * missing, 0)));
  }
};

// After `exchange`, whose factor and free tasks are still there; uses `rates` [T].
template <class Team>
MTLBENCH_CALL Growth growth(const Team team, const Problem& p, const double* q, const double* amounts, const double* x,
                            double* rates) {
  const int n = p.tasks;
  const int *free = p.indices, *which = p.indices + n;
  int count = 0;
  for (int t = 0; t < n; ++t) count += free[t];
  for (int i = team.rank; i < count; i += team.size) rates[i] = amounts[which[i]];
  team.sync();
  solve(team, count, n, p.factor, rates);
  Growth found;
  for (int i = 0; i < count; ++i) {
    const int t = which[i];
    found.square -= x[t] * q[t];
    found.slope -= rates[i] * q[t];
    found.curve += rates[i] * amounts[t];
  }
  team.sync();
  return found;
}

// x for `pull` = C p, p_t = lengths_t / T; false where the root was not found. Uses vectors 3, 5 and 6.
template <class Team>
MTLBENCH_CALL bool reach(const Team team, const Problem& p, const double* amounts, const double* pull, double radius,
                         double* x) {
  const int n = p.tasks;
  double* q = p.vector(3);
  double low = kInfinity, high = kInfinity, nu = kInfinity;
  for (int t = 0; t < n; ++t) {
    low = smaller(low, pull[t] / amounts[t]);
    nu = smaller(nu, (pull[t] + radius) / amounts[t]);
  }
  for (int round = 0; round < 200; ++round) {  // about 5 suffice
    for (int t = team.rank; t < n; t += team.size) q[t] = pull[t] - nu * amounts[t];
    team.sync();
    if (!exchange(team, p, q, x, p.vector(5))) return false;
    const Growth growing = growth(team, p, q, amounts, x, p.vector(6));
    const double missing = radius * radius - growing.square;
    if (fabs(missing) <= 1e-12 * radius * radius) return true;
    low = missing > 0 ? nu : low;
    high = missing > 0 ? high : nu;
    const double next = nu + growing.root(radius * radius);
    nu = next > low && next < high ? next : high < kInfinity ? (low + high) / 2 : nu + fabs(nu);
  }
  return false;
}

// On the cosines: false, and nothing done, where C is not positive definite beyond rounding, or the root was not found.
template <class Team>
MTLBENCH_CALL bool within_ball(const Team team, Problem& p, double c, double* weights) {
  take_apart(team, p);
  const int n = p.tasks;
  double least = kInfinity;
  for (int t = 0; t < n; ++t) least = smaller(least, p.lengths[t]);
  if (!(least > 0) || !definite(team, p)) return false;
  double *pull = p.vector(1), *amounts = p.vector(2), *x = p.vector(4);
  for (int t = team.rank; t < n; t += team.size) {
    pull[t] = dot(n, p.row(t), p.lengths) / n;
    amounts[t] = least / p.lengths[t];
  }
  team.sync();
  const double radius = c * sqrt(larger(dot(n, p.lengths, pull) / n, 0));
  if (!(radius > 0) || !reach(team, p, amounts, pull, radius, x)) return false;
  const double noise = larger(1e-5, 2 * sqrt(p.rounding)) * sum(n, x);
  for (int t = team.rank; t < n; t += team.size) {
    weights[t] = 1.0 / n + larger(x[t], 0) / p.lengths[t] * (radius / larger(radius, noise));
  }
  return true;
}

// g_w . g_0 + radius ||g_w||, of w.
struct WorstProgress {
  static constexpr int kPatience = 30;
  int n;
  double radius;
  const double* g;
  const double* with_mean;  // G 1/T

  template <class Team>
  MTLBENCH_CALL void derive(const Team team, const double* w, double* gradient, double* hessian) const {
    for (int i = team.rank; i < n; i += team.size) gradient[i] = dot(n, g + i * n, w);
    team.sync();
    const double length = sqrt(larger(dot(n, w, gradient), 0) + 1e-14);
    const double inverse = 1 / length;
    // Half of the negative curvature is left out, so that no step overshoots where g_w is nearly 0.
    for (int i = team.rank; i < n; i += team.size) {
      const double slope = gradient[i] * inverse;
      for (int k = 0; k < n; ++k) {
        hessian[i * n + k] = radius * inverse * (g[i * n + k] - 0.5 * slope * gradient[k] * inverse);
      }
    }
    team.sync();
    for (int i = team.rank; i < n; i += team.size) gradient[i] = with_mean[i] + radius * gradient[i] * inverse;
  }
};

// On G / trace G.
template <class Team>
MTLBENCH_CALL void interior_ball(const Team team, const Problem& p, double c, double* weights) {
  const int n = p.tasks;
  double *with_mean = p.vector(1), *ones = p.vector(2), *w = p.vector(4), *product = p.vector(6);
  for (int t = team.rank; t < n; t += team.size) {
    with_mean[t] = sum(n, p.row(t)) / n;
    ones[t] = 1;
    w[t] = 1.0 / n;
  }
  team.sync();
  const double radius = c * sqrt(larger(sum(n, with_mean) / n, 0));
  minimise(team, n, WorstProgress{n, radius, p.matrix, with_mean}, ones,
           Interior{p.factor, w, p.vector(5), product, p.vector(7), p.vector(8)});
  for (int t = team.rank; t < n; t += team.size) product[t] = dot(n, p.row(t), w);
  team.sync();
  double sizes = 0;
  for (int t = 0; t < n; ++t) sizes += w[t] * sqrt(larger(p.row(t)[t], 0));
  const double noise = larger(1e-5, 2 * sqrt(p.rounding)) * sizes;
  const double length = larger(larger(sqrt(larger(dot(n, w, product), 0)), noise), kTiny);
  for (int t = team.rank; t < n; t += team.size) weights[t] = 1.0 / n + radius * w[t] / length;
}

template <class Team>
MTLBENCH_CALL void conflict_averse(const Team team, Problem& p, double c, double* weights) {
  scale(team, p);
  Problem apart = p;
  apart.matrix = p.other;
  for (int e = team.rank; e < p.tasks * p.tasks; e += team.size) apart.matrix[e] = p.matrix[e];
  team.sync();
  if (!within_ball(team, apart, c, weights)) interior_ball(team, p, c, weights);
}

}  // namespace mtlbench::solvers
