// Sums over the threads of a block, in one fixed order.
#pragma once

#include "cuda/tensor_table.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr unsigned kAllLanes = 0xffffffffu;

// Over groups of `width` lanes, a power of two; every lane gets its group's result.
template <class T>
__device__ T group_sum(T x, int width) {
  for (int lanes = width / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kAllLanes, x, lanes);
  return x;
}

template <class T>
__device__ T group_max(T x, int width) {
  for (int lanes = width / 2; lanes > 0; lanes /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, x, lanes);
    x = other > x ? other : x;
  }
  return x;
}

// Over all threads of the block; every thread gets it. Combine is group_sum or group_max of T.
template <class T, class Combine>
__device__ T over_block(T x, T neutral, const Combine& combine) {
  constexpr int kWarps = static_cast<int>(kThreads) / 32;
  __shared__ T of_warp[kWarps];
  x = combine(x, 32);
  __syncthreads();  // no thread still reads the results of the last call
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = x;
  __syncthreads();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  return combine(lane < kWarps ? of_warp[lane] : neutral, 32);
}

template <class T>
__device__ T block_sum(T x) {
  return over_block(x, T(0), [](T y, int width) { return group_sum(y, width); });
}

}  // namespace mtlbench::MTLBENCH_DEVICE
