// argmin s^T C s / 2 + q . s over s >= 0: s >= 0, C s + q >= 0, s . (C s + q) = 0.
//
// Where C is positive definite there is one solution, found by exchanging tasks between those with s_t > 0 and those
// with (C s + q)_t > 0 until none has the wrong sign, which is the certificate: all wrong ones at once while their
// number falls, then the last one alone, which ends after finitely many exchanges. Elsewhere, and if rounding keeps the
// exchange from ending, interior-point steps, which find the central solution. Source: Júdice and Pires, A block
// principal pivoting algorithm for large-scale strictly monotone linear complementarity problems, Computers & OR 1994.
#pragma once

#include "math/solvers/interior.h"
#include "math/solvers/problem.h"

namespace mtlbench::solvers {

constexpr double kDefinite = 1e-8;  // least pivot of C, whose diagonal is 1 or more, for which signs can be trusted

struct Quadratic {
  static constexpr int kPatience = 3;  // Newton's steps are exact
  int n;
  const double* c;
  const double* q;

  template <class Team>
  MTLBENCH_CALL void derive(const Team team, const double* x, double* gradient, double* hessian) const {
    for (int i = team.rank; i < n; i += team.size) {
      gradient[i] = dot(n, c + i * n, x) + q[i];
      for (int k = 0; k < n; ++k) hessian[i * n + k] = c[i * n + k];
    }
  }
};

// Whether the problem's matrix is positive definite beyond rounding.
template <class Team>
MTLBENCH_CALL bool definite(const Team team, const Problem& p) {
  for (int e = team.rank; e < p.tasks * p.tasks; e += team.size) p.factor[e] = p.matrix[e];
  team.sync();
  const bool found = factorise(team, p.tasks, p.tasks, p.factor, kDefinite) > kDefinite;
  team.sync();
  return found;
}

// Where the wrong signs are: their number, and the last of them.
struct Wrong {
  int count;
  int last;
};

// s on the free tasks, and the slack C s + q on the others, for free tasks marked in `free`.
template <class Team>
MTLBENCH_CALL void solve_free(const Team team, const Problem& p, const double* q, const int* free, double* s,
                              double* slack) {
  const int n = p.tasks;
  int* which = p.indices + n;
  int count = 0;
  for (int t = 0; t < n; ++t) {
    if (!free[t]) continue;
    if (team.rank == 0) which[count] = t;
    ++count;
  }
  team.sync();
  for (int i = team.rank; i < count; i += team.size) {
    const double* row = p.row(which[i]);
    for (int k = 0; k < count; ++k) p.factor[i * n + k] = row[which[k]];
    slack[i] = -q[which[i]];
  }
  for (int t = team.rank; t < n; t += team.size) s[t] = 0;
  team.sync();
  factorise(team, count, n, p.factor, kDefinite);
  solve(team, count, n, p.factor, slack);
  for (int i = team.rank; i < count; i += team.size) s[which[i]] = slack[i];
  team.sync();
  for (int t = team.rank; t < n; t += team.size) slack[t] = free[t] ? 0 : q[t] + dot(n, p.row(t), s);
  team.sync();
}

MTLBENCH_CALL Wrong wrong_signs(int n, const int* free, const double* s, const double* slack, double allowed) {
  Wrong found{0, 0};
  for (int t = 0; t < n; ++t) {
    if ((free[t] ? s[t] : slack[t]) >= -allowed) continue;
    ++found.count;
    found.last = t;
  }
  return found;
}

// Whether the exchange ended; uses vector `slack` and the first two rows of `indices`.
template <class Team>
MTLBENCH_CALL bool exchange(const Team team, const Problem& p, const double* q, double* s, double* slack) {
  const int n = p.tasks;
  int* free = p.indices;
  for (int t = team.rank; t < n; t += team.size) free[t] = q[t] < 0;
  team.sync();
  const double scale = largest_size(n, q);
  int fewest = n + 1, tries = 3;
  for (int round = 0; round < 50 + 10 * n; ++round) {
    solve_free(team, p, q, free, s, slack);
    const double allowed = 1e-13 * (scale + largest_size(n, s));
    const Wrong wrong = wrong_signs(n, free, s, slack, allowed);
    if (wrong.count == 0) return true;
    const bool all = wrong.count < fewest || tries > 0;
    tries = wrong.count < fewest ? 3 : tries - 1;
    fewest = wrong.count < fewest ? wrong.count : fewest;
    team.sync();
    for (int t = team.rank; t < n; t += team.size) {
      const bool changes = all ? (free[t] ? s[t] : slack[t]) < -allowed : t == wrong.last;
      if (changes) free[t] = !free[t];
    }
    team.sync();
  }
  return false;
}

// s for the problem's matrix; uses vectors 4 to 8.
template <class Team>
MTLBENCH_CALL void complementary(const Team team, const Problem& p, bool is_definite, const double* q, double* s) {
  const int n = p.tasks;
  if (is_definite && exchange(team, p, q, s, p.vector(5))) {
    for (int t = team.rank; t < n; t += team.size) s[t] = larger(s[t], 0);
    team.sync();
    return;
  }
  for (int t = team.rank; t < n; t += team.size) s[t] = 1;
  team.sync();
  minimise(team, n, Quadratic{n, p.matrix, q}, nullptr,
           Interior{p.factor, s, p.vector(5), p.vector(6), p.vector(7), p.vector(8)});
}

}  // namespace mtlbench::solvers
