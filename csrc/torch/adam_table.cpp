#include "torch/adam_table.h"

#include <ATen/MemoryOverlap.h>
#include <ATen/ops/empty_strided.h>

#include "cpu/weighted_adam.h"
#include "cuda/weighted_adam.h"
#include "torch/checks.h"

namespace mtlbench {
namespace {

constexpr const char* kName = "weighted_adam_";

void check_like(const at::Tensor& tensor, const at::Tensor& param, c10::ScalarType dtype, const char* name,
                size_t row) {
  MTLBENCH_CHECK_VALUE(tensor.layout() == c10::kStrided, kName, ": expected a dense ", name, "[", row, "], got layout ",
                       tensor.layout(), " (torch.optim.SparseAdam takes sparse gradients)");
  MTLBENCH_CHECK_TYPE(tensor.scalar_type() == dtype, kName, ": expected ", name, "[", row, "] of dtype ", dtype,
                      ", got ", tensor.scalar_type());
  MTLBENCH_CHECK_TYPE(tensor.device() == param.device(), kName, ": expected ", name, "[", row, "] on ", param.device(),
                      " as params[", row, "], got ", tensor.device());
  MTLBENCH_CHECK_VALUE(tensor.sizes() == param.sizes(), kName, ": expected ", name, "[", row, "] of shape ",
                       param.sizes(), " as params[", row, "], got ", tensor.sizes());
}

}  // namespace

bool AdamTable::supports(c10::ScalarType param, c10::ScalarType state) {
  return (param == state && (param == at::kFloat || param == at::kDouble)) ||
         (param == at::kBFloat16 && (state == at::kFloat || state == at::kBFloat16));
}

AdamTable::AdamTable(c10::Device device, c10::ScalarType param, c10::ScalarType state, int64_t tasks, bool amsgrad,
                     size_t rows)
    : device_(device), param_type_(param), state_type_(state), tasks_(tasks), amsgrad_(amsgrad) {
  MTLBENCH_CHECK_VALUE(tasks >= 1 && tasks <= kMaxTasks, kName, ": expected 1 to ", kMaxTasks,
                       " lists of gradients, got ", tasks);
  MTLBENCH_CHECK_TYPE(supports(param, state), kName, ": expected parameters of float32 or float64 with states of the ",
                      "same, or bfloat16 with states of float32 or bfloat16, got ", param, " with ", state);
  for (auto* column : {&params_, &exp_avgs_, &exp_avg_sqs_}) column->reserve(rows);
  sizes_.reserve(rows);
  steps_.reserve(rows);
  gradients_.reserve(rows * static_cast<size_t>(tasks));
}

bool AdamTable::holds(const at::Tensor& param, const at::Tensor& state) const {
  return param.scalar_type() == param_type_ && state.scalar_type() == state_type_ && param.device() == device_;
}

void AdamTable::add(const at::Tensor& param, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                    const at::Tensor* max_exp_avg_sq) {
  check_like(param, param, param_type_, "params", sizes_.size());
  MTLBENCH_CHECK_TYPE(param.device() == device_, kName, ": expected params[", sizes_.size(), "] on ", device_,
                      " as the others, got ", param.device());
  param_ = &param;
  plain_ = param.is_contiguous();
  if (!plain_ && !param.is_non_overlapping_and_dense()) {
    at::assert_no_internal_overlap(param);
    write_back_.push_back({param, param.clone(at::MemoryFormat::Contiguous)});
    param_ = &write_back_.back().dense;
    plain_ = true;
  }
  if (!param.is_inference()) param.unsafeGetTensorImpl()->bump_version();  // autograd may have saved it
  params_.push_back(param_->mutable_data_ptr());
  exp_avgs_.push_back(mutated(exp_avg, param, "exp_avgs"));
  exp_avg_sqs_.push_back(mutated(exp_avg_sq, param, "exp_avg_sqs"));
  if (amsgrad_) max_exp_avg_sqs_.push_back(mutated(*max_exp_avg_sq, param, "max_exp_avg_sqs"));
  sizes_.push_back(param.numel());
}

void* AdamTable::mutated(const at::Tensor& tensor, const at::Tensor& param, const char* name) {
  check_like(tensor, param, state_type_, name, sizes_.size());
  if (plain_ && tensor.is_contiguous()) return tensor.mutable_data_ptr();
  at::assert_no_internal_overlap(tensor);
  return in_layout_of_param(tensor, /*write_back=*/true);
}

void* AdamTable::in_layout_of_param(const at::Tensor& tensor, bool write_back) {
  if (tensor.strides() == param_->strides()) return tensor.mutable_data_ptr();
  const at::Tensor dense = at::empty_strided(param_->sizes(), param_->strides(), tensor.options());
  dense.copy_(tensor);
  if (write_back) {
    write_back_.push_back({tensor, dense});
  } else {
    kept_.push_back(dense);
  }
  return dense.mutable_data_ptr();
}

void AdamTable::gradient(const at::Tensor* gradient) {
  if (gradient == nullptr) {
    gradients_.push_back(nullptr);
    return;
  }
  check_like(*gradient, *param_, param_type_, "gradients[..]", sizes_.size() - 1);
  if (gradient->numel() == 0) {  // no memory, and yet a gradient: the parameter counts as updated
    alignas(16) static const char nowhere = 0;
    gradients_.push_back(&nowhere);
    return;
  }
  const bool as_it_is = plain_ && gradient->is_contiguous();
  gradients_.push_back(as_it_is ? gradient->const_data_ptr() : in_layout_of_param(*gradient, /*write_back=*/false));
}

float* AdamTable::counter(const at::Tensor& step) const {
  MTLBENCH_CHECK_TYPE(step.scalar_type() == at::kFloat && step.device() == device_, kName,
                      ": expected step of dtype float32 on ", device_, ", got ", step.scalar_type(), " on ",
                      step.device());
  MTLBENCH_CHECK_VALUE(step.numel() == 1, kName, ": expected step of one element, got shape ", step.sizes());
  return static_cast<float*>(step.mutable_data_ptr());
}

const float* AdamTable::number(const std::optional<at::Tensor>& tensor, const char* name, int64_t count) {
  if (!tensor) return nullptr;
  MTLBENCH_CHECK_VALUE(tensor->numel() == count, kName, ": expected ", name, " of ", count, " elements, got shape ",
                       tensor->sizes());
  kept_.push_back(tensor->to(device_, at::kFloat).contiguous());
  return static_cast<const float*>(kept_.back().const_data_ptr());
}

template <Place place>
void AdamTable::run(const AdamOptions& options, at::Tensor total) {
  MTLBENCH_CHECK_TYPE(device_.is_cuda() == (place == Place::Cuda), kName, ": expected all tensors on one device");
  const Site<place> site(device_);
  WeightedAdam work;
  work.param_dtype = dtype_of(param_type_, kName, "params");
  work.state_dtype = dtype_of(state_type_, kName, "exp_avgs");
  work.tensors = static_cast<int64_t>(sizes_.size());
  work.tasks = tasks_;
  work.sizes = sizes_.data();
  work.params = params_.data();
  work.gradients = gradients_.data();
  work.exp_avgs = exp_avgs_.data();
  work.exp_avg_sqs = exp_avg_sqs_.data();
  work.max_exp_avg_sqs = amsgrad_ ? max_exp_avg_sqs_.data() : nullptr;
  work.steps = steps_.data();
  work.shared_step = shared_step_;
  const int64_t weights = options.weights ? options.weights->numel() : tasks_;
  work.losses_count = options.losses ? options.losses->numel() : weights;
  MTLBENCH_CHECK_VALUE(tasks_ == 1 || options.combined || weights == tasks_, kName,
                       ": expected one weight for each of the ", tasks_, " lists of gradients, got ", weights);
  work.losses = number(options.losses, "losses", options.weights ? weights : work.losses_count);
  work.weights = number(options.weights, "weights", weights);
  work.weigh_gradients = !options.combined && weights == tasks_;
  if (options.losses) work.total = static_cast<float*>(total.mutable_data_ptr());
  work.lr = options.lr;
  work.beta1 = options.beta1;
  work.beta2 = options.beta2;
  work.eps = options.eps;
  work.weight_decay = options.weight_decay;
  work.lr_on_device = number(options.lr_tensor, "lr", 1);
  work.grad_scale = number(options.grad_scale, "grad_scale", 1);
  work.found_inf = number(options.found_inf, "found_inf", 1);
  work.decoupled = options.decoupled;
  work.maximize = options.maximize;
  work.bias_correction = options.bias_correction;
  if constexpr (place == Place::Cpu) cpu::weighted_adam(work);
#if MTLBENCH_CUDA
  if constexpr (place == Place::Cuda) cuda::weighted_adam(work, site.stream());
#endif
#if MTLBENCH_EMULATOR
  if constexpr (place == Place::Emulated) emulated::weighted_adam(work, site.stream());
#endif
  for (const Copy& copy : write_back_) copy.original.copy_(copy.dense);
}

template void AdamTable::run<Place::Cpu>(const AdamOptions&, at::Tensor);
#if MTLBENCH_CUDA
template void AdamTable::run<Place::Cuda>(const AdamOptions&, at::Tensor);
#endif
#if MTLBENCH_EMULATOR
template void AdamTable::run<Place::Emulated>(const AdamOptions&, at::Tensor);
#endif

}  // namespace mtlbench
