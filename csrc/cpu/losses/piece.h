// A run of positions of one task: what one call of a loss kernel works on.
#pragma once

#include <algorithm>

#include "math/task_losses.h"

namespace mtlbench::cpu {

struct Piece {
  const TaskLoss* task;
  int64_t first;  // positions [first, last)
  int64_t last;
  double factor;  // multiplies dS/dx before it is written
  double label_smoothing;
  int64_t ignore_index;
  void* scratch;  // scratch_numbers() doubles, aligned to 64 bytes
  double sum;     // result: the sum of the losses of the labelled positions
};

// Numbers that the kernels process side by side: one AVX-512 register of floats, two of AVX2. Loops over kWidth have a
// fixed count, so that their arrays live in registers and no scalar remainder is left.
inline constexpr int64_t kWidth = 16;

// Positions of a tile: a few cache lines of each class at a time.
inline constexpr int64_t kLanes = 4 * kWidth;

// From this many classes on, a contiguous row fills vectors by itself and needs no tile.
inline constexpr int64_t kRowClasses = 32;

MTLBENCH_FN int64_t padded(int64_t classes) {
  return (classes + kWidth - 1) / kWidth * kWidth;
}

// Rows that go through the steps of a softmax together: as many as stay in the nearest cache.
MTLBENCH_FN int64_t rows_at_once(int64_t classes) {
  return std::clamp<int64_t>(4096 / padded(classes), 1, kWidth);
}

inline bool is_contiguous_row(const TaskLoss& task) {
  return task.inner == 1 && task.classes >= kRowClasses;
}

// Element-wise kernels sum this many numbers before the sum goes into a double.
inline constexpr int64_t kBlock = 1024;

// Two tiles of [classes, kLanes], outputs and targets; some rows; or one block.
inline int64_t scratch_numbers(const TaskLoss& task) {
  const bool row = is_contiguous_row(task) && task.kind != LossKind::Cosine;
  return std::max(kBlock, row ? rows_at_once(task.classes) * padded(task.classes) : 2 * kLanes * task.classes);
}

template <class Stored>
MTLBENCH_FN const Stored* outputs_of(const TaskLoss& task) {
  return static_cast<const Stored*>(task.outputs);
}
template <class Stored>
MTLBENCH_FN Stored* gradients_of(const TaskLoss& task) {
  return static_cast<Stored*>(task.gradients);
}
template <class Stored>
MTLBENCH_FN const Computed<Stored>* values_of(const TaskLoss& task) {
  return static_cast<const Computed<Stored>*>(task.targets);
}
MTLBENCH_FN const int64_t* indices_of(const TaskLoss& task) {
  return static_cast<const int64_t*>(task.targets);
}

}  // namespace mtlbench::cpu
