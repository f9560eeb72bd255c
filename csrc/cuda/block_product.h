// Products of matrices by the threads of a block, a tile of kSide x kSide sums at a time: four sums per thread, factors
// through shared memory. Sums run along the length in order, whatever the grid.
#pragma once

#include "cuda/tensor_table.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr int kSide = 32;   // of a tile
constexpr int kDepth = 32;  // of the factors in shared memory
constexpr int kEach = 2;    // rows and columns of a thread, kSide / kEach apart
static_assert(kThreads == (kSide / kEach) * (kSide / kEach));

// The first row and the first column of this thread's sums.
__device__ inline int own_row() {
  return static_cast<int>(threadIdx.x) / (kSide / kEach);
}
__device__ inline int own_column() {
  return static_cast<int>(threadIdx.x) % (kSide / kEach);
}

// Neighbouring threads read numbers that are neighbours in memory: along the length of a factor, or along its side.
enum class Along { Length, Side };

template <Along along, class Number, class Read>
__device__ void load_factor(int64_t first, const Read& read, Number (*to)[kSide + 1]) {
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < kSide * kDepth; i += kThreads) {
    const int side = along == Along::Length ? i / kDepth : i % kSide;
    const int depth = along == Along::Length ? i % kDepth : i / kSide;
    to[depth][side] = read(side, first + depth);
  }
}

template <class Number>
struct Factors {
  Number left[kDepth][kSide + 1];
  Number right[kDepth][kSide + 1];
};

// The same memory for all products of a kernel.
template <class Number>
__device__ Factors<Number>& shared_factors() {
  __shared__ Factors<Number> factors;
  return factors;
}

// sums[a][b] = sum_l left(r, l) right(c, l) for row r = own_row() + a kSide / kEach, column c likewise. The factors are
// 0 beyond the length; prepare(l) is called, by all threads, before kDepth numbers from l on are read.
template <Along left_along, Along right_along, class Number, class Prepare, class Left, class Right>
__device__ void multiply(int64_t length, const Prepare& prepare, const Left& left, const Right& right,
                         Number (&sums)[kEach][kEach]) {
  Factors<Number>& factors = shared_factors<Number>();
#pragma unroll
  for (int a = 0; a < kEach; ++a) {
#pragma unroll
    for (int b = 0; b < kEach; ++b) sums[a][b] = 0;
  }
#pragma unroll 1
  for (int64_t first = 0; first < length; first += kDepth) {
    __syncthreads();  // no thread still reads the previous contents
    prepare(first);
    load_factor<left_along>(first, left, factors.left);
    load_factor<right_along>(first, right, factors.right);
    __syncthreads();
#pragma unroll 8
    for (int l = 0; l < kDepth; ++l) {
      Number x[kEach], y[kEach];
#pragma unroll
      for (int a = 0; a < kEach; ++a) x[a] = factors.left[l][own_row() + a * (kSide / kEach)];
#pragma unroll
      for (int b = 0; b < kEach; ++b) y[b] = factors.right[l][own_column() + b * (kSide / kEach)];
#pragma unroll
      for (int a = 0; a < kEach; ++a) {
#pragma unroll
        for (int b = 0; b < kEach; ++b) sums[a][b] += x[a] * y[b];
      }
    }
  }
}

// visit(row, column, sum) for each sum of this thread.
template <class Number, class Visit>
__device__ void for_each_sum(const Number (&sums)[kEach][kEach], const Visit& visit) {
#pragma unroll
  for (int a = 0; a < kEach; ++a) {
#pragma unroll
    for (int b = 0; b < kEach; ++b) {
      visit(own_row() + a * (kSide / kEach), own_column() + b * (kSide / kEach), sums[a][b]);
    }
  }
}

}  // namespace mtlbench::MTLBENCH_DEVICE
