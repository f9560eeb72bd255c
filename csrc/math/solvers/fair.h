// The w > 0 with (M w)_t = k_t w_t^-power; M is positive definite, so there is exactly one.
//
// It minimises w^T M w / 2 minus the sum of the integrals of k_t w_t^-power. Newton steps in s = dw / w, in which the
// Hessian is at least power k_t w_t^(1 - power) on its diagonal however M is conditioned. A step of 1 / (1 + r max |s|)
// with r = max(1, (1 + power) / 2) always lowers the objective.
#pragma once

#include "math/solvers/cholesky.h"
#include "math/solvers/problem.h"

namespace mtlbench::solvers {

// w^exponent, without a call where the exponent needs none.
MTLBENCH_CALL double raised(double w, double exponent) {
  if (exponent == 0) return 1;
  return exponent == 0.5 ? sqrt(w) : pow(w, exponent);
}

// The best multiple of the solution for M = I.
template <class Team>
MTLBENCH_CALL void start_fair(const Team team, const Problem& p, const double* levels, double power, double* w,
                              double* product) {
  const int n = p.tasks;
  for (int t = team.rank; t < n; t += team.size) w[t] = raised(levels[t], 1 / (1 + power));
  team.sync();
  for (int t = team.rank; t < n; t += team.size) product[t] = dot(n, p.row(t), w);
  team.sync();
  double pulled = 0;
  for (int t = 0; t < n; ++t) pulled += levels[t] * raised(w[t], 1 - power);
  const double multiple = raised(pulled / dot(n, w, product), 1 / (1 + power));
  team.sync();
  for (int t = team.rank; t < n; t += team.size) w[t] *= multiple;
  team.sync();
}

// w for the problem's matrix; uses `factor` and vectors 4 and 5.
template <class Team>
MTLBENCH_CALL void fair(const Team team, const Problem& p, const double* levels, double power, double* w) {
  const int n = p.tasks;
  double* step = p.vector(4);
  start_fair(team, p, levels, power, w, p.vector(5));
  double before = kInfinity;
  for (int round = 0; round < 1000; ++round) {  // 40 where lengths differ by 1e12
    for (int t = team.rank; t < n; t += team.size) {
      const double pull = levels[t] * raised(w[t], 1 - power);
      const double* row = p.row(t);
      double* hessian = p.factor + t * n;
      for (int u = 0; u < n; ++u) hessian[u] = w[t] * row[u] * w[u];
      step[t] = pull - w[t] * dot(n, row, w);
      hessian[t] += power * pull;
    }
    team.sync();
    factorise(team, n, n, p.factor, kTiny);
    solve(team, n, n, p.factor, step);
    const double size = largest_size(n, step);
    const double length = 1 / (1 + larger(1, (1 + power) / 2) * size);
    team.sync();
    for (int t = team.rank; t < n; t += team.size) w[t] *= 1 + length * step[t];
    team.sync();
    // Near the solution the error is squared by each step, unless what is left is rounding.
    if (!(size >= 1e-9) || (size < 1e-4 && size > before / 2)) break;
    before = size;
  }
}

}  // namespace mtlbench::solvers
