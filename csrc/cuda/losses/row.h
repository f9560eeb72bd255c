// One position with all its classes, as the losses over classes read it.
#pragma once

#include "cuda/device.h"
#include "math/task_losses.h"

namespace mtlbench::MTLBENCH_DEVICE {

// A position: class c stands `stride` after class c - 1. `lanes` threads share it, this one being
// number `lane`.
template <class Stored>
struct Row {
  const Stored* x;
  const Computed<Stored>* q;  // probabilities, or null
  Stored* gradient;           // or null
  int64_t classes;
  int64_t stride;
  int64_t label;
  int lane;
  int lanes;
};

// The row of a position that `lanes` threads share.
template <class Stored>
__device__ Row<Stored> row_at(const TaskLoss& task, int64_t position, bool exists, int lane, int lanes) {
  const int64_t outer = exists ? position / task.inner : 0, inner = exists ? position % task.inner : 0;
  const int64_t offset = outer * task.classes * task.inner + inner;
  const bool indices = task.kind == LossKind::CrossEntropy;
  Row<Stored> row;
  row.x = static_cast<const Stored*>(task.outputs) + offset;
  row.q = indices ? nullptr : static_cast<const Computed<Stored>*>(task.targets) + offset;
  row.gradient = task.gradients != nullptr && exists ? static_cast<Stored*>(task.gradients) + offset : nullptr;
  row.classes = task.classes;
  row.stride = task.inner;
  row.label = indices && exists ? static_cast<const int64_t*>(task.targets)[position] : 0;
  row.lane = lane;
  row.lanes = lanes;
  return row;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
