// Eigenvalues e and eigenvectors V of a symmetric matrix A = V diag(e) V^T: Householder reflections to tridiagonal
// form, then implicit QL rotations. Source: Golub and Van Loan, Matrix Computations, 2013, sections 8.3.1 and 8.3.3.
#pragma once

#include "math/solvers/problem.h"

namespace mtlbench::solvers {

// H = I - beta v v^T on entries k + 1 …, which clears row k beyond its second entry. v stands in row k of A, beta in
// betas[k], and the tridiagonal matrix in `diagonal` and `beside`, beside[k] between k and k + 1.
template <class Team>
MTLBENCH_CALL void tridiagonalise(const Team team, int n, double* a, double* diagonal, double* beside, double* betas,
                                  double* product) {
  for (int k = 0; k + 1 < n; ++k) {
    double* v = a + k * n;
    const int first = k + 1, left = n - first;
    const double tail = dot(left - 1, v + first + 1, v + first + 1);
    const double head = v[first];
    const double norm = sqrt(head * head + tail);
    const double pivot = head > 0 ? head + norm : head - norm;
    const double beta = tail > 0 ? 2 / (pivot * pivot + tail) : 0;
    team.sync();
    if (team.rank == 0) {
      diagonal[k] = v[k];
      betas[k] = beta;
      beside[k] = beta == 0 ? head : (head > 0 ? -norm : norm);
      v[first] = pivot;
    }
    team.sync();
    if (beta == 0) continue;
    for (int i = first + team.rank; i < n; i += team.size) product[i] = beta * dot(left, a + i * n + first, v + first);
    team.sync();
    const double half = beta / 2 * dot(left, product + first, v + first);
    team.sync();
    for (int i = first + team.rank; i < n; i += team.size) product[i] -= half * v[i];
    team.sync();
    for (int i = first + team.rank; i < n; i += team.size) {
      double* row = a + i * n;
      for (int j = first; j < n; ++j) row[j] -= v[i] * product[j] + product[i] * v[j];
    }
    team.sync();
  }
  if (team.rank == 0) {
    diagonal[n - 1] = a[n * n - 1];
    beside[n - 1] = 0;
  }
  team.sync();
}

// The rows of Q^T [n, n], Q the product of all reflections: eigenvectors of A if those of the tridiagonal matrix were
// unit vectors; each member reflects its own rows.
template <class Team>
MTLBENCH_CALL void reflect(const Team team, int n, const double* a, const double* betas, double* rows) {
  for (int t = team.rank; t < n; t += team.size) {
    double* row = rows + t * n;
    for (int i = 0; i < n; ++i) row[i] = i == t ? 1 : 0;
    for (int k = n - 2; k >= 0; --k) {
      const double* v = a + k * n;
      const double factor = betas[k] * dot(n - k - 1, v + k + 1, row + k + 1);
      if (factor == 0) continue;
      for (int i = k + 1; i < n; ++i) row[i] -= factor * v[i];
    }
  }
  team.sync();
}

// The end of the block of the tridiagonal matrix that begins at l: the first m whose beside[m] is rounding error.
MTLBENCH_CALL int end_of_block(int n, int l, const double* diagonal, const double* beside) {
  int m = l;
  for (; m + 1 < n; ++m) {
    const double around = fabs(diagonal[m]) + fabs(diagonal[m + 1]);
    if (fabs(beside[m]) <= 1.1e-16 * around) break;
  }
  return m;
}

// One rotation of QL in the plane (i, i + 1), from what the one before left in s, c and p; returns false where the
// block has split.
struct Rotation {
  double s = 1, c = 1, p = 0, g = 0;

  MTLBENCH_CALL bool turn(int i, int m, double* diagonal, double* beside) {
    const double f = s * beside[i], b = c * beside[i];
    const double r = sqrt(f * f + g * g);
    beside[i + 1] = r;
    if (r == 0) {
      diagonal[i + 1] -= p;
      beside[m] = 0;
      return false;
    }
    s = f / r;
    c = g / r;
    const double rest = diagonal[i + 1] - p;
    const double twice = (diagonal[i] - rest) * s + 2 * c * b;
    p = s * twice;
    diagonal[i + 1] = rest + p;
    g = c * twice - b;
    return true;
  }
};

// The eigenvalues replace `diagonal`, and the rows of Q^T become the eigenvectors. `told` [3] passes a rotation on.
template <class Team>
MTLBENCH_CALL void rotate(const Team team, int n, double* diagonal, double* beside, double* rows, double* told) {
  for (int l = 0; l < n; ++l) {
    for (int round = 0; round < 80; ++round) {  // two or three suffice
      const int m = end_of_block(n, l, diagonal, beside);
      team.sync();
      if (m == l) break;
      Rotation turning;
      const double ahead = (diagonal[l + 1] - diagonal[l]) / (2 * beside[l]);
      const double root = sqrt(ahead * ahead + 1);
      turning.g = diagonal[m] - diagonal[l] + beside[l] / (ahead + (ahead >= 0 ? root : -root));
      bool whole = true;
      for (int i = m - 1; i >= l && whole; --i) {
        team.sync();
        if (team.rank == 0) {
          told[2] = turning.turn(i, m, diagonal, beside);
          told[0] = turning.c;
          told[1] = turning.s;
        }
        team.sync();
        whole = told[2] != 0;
        if (!whole) break;
        double* low = rows + i * n;
        double* high = low + n;
        const double c = told[0], s = told[1];
        for (int k = team.rank; k < n; k += team.size) {
          const double x = low[k], y = high[k];
          high[k] = s * x + c * y;
          low[k] = c * x - s * y;
        }
      }
      team.sync();
      if (team.rank == 0 && whole) {
        diagonal[l] -= turning.p;
        beside[l] = turning.g;
        beside[m] = 0;
      }
      team.sync();
    }
  }
}

struct Spectrum {
  double* values;   // [T], in no order
  double* vectors;  // [T][T], in rows

  // The component of each eigenvector in x [T], times factor(e).
  template <class Team, class Factor>
  MTLBENCH_CALL void apply(const Team team, int n, const Factor& factor, const double* x, double* shares,
                           double* result) const {
    for (int i = team.rank; i < n; i += team.size) shares[i] = factor(values[i]) * dot(n, vectors + i * n, x);
    team.sync();
    for (int t = team.rank; t < n; t += team.size) {
      double total = 0;
      for (int i = 0; i < n; ++i) total += vectors[i * n + t] * shares[i];
      result[t] = total;
    }
    team.sync();
  }
};

// Of the problem's matrix; uses `factor`, `spare` and vectors 5 to 9.
template <class Team>
MTLBENCH_CALL Spectrum spectrum_of(const Team team, const Problem& p) {
  const int n = p.tasks;
  for (int e = team.rank; e < n * n; e += team.size) p.factor[e] = p.matrix[e];
  team.sync();
  double *diagonal = p.vector(5), *beside = p.vector(6), *betas = p.vector(7);
  tridiagonalise(team, n, p.factor, diagonal, beside, betas, p.vector(8));
  reflect(team, n, p.factor, betas, p.spare);
  rotate(team, n, diagonal, beside, p.spare, p.other);
  return {diagonal, p.spare};
}

}  // namespace mtlbench::solvers
