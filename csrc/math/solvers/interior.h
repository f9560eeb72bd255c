// argmin f(x) over x >= 0, and a . x = 1 if there are amounts a > 0; f convex, of order 1.
//
// Primal-dual interior-point steps from x > 0 (with a . x = 1): with multipliers z of x >= 0 and nu of the constraint,
// Newton on f' - z + nu a = 0, x z = mu, where mu decreases with the gap x . z. Of several minimisers it finds the
// central one, so that tasks in another order get the same weights. Source: Nocedal and Wright, Numerical Optimization,
// 2006, chapters 14 and 19.
#pragma once

#include "math/solvers/cholesky.h"

namespace mtlbench::solvers {

struct Interior {
  double* hessian;  // [T][T]
  double* x;        // [T]: the start, then the minimiser
  double* z;
  double* gradient;
  double* along;   // the step
  double* across;  // what the constraint takes from it
};

constexpr double kConverged = 1e-9;
constexpr int kRounds = 1000;  // never reached by finite problems: about 10 to 40 are
constexpr double kRidge = 1e-13;
constexpr double kClosed = 1e-30;

// The longest step, at most 1, that keeps x + step dx > 0.
MTLBENCH_CALL double within(int n, const double* x, const double* dx) {
  double ratio = 0;
  for (int i = 0; i < n; ++i) ratio = larger(ratio, -dx[i] / x[i]);
  return 1 / larger(ratio / 0.99, 1);
}

// When to stop: at convergence, or where the gap is closed and the steps, along directions in which f is constant to
// rounding, no longer shrink.
struct Progress {
  double shortest = kInfinity;
  int since = 0;

  // `patience`: rounds in which steps that do not shrink are taken for rounding error.
  MTLBENCH_CALL bool ends(double gap, double step, int patience) {
    if (gap + step < kConverged) return true;
    if (gap >= 1e-3 * kConverged) return false;
    since = step < shortest / 2 ? 0 : since + 1;
    if (since == 0) shortest = step;
    return since >= patience;
  }
};

// The Newton step of x in `along`; the Hessian is used up.
template <class Team>
MTLBENCH_CALL void newton_step(const Team team, int n, const double* amounts, double target, const Interior& w) {
  double top = 0;
  for (int i = 0; i < n; ++i) top = larger(top, w.hessian[i * n + i]);
  team.sync();
  for (int i = team.rank; i < n; i += team.size) {
    double* row = w.hessian + i * n;
    row[i] += w.z[i] / w.x[i] + kRidge;
    w.along[i] = target / w.x[i] - w.gradient[i];
    if (amounts == nullptr) continue;
    w.across[i] = amounts[i];
    for (int k = 0; k < n; ++k) row[k] += amounts[i] * amounts[k];  // a . x is fixed: no change, better conditioned
  }
  team.sync();
  factorise(team, n, n, w.hessian, kRidge + 1e-16 * top);
  solve(team, n, n, w.hessian, w.along);
  if (amounts == nullptr) return;
  solve(team, n, n, w.hessian, w.across);
  const double excess = dot(n, w.along, amounts) / dot(n, w.across, amounts);
  team.sync();
  for (int i = team.rank; i < n; i += team.size) w.along[i] -= excess * w.across[i];
  team.sync();
}

// `objective.derive(team, x, gradient, hessian)` fills f' [T] and f'' [T][T].
template <class Team, class Objective>
MTLBENCH_CALL void minimise(const Team team, int n, const Objective& objective, const double* amounts,
                            const Interior& w) {
  for (int i = team.rank; i < n; i += team.size) w.z[i] = 1;
  team.sync();
  Progress progress;
  for (int round = 0; round < kRounds; ++round) {
    objective.derive(team, w.x, w.gradient, w.hessian);
    team.sync();
    const double gap = dot(n, w.x, w.z) / n;
    // A decreasing share of the gap: superlinear convergence. Far below rounding it stays, so that x and z do not
    // vanish.
    const double target = larger(gap * smaller(larger(gap, 1e-6), 0.1), kClosed);
    newton_step(team, n, amounts, target, w);
    double* dz = w.gradient;  // which is used up
    for (int i = team.rank; i < n; i += team.size) {
      dz[i] = target / w.x[i] - w.z[i] - w.z[i] / w.x[i] * w.along[i];
    }
    team.sync();
    const double primal = within(n, w.x, w.along), dual = within(n, w.z, dz);
    const double step = largest_size(n, w.along);
    team.sync();
    if (!(step < kInfinity && dual > 0)) break;  // beyond rounding there is nothing to gain
    for (int i = team.rank; i < n; i += team.size) {
      w.x[i] += primal * w.along[i];
      w.z[i] += dual * dz[i];
    }
    team.sync();
    if (progress.ends(gap, step, Objective::kPatience)) break;
  }
}

}  // namespace mtlbench::solvers
