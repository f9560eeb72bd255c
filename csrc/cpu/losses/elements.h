// Element-wise losses: every number is a position.
#pragma once

#include <algorithm>

#include "cpu/losses/piece.h"

namespace mtlbench::cpu {

template <class Stored, class Formula>
struct Elements {
  using T = Computed<Stored>;

  MTLBENCH_FN static void run(Piece* piece) {
    const TaskLoss& task = *piece->task;
    double sum = 0;
    for (int64_t first = piece->first; first < piece->last; first += kBlock) {
      const int64_t count = std::min(kBlock, piece->last - first);
      sum += task.mask == nullptr ? block<false>(*piece, first, count) : block<true>(*piece, first, count);
    }
    piece->sum = sum;
  }

  template <bool masked>
  MTLBENCH_FN static double block(const Piece& piece, int64_t first, int64_t count) {
    const TaskLoss& task = *piece.task;
    const Stored* const x = outputs_of<Stored>(task) + first;
    const T* const y = values_of<Stored>(task) + first;
    Stored* const gradient =
        task.gradients == nullptr ? static_cast<Stored*>(piece.scratch) : gradients_of<Stored>(task) + first;
    const T beta = static_cast<T>(task.beta), factor = static_cast<T>(piece.factor);
    T known[masked ? kBlock : 1];
    if constexpr (masked) spread_mask(task, first, count, known);
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; ++i) {
      auto [value, slope] = Formula::at(computed(x[i]), y[i], beta);
      if constexpr (masked) {  // by selection: what hides behind the mask may be NaN
        value = known[i] != T(0) ? value : T(0);
        slope = known[i] != T(0) ? slope : T(0);
      }
      sum += value;
      gradient[i] = stored<Stored>(slope * factor);
    }
    return sum;
  }

  // One entry of the mask holds for mask_span numbers.
  MTLBENCH_FN static void spread_mask(const TaskLoss& task, int64_t first, int64_t count, T* known) {
    int64_t entry = first / task.mask_span;
    int64_t left = task.mask_span - first % task.mask_span;
    for (int64_t i = 0; i < count; ++i) {
      known[i] = task.mask[entry] ? T(1) : T(0);
      if (--left == 0) {
        ++entry;
        left = task.mask_span;
      }
    }
  }
};

}  // namespace mtlbench::cpu
