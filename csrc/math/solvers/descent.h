// Directions that avoid harm to any task: MGDA, and projections onto the dual cone (UPGrad, DualProj).
// What each computes, and from which paper, stands in mtlbench/weightings/gramian.py.
#pragma once

#include "math/solvers/cone.h"

namespace mtlbench::solvers {

// min x^T C x over x >= 0, a . x = 1, lambda_t = a_t x_t. Up to a factor x is the s of `complementary` with q = -a.
template <class Team>
MTLBENCH_CALL void shortest(const Team team, Problem& p, double* weights) {
  take_apart(team, p);
  const int n = p.tasks;
  double least = kInfinity, silent = 0;
  for (int t = 0; t < n; ++t) {
    silent += p.lengths[t] > 0 ? 0 : 1;
    least = p.lengths[t] > 0 ? smaller(least, p.lengths[t]) : least;
  }
  if (silent > 0) {
    for (int t = team.rank; t < n; t += team.size) weights[t] = p.lengths[t] > 0 ? 0 : 1 / silent;
    return;
  }
  double *amounts = p.vector(1), *q = p.vector(2), *x = p.vector(4);
  for (int t = team.rank; t < n; t += team.size) {
    amounts[t] = least / p.lengths[t];
    q[t] = -amounts[t];
  }
  team.sync();
  if (!definite(team, p) || !exchange(team, p, q, x, p.vector(5))) {
    const double total = sum(n, amounts);
    for (int t = team.rank; t < n; t += team.size) {
      x[t] = 1 / total;
      q[t] = 0;
    }
    team.sync();
    minimise(team, n, Quadratic{n, p.matrix, q}, amounts,
             Interior{p.factor, x, p.vector(5), p.vector(6), p.vector(7), p.vector(8)});
  }
  for (int t = team.rank; t < n; t += team.size) weights[t] = amounts[t] * larger(x[t], 0);
  team.sync();
  const double total = sum(n, weights);
  team.sync();
  for (int t = team.rank; t < n; t += team.size) weights[t] /= total;
}

// C with `regularization` on its diagonal; whether it is positive definite beyond rounding.
template <class Team>
MTLBENCH_CALL bool regularize(const Team team, const Problem& p, double regularization) {
  for (int t = team.rank; t < p.tasks; t += team.size) p.row(t)[t] += regularization;
  team.sync();
  return definite(team, p);
}

// The mean of the projections of all task gradients, which are ||g_t|| times those of unit gradients.
template <class Team>
MTLBENCH_CALL void project_each(const Team team, Problem& p, double regularization, double* weights) {
  take_apart(team, p);
  const int n = p.tasks;
  const bool is_definite = regularize(team, p, regularization);
  double *q = p.vector(1), *s = p.vector(4);
  for (int u = team.rank; u < n; u += team.size) weights[u] = 0;
  for (int t = 0; t < n; ++t) {
    for (int u = team.rank; u < n; u += team.size) q[u] = p.row(t)[u];
    team.sync();
    complementary(team, p, is_definite, q, s);
    for (int u = team.rank; u < n; u += team.size) weights[u] += ratio(p, t, u) * ((t == u) + s[u]) / n;
    team.sync();
  }
}

// The projection of the mean gradient.
template <class Team>
MTLBENCH_CALL void project_mean(const Team team, Problem& p, double regularization, double* weights) {
  take_apart(team, p);
  const int n = p.tasks;
  const bool is_definite = regularize(team, p, regularization);
  double *q = p.vector(1), *s = p.vector(4);
  for (int u = team.rank; u < n; u += team.size) q[u] = dot(n, p.row(u), p.lengths) / n;
  team.sync();
  complementary(team, p, is_definite, q, s);
  for (int u = team.rank; u < n; u += team.size) {
    weights[u] = p.lengths[u] > 0 ? weight(p, u, p.lengths[u] / n + s[u]) : 1.0 / n;
  }
}

}  // namespace mtlbench::solvers
