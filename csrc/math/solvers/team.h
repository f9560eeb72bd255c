// Who computes: one thread of a CPU, or the threads of a block that share the work on one problem.
//
// Loops over independent elements run over `rank, rank + size, …`; sums and decisions are computed by every member,
// from the same numbers in the same order, so that all take the same branch. `sync` separates writing from reading.
#pragma once

#include <cmath>
#include <limits>

#include "math/number.h"

// A function that the compiler need not inline: solvers are long, and none is a kernel's inner loop.
#if defined(__CUDACC__)
#define MTLBENCH_CALL __host__ __device__ inline
#else
#define MTLBENCH_CALL inline
#endif

namespace mtlbench::solvers {

struct Alone {
  static constexpr int rank = 0;
  static constexpr int size = 1;
  MTLBENCH_CALL void sync() const {}
};

constexpr double kTiny = 1e-100;  // prevents 0 / 0; far below the square of any float32 gradient
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

MTLBENCH_CALL double larger(double x, double y) {
  return x > y ? x : y;
}

MTLBENCH_CALL double smaller(double x, double y) {
  return x < y ? x : y;
}

// In eight chains, which hide the latency of an addition and fill vectors.
MTLBENCH_CALL double dot(int n, const double* x, const double* y) {
  double sums[8] = {};
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; ++k) sums[k] += x[i + k] * y[i + k];
  }
  double rest = 0;
  for (; i < n; ++i) rest += x[i] * y[i];
  return rest + (((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])));
}

MTLBENCH_CALL double sum(int n, const double* x) {
  double total = 0;
  for (int i = 0; i < n; ++i) total += x[i];
  return total;
}

// NaN if any is.
MTLBENCH_CALL double largest_size(int n, const double* x) {
  double found = 0;
  for (int i = 0; i < n; ++i) {
    const double size = fabs(x[i]);
    if (!(size <= found) && found == found) found = size;
  }
  return found;
}

}  // namespace mtlbench::solvers
