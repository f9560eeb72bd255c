// The positions of a task: how many make a tile, what all its tiles share, and which positions are labelled.
#pragma once

#include "cuda/tensor_table.h"
#include "math/task_losses.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr int64_t kLongRow = 2048;  // classes from which a block takes a row

// What is the same for all tiles of a task.
struct LossContext {
  double factor;  // of the gradients
  double label_smoothing;
  int64_t ignore_index;
};

// Lanes that share a row.
MTLBENCH_FN int row_lanes(int64_t classes) {
  int lanes = 1;
  while (lanes < 32 && lanes < classes) lanes *= 2;
  return lanes;
}

// Positions of a tile.
MTLBENCH_FN int64_t tile_positions(const TaskLoss& task) {
  if (!spans_classes(task.kind)) return kTile;
  if (task.inner > 1 || task.kind == LossKind::Cosine) return kThreads;
  return task.classes >= kLongRow ? 1 : kThreads / row_lanes(task.classes);
}

__device__ inline bool is_known(const TaskLoss& task, int64_t position, int64_t ignore_index) {
  if (task.mask != nullptr && !task.mask[position / task.mask_span]) return false;
  return task.kind != LossKind::CrossEntropy || static_cast<const int64_t*>(task.targets)[position] != ignore_index;
}

// Whether positions may be without a label, so that the labelled ones must be counted.
MTLBENCH_FN bool is_counted(const TaskLoss& task) {
  return task.mask != nullptr || task.kind == LossKind::CrossEntropy;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
