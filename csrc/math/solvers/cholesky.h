// Symmetric positive definite systems A x = b of T unknowns.
//
//   A = U^T U; U replaces the upper triangle of A, and stands transposed in the lower one, so that both solves read
//   rows
#pragma once

#include "math/solvers/team.h"

namespace mtlbench::solvers {

// A [n, n] in rows of `width` numbers becomes U; returns the smallest pivot. What rounding has made indefinite is made
// definite: a negative pivot counts as its opposite, and one of a size below `least` as `least`.
template <class Team>
MTLBENCH_CALL double factorise(const Team team, int n, int width, double* a, double least) {
  double smallest = kInfinity;
  for (int j = 0; j < n; ++j) {
    double* top = a + j * width;
    const double pivot = top[j];
    if (!(pivot >= smallest)) smallest = pivot;
    const double root = sqrt(larger(fabs(pivot), least));
    const double inverse = 1 / root;
    team.sync();
    if (team.rank == 0) top[j] = root;
    for (int k = j + 1 + team.rank; k < n; k += team.size) top[k] *= inverse;
    for (int k = j + 1 + team.rank; k < n; k += team.size) a[k * width + j] = top[k];
    team.sync();
    for (int i = j + 1 + team.rank; i < n; i += team.size) {
      double* row = a + i * width;
      const double factor = top[i];
      for (int k = i; k < n; ++k) row[k] -= factor * top[k];
    }
    team.sync();
  }
  return smallest;
}

// b [n] becomes x, with U from `factorise`.
template <class Team>
MTLBENCH_CALL void solve(const Team team, int n, int width, const double* u, double* b) {
  for (int j = 0; j < n; ++j) {
    const double* row = u + j * width;
    const double found = b[j] / row[j];
    team.sync();
    if (team.rank == 0) b[j] = found;
    for (int k = j + 1 + team.rank; k < n; k += team.size) b[k] -= row[k] * found;
    team.sync();
  }
  for (int j = n - 1; j >= 0; --j) {
    const double* row = u + j * width;
    const double found = b[j] / row[j];
    team.sync();
    if (team.rank == 0) b[j] = found;
    for (int k = team.rank; k < j; k += team.size) b[k] -= row[k] * found;
    team.sync();
  }
}

}  // namespace mtlbench::solvers
