// The tensors of one Adam update, checked and laid out as the kernels expect them (struct WeightedAdam).
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "math/weighted_adam.h"
#include "torch/operation.h"

namespace mtlbench {

constexpr int64_t kMaxTasks = 1024;

struct AdamOptions {
  std::optional<at::Tensor> losses = {}, weights = {};
  std::optional<at::Tensor> lr_tensor = {};  // stands for lr
  double lr = 0, beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0;
  bool decoupled = false, maximize = false, bias_correction = true;
  std::optional<at::Tensor> grad_scale = {}, found_inf = {};
  bool combined = false;  // the gradients are weighted already: weights form the total loss alone
};

// Rows are added one by one: add(…), then gradient(…) once for each task, then step(…).
class AdamTable {
 public:
  AdamTable(c10::Device device, c10::ScalarType param, c10::ScalarType state, int64_t tasks, bool amsgrad, size_t rows);

  // Whether a kernel exists for these types, and whether this table is of them.
  static bool supports(c10::ScalarType param, c10::ScalarType state);
  bool holds(const at::Tensor& param, const at::Tensor& state) const;
  c10::Device device() const { return device_; }

  void add(const at::Tensor& param, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
           const at::Tensor* max_exp_avg_sq);
  void gradient(const at::Tensor* gradient);  // null where the task does not touch the tensor just added
  void step(const at::Tensor& step) { steps_.push_back(counter(step)); }
  void shared_step(const at::Tensor& step) { shared_step_ = counter(step); }

  // Launches the update. The total loss goes to `total`, a float of one element, where it is defined.
  template <Place place>
  void run(const AdamOptions& options, at::Tensor total);

 private:
  struct Copy {
    at::Tensor original, dense;
  };
  void* mutated(const at::Tensor& tensor, const at::Tensor& like, const char* name);
  void* in_layout_of_param(const at::Tensor& tensor, bool write_back);
  float* counter(const at::Tensor& step) const;
  const float* number(const std::optional<at::Tensor>& tensor, const char* name, int64_t count);

  c10::Device device_;
  c10::ScalarType param_type_, state_type_;
  int64_t tasks_;
  bool amsgrad_;
  float* shared_step_ = nullptr;
  const at::Tensor* param_ = nullptr;  // of the row just added; dense
  bool plain_ = true;                  // and contiguous
  std::vector<int64_t> sizes_;
  std::vector<void*> params_, exp_avgs_, exp_avg_sqs_, max_exp_avg_sqs_;
  std::vector<const void*> gradients_;
  std::vector<float*> steps_;
  std::deque<Copy> write_back_;
  std::vector<at::Tensor> kept_;  // alive until the launch
};

}  // namespace mtlbench
