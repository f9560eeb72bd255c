// One Gramian, taken apart so that a task's part in it does not depend on how long its gradient is, and the memory that
// solvers work in.
//
//   g_t = longest lengths_t u_t      u_t: unit vectors, or 0 where the task has no gradient;      C = U U^T, cosines
#pragma once

#include "math/solvers/team.h"

namespace mtlbench::solvers {

constexpr int kVectors = 12;

// Numbers of memory that one problem of T tasks takes.
MTLBENCH_CALL int64_t memory_of_problem(int64_t tasks) {
  return 5 * tasks * tasks + kVectors * tasks;
}

struct Problem {
  int tasks;
  double rounding;  // the share of the largest eigenvalue below which eigenvalues are rounding error
  double longest;
  double* matrix;   // [T][T]: C, or G / trace G
  double* factor;   // [T][T]
  double* spare;    // [T][T]
  double* other;    // [T][T]
  int* indices;     // [T][T]
  double* lengths;  // [T], in units of the longest gradient
  double* vectors;  // [kVectors - 1][T]

  MTLBENCH_CALL double* vector(int i) const { return vectors + i * tasks; }
  MTLBENCH_CALL double* row(int t) const { return matrix + t * tasks; }
};

MTLBENCH_CALL Problem problem_in(double* memory, int tasks, double rounding) {
  const int square = tasks * tasks;
  Problem p{};
  p.tasks = tasks;
  p.rounding = rounding;
  p.matrix = memory;
  p.factor = memory + square;
  p.spare = memory + 2 * square;
  p.other = memory + 3 * square;
  p.indices = reinterpret_cast<int*>(memory + 4 * square);
  p.lengths = memory + 5 * square;
  p.vectors = p.lengths + tasks;
  return p;
}

// G itself; false, the same for all members, if an entry is not finite.
template <class Team, class Number>
MTLBENCH_CALL bool load(const Team team, const Problem& p, const Number* gramian) {
  const int square = p.tasks * p.tasks;
  bool finite = true;
  for (int e = 0; e < square; ++e) finite = finite && fabs(static_cast<double>(gramian[e])) < kInfinity;
  for (int e = team.rank; e < square; e += team.size) p.matrix[e] = static_cast<double>(gramian[e]);
  team.sync();
  return finite;
}

// G becomes C, and the lengths are set.
template <class Team>
MTLBENCH_CALL void take_apart(const Team team, Problem& p) {
  const int n = p.tasks;
  double* sizes = p.vector(0);
  for (int t = team.rank; t < n; t += team.size) sizes[t] = sqrt(larger(p.row(t)[t], 0));
  team.sync();
  p.longest = largest_size(n, sizes);
  for (int t = team.rank; t < n; t += team.size) {
    p.lengths[t] = sizes[t] / larger(p.longest, kTiny);
    double* row = p.row(t);
    for (int u = 0; u < n; ++u) {
      const double product = sizes[t] * sizes[u];
      row[u] = product > 0 ? row[u] / product : 0;
    }
  }
  team.sync();
}

// G becomes G / trace G, of moderate size; 0 stays 0.
template <class Team>
MTLBENCH_CALL void scale(const Team team, const Problem& p) {
  const int n = p.tasks;
  double trace = 0;
  for (int t = 0; t < n; ++t) trace += p.row(t)[t];
  team.sync();
  for (int e = team.rank; e < n * n; e += team.size) p.matrix[e] /= larger(trace, kTiny);
  team.sync();
}

// lambda_t of the direction longest sum_t x_t u_t; 0 for a task without a gradient.
MTLBENCH_CALL double weight(const Problem& p, int t, double x) {
  return p.lengths[t] > 0 ? x / p.lengths[t] : 0;
}

// The share of u_t in the sum of gradients that have been changed, as lambda_u: ||g_t|| / ||g_u||.
MTLBENCH_CALL double ratio(const Problem& p, int t, int u) {
  if (t == u) return 1;
  return p.lengths[u] > 0 ? p.lengths[t] / p.lengths[u] : 0;
}

}  // namespace mtlbench::solvers
