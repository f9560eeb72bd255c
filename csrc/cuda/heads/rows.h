// What step_heads_ computes per row: outputs, losses and their slopes D, then dh (steps 1 to 3 of cuda/step_heads.cu).
#pragma once

#include "cuda/block_sums.h"
#include "cuda/heads/classes.h"
#include "cuda/losses/loss_of_tile.h"

namespace mtlbench::MTLBENCH_DEVICE {

// --- 1: outputs, labels -------------------------------------------------------------------------------------------

template <class Call>
__device__ void count_labels(const Call& call) {
  for_each_tile(call.table.loss_ends, call.heads(), [&](int t, int64_t tile) {
    const TaskLoss& task = call.table.tasks[t];
    if (!is_counted(task)) return;
    const int64_t length = tile_positions(task);
    int64_t known = 0;
    for (int64_t p = tile * length + threadIdx.x; p < (tile + 1) * length && p < task.positions(); p += kThreads) {
      known += is_known(task, p, call.work.losses.ignore_index) ? 1 : 0;
    }
    known = block_sum(known);
    if (threadIdx.x == 0) call.space.known[(t == 0 ? 0u : call.table.loss_ends[t - 1]) + tile] = known;
  });
}

template <class Call>
__device__ void find_outputs(const Call& call) {
  using Number = typename Call::Number;
  __shared__ Class classes[kSide];
  for_each_tile(call.table.output_ends, call.feature_count(), [&](int g, int64_t tile) {
    const HeadFeatures& features = call.table.features[g];
    const int64_t row = tile / sides(features.classes) * kSide;
    __syncthreads();
    find_classes(call, features, tile % sides(features.classes) * kSide, classes);
    Number sums[kEach][kEach];
    multiply<Along::Length, Along::Length>(
        call.work.width, [](int64_t) {}, [&](int r, int64_t l) { return feature_at(call, features, row + r, l); },
        [&](int c, int64_t l) { return weight_at(call, classes[c], l); }, sums);
    for_each_sum(sums, [&](int r, int c, Number sum) {
      const Class& own = classes[c];
      if (row + r >= features.rows || own.head < 0) return;
      const Head& head = call.table.heads[own.head];
      const auto* bias = static_cast<const typename Call::Param*>(head.bias.param);
      if (bias != nullptr) sum += computed(bias[own.number]);
      static_cast<Number*>(head.outputs)[(row + r) * own.classes + own.number] = sum;
    });
  });
}

// The sum over the loss tiles of task t of what `numbers` holds for each, by one warp.
template <class Call, class T>
__device__ T sum_of_tiles(const Call& call, int t, const volatile T* numbers) {
  T sum = 0;
  const uint32_t first = t == 0 ? 0u : call.table.loss_ends[t - 1];
  for (uint32_t tile = first + threadIdx.x % 32; tile < call.table.loss_ends[t]; tile += 32) sum += numbers[tile];
  return group_sum(sum, 32);
}

// w_t r_t, by one block: one warp per task.
template <class Call>
__device__ void find_factors(const Call& call) {
  const TaskLosses& losses = call.work.losses;
  for (int t = static_cast<int>(threadIdx.x) / 32; t < call.heads(); t += kThreads / 32) {
    const TaskLoss& task = call.table.tasks[t];
    const int64_t known = is_counted(task) ? sum_of_tiles(call, t, call.space.known) : task.positions();
    const double r = reciprocal_of(known, losses.mean);
    if (threadIdx.x % 32 != 0) continue;
    call.space.reciprocals[t] = r;
    call.space.factors[t] = r * number_at(losses.weights, losses.dtype, t, 1.0);
  }
}

// --- 2: losses, D -------------------------------------------------------------------------------------------------

template <class Call>
__device__ void find_slopes(const Call& call) {
  for_each_tile(call.table.loss_ends, call.heads(), [&](int t, int64_t tile) {
    const volatile double* const factors = call.space.factors;  // written by another block in this launch
    const LossContext context{factors[t], call.work.losses.label_smoothing, call.work.losses.ignore_index};
    const double sum = block_sum(loss_of_tile<typename Call::Number>(call.table.tasks[t], context, tile));
    if (threadIdx.x == 0) call.space.sums[(t == 0 ? 0u : call.table.loss_ends[t - 1]) + tile] = sum;
  });
}

template <class Call>
__device__ void write_losses(const Call& call) {
  const volatile double* const reciprocals = call.space.reciprocals;
  for (int t = static_cast<int>(threadIdx.x) / 32; t < call.heads(); t += kThreads / 32) {
    const double sum = sum_of_tiles(call, t, call.space.sums);
    if (threadIdx.x % 32 == 0) {
      set_number(call.work.losses.losses, call.work.losses.dtype, t, sum * reciprocals[t]);
    }
  }
}

// --- 3: dh --------------------------------------------------------------------------------------------------------

template <class Call>
__device__ void find_feature_gradients(const Call& call) {
  using Number = typename Call::Number;
  __shared__ Class classes[kSide];
  const int64_t width = call.work.width;
  for_each_tile(call.table.gradient_ends, call.feature_count(), [&](int g, int64_t tile) {
    const HeadFeatures& features = call.table.features[g];
    const int64_t row = tile / sides(width) * kSide, column = tile % sides(width) * kSide;
    Number sums[kEach][kEach];
    multiply<Along::Length, Along::Side>(
        features.classes, [&](int64_t first) { find_classes(call, features, first, classes); },
        [&](int r, int64_t l) { return slope_at(call, features, row + r, classes[l % kDepth]); },
        [&](int c, int64_t l) { return weight_at(call, classes[l % kDepth], column + c); }, sums);
    for_each_sum(sums, [&](int r, int c, Number sum) {
      if (row + r >= features.rows || column + c >= width) return;
      static_cast<typename Call::Feature*>(features.gradient)[(row + r) * width + column + c] =
          stored<typename Call::Feature>(sum);
    });
  });
}

}  // namespace mtlbench::MTLBENCH_DEVICE
