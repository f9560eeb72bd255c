// The classes of all heads on the same features, numbered consecutively, and access by this number to weights, features
// and slopes.
#pragma once

#include "cuda/heads/call.h"

namespace mtlbench::MTLBENCH_DEVICE {

// A class among those that share features.
struct Class {
  int head;         // -1 beyond the last
  int64_t number;   // in its head
  int64_t classes;  // of its head
};

template <class Call>
__device__ Class class_at(const Call& call, const HeadFeatures& features, int64_t number) {
  if (number >= features.classes) return {-1, 0, 0};
  int low = static_cast<int>(features.first_head), high = static_cast<int>(features.last_head) - 1;
  while (low < high) {  // the last head that begins at or before it
    const int middle = low + (high - low + 1) / 2;
    if (call.table.heads[middle].first_class <= number) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return {low, number - call.table.heads[low].first_class, call.table.heads[low].classes};
}

// kSide classes from `first` on, in shared memory; all threads call this, then wait.
template <class Call>
__device__ void find_classes(const Call& call, const HeadFeatures& features, int64_t first, Class* classes) {
  if (threadIdx.x < kSide) classes[threadIdx.x] = class_at(call, features, first + threadIdx.x);
  __syncthreads();
}

template <class Call>
__device__ typename Call::Number weight_at(const Call& call, const Class& row, int64_t column) {
  if (row.head < 0 || column >= call.work.width) return 0;
  const auto* matrix = static_cast<const typename Call::Param*>(call.table.heads[row.head].matrix.param);
  return computed(matrix[row.number * call.work.width + column]);
}

template <class Call>
__device__ typename Call::Number feature_at(const Call& call, const HeadFeatures& features, int64_t row,
                                            int64_t column) {
  if (row >= features.rows || column >= call.work.width) return 0;
  return computed(static_cast<const typename Call::Feature*>(features.features)[row * call.work.width + column]);
}

template <class Call>
__device__ typename Call::Number slope_at(const Call& call, const HeadFeatures& features, int64_t row,
                                          const Class& column) {
  if (row >= features.rows || column.head < 0) return 0;
  const auto* slopes = static_cast<const typename Call::Number*>(call.table.heads[column.head].outputs);
  return slopes[row * column.classes + column.number];
}

}  // namespace mtlbench::MTLBENCH_DEVICE
