// Linear heads on a representation h: forward, losses, gradients and their Adam update in one call.
//
//   X_t  = h_t W_t^T + b_t                       outputs [B, C_t] of task t
//   D_t  = w_t dL_t/dX_t                         (losses: math/task_losses.h)
//   dh   = sum_t D_t W_t                         from the old W; one for each task where each has features of its own
//   g(W_t) = D_t^T h_t,   g(b_t) = sum_B D_t     never stored: consumed by Adam (math/weighted_adam.h) as they are
//   computed
//
// Classes of the tasks that share features are numbered consecutively: [C], C = sum_t C_t.
#pragma once

#include "math/task_losses.h"
#include "math/weighted_adam.h"

namespace mtlbench {

constexpr int64_t kMostHeads = 128;  // of a call on CUDA: as many fit the parameters of a launch

// A matrix or a bias with the state that Adam keeps of it.
struct HeadTensor {
  void* param = nullptr;  // null: the head has no bias
  void* exp_avg = nullptr;
  void* exp_avg_sq = nullptr;
  void* max_exp_avg_sq = nullptr;  // null without amsgrad
  float* step = nullptr;           // updates so far
};

struct Head {
  HeadTensor matrix;  // [classes, width]
  HeadTensor bias;    // [classes]
  void* outputs;      // X_t, then D_t, [rows, classes] in the type of the computation
  int64_t classes;
  int64_t first_class;  // its place among the classes that share its features
};

// One representation [rows, width] and the heads on it.
struct HeadFeatures {
  const void* features = nullptr;
  void* gradient = nullptr;  // dh
  int64_t rows = 0;
  int64_t classes = 0;
  int64_t first_head = 0;
  int64_t last_head = 0;
};

// One call. Pointers to numbers are on the device that runs it, those to structs on the host.
struct StepHeads {
  DType feature_dtype = DType::Float32;
  DType param_dtype = DType::Float32;
  DType state_dtype = DType::Float32;
  int64_t width = 0;
  const HeadFeatures* features = nullptr;  // [feature_count]: 1, or as many as heads
  int64_t feature_count = 0;
  const Head* heads = nullptr;  // [losses.count]
  TaskLosses losses;            // outputs and gradients of its tasks are those of the heads; no total

  bool shared_step = false;  // all tensors have the same counter
  double lr = 0, beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0;
  const float* lr_on_device = nullptr;  // stands for lr
  bool decoupled = false, maximize = false, bias_correction = true;

  MTLBENCH_FN bool couples_decay() const { return !decoupled && weight_decay != 0.0; }
};

}  // namespace mtlbench
