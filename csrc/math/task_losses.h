// The losses of one step as plain data, for the CPU and the CUDA kernels alike.
#pragma once

#include "math/number.h"

namespace mtlbench {

// The order is that of KINDS in mtlbench/ops/task_losses.py; cross-entropy against probabilities comes last.
enum class LossKind : int32_t {
  CrossEntropy,
  BceWithLogits,
  Mse,
  L1,
  SmoothL1,
  Huber,
  Cosine,
  CrossEntropyOfProbabilities,
};

// Outputs of one task: contiguous [outer, classes, inner]. A position is one (outer, inner) pair, and owns `classes`
// numbers, `inner` apart; the element-wise losses have classes = inner = 1, so that every number is a position.
//
// Position p is labelled where mask[p / mask_span] is true (or mask is null) and, for class indices, targets[p] is not
// ignore_index. Targets of cross-entropy are class indices, int64, one a position; all others have the shape of the
// outputs and the type the outputs are computed with.
struct TaskLoss {
  const void* outputs;
  const void* targets;
  const bool* mask;
  void* gradients;  // as outputs; null where nobody asks for them
  int64_t outer;
  int64_t classes;
  int64_t inner;
  int64_t mask_span;
  double beta;  // of smooth_l1 and huber
  LossKind kind;
  DType dtype;

  MTLBENCH_FN int64_t positions() const { return outer * inner; }
};

// What all tasks of a call share.
struct LossOptions {
  double label_smoothing;
  int64_t ignore_index;
  bool mean;  // over the labelled positions, times the numbers a position owns for the element-wise losses; else sum
};

// A class index that is neither a class nor ignore_index.
struct LabelError {
  int64_t task = -1;  // -1: none
  int64_t position = 0;
  int64_t label = 0;
};

// The total is sum_t w_t r_t S_t: S_t sums over labelled positions, r_t = 1 / their number (1 for sums, 0 where there
// is none), w_t is the task's weight. The gradients written with the losses are f_t dS_t/dx, where f_t foresees the
// backward pass of the total: f_t = w_t r_t. Two exceptions keep numbers in range: float16 waits for the loss scale
// (f_t = 1), and weights beyond 2^±40, zero and NaN among them, are left out (f_t = r_t).
MTLBENCH_FN bool foreseen(double weight) {
  const double size = weight < 0 ? -weight : weight;
  return size > 0x1p-40 && size < 0x1p40;
}

MTLBENCH_FN double foreseen_factor(DType dtype, double weight, double reciprocal) {
  if (dtype == DType::Float16) return 1.0;
  return foreseen(weight) ? weight * reciprocal : reciprocal;
}

// What those gradients are still to be multiplied with, d(loss)/d(total) and d(loss)/dL_t given: 1 where foreseen.
MTLBENCH_FN double remaining_factor(DType dtype, double weight, double reciprocal, double of_total, double of_task) {
  const double wanted = of_total * weight + of_task;
  if (dtype == DType::Float16) return wanted * reciprocal;
  return foreseen(weight) ? wanted / weight : wanted;
}

}  // namespace mtlbench
