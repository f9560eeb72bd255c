// Weighted multi-task loss, gradient combination and Adam, one element at a time.
//
//   L = sum_t w_t L_t                                    total loss
//   g = s sum_t w_t g_t                                  s = -1 (maximise) or 1, over the scale of mixed precision
//   p = p (1 - lr d)          or     g = g + d p         weight decay d: decoupled (AdamW) or not (Adam)
//   m = m + (1 - b1) (g - m)  or     m = g + b1 (m - g)    the latter for b1 <= 0.5, as torch.lerp has it: the
//                                                        former loses g beside a large m where 1 - b1 is near 1
//   v = b2 v + (1 - b2) g^2                              with amsgrad the running maximum of v stands for v below
//   p = p - lr / c1 * m / (sqrt(v / c2) + eps)           c_i = 1 - b_i^step, or 1 without bias correction
//
// What is the same for every element is formed once, in double, and rounded once: in float, 1 - 0.999f is off
// by 1.3e-5.
#pragma once

#include <algorithm>
#include <cmath>

#include "math/number.h"

namespace mtlbench {

// One call: n tensors, T tasks. All pointers are on the device that runs it, those to pointers on the host.
struct WeightedAdam {
  DType param_dtype = DType::Float32;  // of parameters and gradients
  DType state_dtype = DType::Float32;  // of exp_avgs and exp_avg_sqs
  int64_t tensors = 0;
  int64_t tasks = 0;                       // gradient lists
  const int64_t* sizes = nullptr;          // [n]
  void* const* params = nullptr;           // [n]
  const void* const* gradients = nullptr;  // [n][T]; null where the task does not touch the tensor
  void* const* exp_avgs = nullptr;         // [n]
  void* const* exp_avg_sqs = nullptr;      // [n]
  void* const* max_exp_avg_sqs = nullptr;  // [n], or null without amsgrad
  float* const* steps = nullptr;           // [n]: updates so far; advanced by one for each tensor touched
  float* shared_step = nullptr;            // or one for all, advanced by one where any is touched

  int64_t losses_count = 0;
  const float* losses = nullptr;   // [losses_count], or null
  const float* weights = nullptr;  // [losses_count] or [T]; null means 1
  bool weigh_gradients = false;    // false: one list of gradients that are weighted already
  float* total = nullptr;          // the total loss, or null

  double lr = 0, beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0;
  const float* lr_on_device = nullptr;  // stands for lr
  const float* grad_scale = nullptr;    // gradients are divided by it
  const float* found_inf = nullptr;     // not 0: nothing is updated
  bool decoupled = false, maximize = false, bias_correction = true;
};

// Whether any task has a gradient for this tensor: otherwise it stays as it is.
inline bool is_touched(const WeightedAdam& work, int64_t tensor) {
  const void* const* row = work.gradients + tensor * work.tasks;
  return std::any_of(row, row + work.tasks, [](const void* gradient) { return gradient != nullptr; });
}

// What the elements of one tensor share.
template <class Number>
struct AdamCoefficients {
  Number decay;         // coupled: d; decoupled: 1 - lr d
  Number rate1;         // 1 - b1; from the gradient: -b1
  bool from_gradient;   // whether m is formed from g, not from m
  Number beta2, rate2;  // b2, 1 - b2
  Number eps;
  Number step_size;   // lr / c1
  Number root_scale;  // 1 / sqrt(c2)
};

// 1 - beta^step, without the cancellation of computing beta^step first.
MTLBENCH_FN double bias_correction(double beta, double step) {
  return -std::expm1(step * std::log(beta));
}

template <class Number>
MTLBENCH_FN AdamCoefficients<Number> adam_coefficients(double lr, double beta1, double beta2, double eps,
                                                       double weight_decay, bool decoupled, bool bias_corrected,
                                                       double step) {
  const double correction1 = bias_corrected ? bias_correction(beta1, step) : 1.0;
  const double correction2 = bias_corrected ? bias_correction(beta2, step) : 1.0;
  return {static_cast<Number>(decoupled ? 1.0 - lr * weight_decay : weight_decay),
          static_cast<Number>(beta1 > 0.5 ? 1.0 - beta1 : -beta1),
          beta1 <= 0.5,
          static_cast<Number>(beta2),
          static_cast<Number>(1.0 - beta2),
          static_cast<Number>(eps),
          static_cast<Number>(lr / correction1),
          static_cast<Number>(1.0 / std::sqrt(correction2))};
}

// One element. `peak` is the running maximum of v, ignored without Amsgrad; Coupled: the decay joins the gradient.
template <bool Coupled, bool Amsgrad, class Number>
MTLBENCH_FN void adam_element(const AdamCoefficients<Number>& c, Number g, Number& p, Number& m, Number& v,
                              Number& peak) {
  if constexpr (Coupled) {
    g += c.decay * p;
  } else {
    p *= c.decay;
  }
  m = (c.from_gradient ? g : m) + c.rate1 * (g - m);
  v = c.beta2 * v + c.rate2 * g * g;
  Number root = v;
  if constexpr (Amsgrad) {
    peak = v > peak || v != v ? v : peak;  // NaN wins, as in torch.maximum
    root = peak;
  }
  p -= c.step_size * (m / (std::sqrt(root) * c.root_scale + c.eps));
}

}  // namespace mtlbench
