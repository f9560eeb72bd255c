// The losses of one step as plain data, for the CPU and the CUDA kernels alike. Formulas and kinds: math/losses/.
//
//   L_t   = r_t S_t            S_t sums over the labelled positions of task t; r_t = 1 / their number for means, 1 for
//                              sums, and 0 where nothing is labelled
//   total = sum_t w_t L_t
//   G_t   = f_t dS_t/dx        written with the losses; f_t = w_t r_t anticipates the backward pass of the total
//
// Two exceptions keep G_t in the range of its type: float16 waits for the loss scale (f_t = 1), and weights beyond
// 2^±40, zero and NaN among them, are left out (f_t = r_t). The backward pass multiplies by the remaining factor.
#pragma once

#include "math/losses/table.h"
#include "math/number.h"

namespace mtlbench {

// Outputs of one task: contiguous [outer, classes, inner]. A position is one (outer, inner) pair and owns `classes`
// numbers, `inner` apart; the element-wise losses have classes = inner = 1, so that every number is a position.
//
// Position p is labelled where mask[p / mask_span] is true (or mask is null) and, for class indices, targets[p] is not
// ignore_index. Targets are int64 class indices, one per position, for CrossEntropy; for all others they have the shape
// of the outputs and the type the outputs are computed with.
struct TaskLoss {
  const void* outputs = nullptr;
  const void* targets = nullptr;
  const bool* mask = nullptr;
  void* gradients = nullptr;  // G_t, as outputs; null where it is not needed
  int64_t outer = 0;
  int64_t classes = 1;
  int64_t inner = 1;
  int64_t mask_span = 1;
  double beta = 1;  // for the losses that take one: beta of smooth_l1, delta of huber
  LossKind kind = LossKind::Mse;
  DType dtype = DType::Float32;

  MTLBENCH_FN int64_t positions() const { return outer * inner; }
};

// One call. Pointers to numbers are on the device that runs it.
struct TaskLosses {
  const TaskLoss* tasks = nullptr;  // [count], on the host
  int64_t count = 0;
  bool mean = true;
  double label_smoothing = 0;
  int64_t ignore_index = -100;

  DType dtype = DType::Float32;   // of what follows: Float32, or Float64 where an output is
  const void* weights = nullptr;  // [count]; null means 1
  void* total = nullptr;          // []
  void* losses = nullptr;         // [count]: L_t
  void* reciprocals = nullptr;    // [count]: r_t
  void* workspace = nullptr;      // on CUDA: task_losses_workspace(count) bytes, aligned to 16, whatever they hold
};

// A class index that is neither a class nor ignore_index.
struct LabelError {
  int64_t task = -1;  // -1: none
  int64_t position = 0;
  int64_t label = 0;
};

// One backward pass: out_t = (what remains of d(loss)/d(L_t)) G_t, in place where out_t is G_t.
struct TaskGradient {
  const void* in = nullptr;
  void* out = nullptr;
  int64_t size = 0;
  DType dtype = DType::Float32;
};

struct TaskGradients {
  const TaskGradient* tasks = nullptr;  // [count], on the host
  int64_t count = 0;
  DType dtype = DType::Float32;  // of what follows
  const void* weights = nullptr;
  const void* reciprocals = nullptr;
  const void* of_total = nullptr;   // []: d(loss)/d(total); null means 0
  const void* of_losses = nullptr;  // [count]: d(loss)/d(L_t) beside the way through the total; null means 0
};

// r_t, where `known` positions are labelled.
MTLBENCH_FN double reciprocal_of(int64_t known, bool mean) {
  return known == 0 ? 0.0 : (mean ? 1.0 / static_cast<double>(known) : 1.0);
}

MTLBENCH_FN bool is_foreseen(double weight) {
  const double size = weight < 0 ? -weight : weight;
  return size > 0x1p-40 && size < 0x1p40;
}

// f_t.
MTLBENCH_FN double foreseen_factor(DType dtype, double weight, double reciprocal) {
  if (dtype == DType::Float16) return 1.0;
  return is_foreseen(weight) ? weight * reciprocal : reciprocal;
}

// The factor that G_t still lacks; exactly 1 where the backward pass is as anticipated.
MTLBENCH_FN double remaining_factor(DType dtype, double weight, double reciprocal, double of_total, double of_loss) {
  const double wanted = of_total * weight + of_loss;
  if (dtype == DType::Float16) return wanted * reciprocal;
  return is_foreseen(weight) ? wanted / weight : wanted;
}

// Entry i of a vector that is float or double; `otherwise` where there is none.
MTLBENCH_FN double number_at(const void* numbers, DType dtype, int64_t i, double otherwise) {
  if (numbers == nullptr) return otherwise;
  return dtype == DType::Float64 ? static_cast<const double*>(numbers)[i]
                                 : static_cast<double>(static_cast<const float*>(numbers)[i]);
}

MTLBENCH_FN void set_number(void* numbers, DType dtype, int64_t i, double value) {
  if (dtype == DType::Float64) {
    static_cast<double*>(numbers)[i] = value;
  } else {
    static_cast<float*>(numbers)[i] = static_cast<float>(value);
  }
}

}  // namespace mtlbench
