#include "torch/heads_table.h"

#include <ATen/MemoryOverlap.h>

#include <algorithm>
#include <string>

#include "torch/checks.h"

namespace mtlbench {
namespace {

constexpr const char* kName = "step_heads_";

bool supports(c10::ScalarType feature, c10::ScalarType param, c10::ScalarType state) {
  if (feature == at::kBFloat16) return (param == at::kBFloat16 || param == at::kFloat) && state == at::kFloat;
  return (feature == at::kFloat || feature == at::kDouble) && param == feature && state == feature;
}

// heads[2][1]: the bias of head 2.
std::string called(const char* name, int64_t t, bool bias) {
  return std::string(name) + "[" + std::to_string(t) + "][" + (bias ? "1" : "0") + "]";
}

}  // namespace

HeadsTable::HeadsTable(const HeadArguments& arguments)
    : device_(at::kCPU),
      feature_type_(at::kFloat),
      param_type_(at::kFloat),
      state_type_(at::kFloat),
      shared_step_(arguments.steps.size() == 1) {
  const size_t count = arguments.biased.size(), tensors = arguments.params.size();
  const auto biases = std::count_if(arguments.biased.begin(), arguments.biased.end(), [](int64_t b) { return b != 0; });
  MTLBENCH_CHECK_VALUE(count > 0, kName, ": expected at least one head, got none");
  MTLBENCH_CHECK_VALUE(tensors == count + static_cast<size_t>(biases), kName, ": expected ", count, " matrices and ",
                       biases, " biases as params, got ", tensors, " tensors");
  check_length(arguments.exp_avgs.size(), tensors, kName, "exp_avgs");
  check_length(arguments.exp_avg_sqs.size(), tensors, kName, "exp_avg_sqs");
  if (!arguments.max_exp_avg_sqs.empty()) {
    check_length(arguments.max_exp_avg_sqs.size(), tensors, kName, "max_exp_avg_sqs");
  }
  if (!shared_step_) check_length(arguments.steps.size(), tensors, kName, "steps");
  MTLBENCH_CHECK_VALUE(arguments.features.size() == 1 || arguments.features.size() == count, kName,
                       ": expected one tensor of features, or one for each of the ", count, " heads, got ",
                       arguments.features.size());
  MTLBENCH_CHECK_VALUE(arguments.d_features.size() == arguments.features.size(), kName, ": expected ",
                       arguments.features.size(), " d_features as features, got ", arguments.d_features.size());
  device_ = arguments.features[0].device();
  feature_type_ = arguments.features[0].scalar_type();
  param_type_ = arguments.params[0].scalar_type();
  state_type_ = arguments.exp_avgs[0].scalar_type();
  MTLBENCH_CHECK_TYPE(supports(feature_type_, param_type_, state_type_), kName,
                      ": expected features, heads and states of one dtype, float32 or float64, or bfloat16 features ",
                      "and heads of bfloat16 or float32 with states of float32, got ", feature_type_, ", ", param_type_,
                      " and ", state_type_);
  for (size_t g = 0; g < arguments.features.size(); ++g) {
    add_features(arguments.features[g], arguments.d_features[g], g);
  }
  heads_.reserve(count);
  size_t k = 0;
  for (size_t t = 0; t < count; ++t) {
    const auto task = static_cast<int64_t>(t);
    heads_.emplace_back();
    add_tensor(arguments, k++, task, false);
    if (arguments.biased[t] != 0) add_tensor(arguments, k++, task, true);
    HeadFeatures& own = laid_features_[laid_features_.size() == 1 ? 0 : t];
    heads_.back().first_class = own.classes;
    own.classes += heads_.back().classes;
    own.last_head = task + 1;
    if (laid_features_.size() > 1) own.first_head = task;
  }
  check_overlap();
}

void HeadsTable::add_features(const at::Tensor& features, const at::Tensor& d_features, size_t place) {
  MTLBENCH_CHECK_VALUE(features.dim() == 2, kName, ": expected features[", place, "] of shape [B, H], got ",
                       features.sizes());
  if (place == 0) width_ = features.size(1);
  MTLBENCH_CHECK_VALUE(features.size(1) == width_, kName, ": expected features[", place, "] of width ", width_,
                       " as the others, got ", features.sizes());
  check_device(features, device_, kName, "features", static_cast<int64_t>(place));
  MTLBENCH_CHECK_TYPE(features.scalar_type() == feature_type_, kName, ": expected features[", place, "] of dtype ",
                      feature_type_, " as the others, got ", features.scalar_type());
  MTLBENCH_CHECK_VALUE(d_features.sizes() == features.sizes() && d_features.is_contiguous() &&
                           d_features.scalar_type() == feature_type_ && d_features.device() == device_,
                       kName, ": expected d_features[", place, "] contiguous, of dtype ", feature_type_, " and shape ",
                       features.sizes(), " as the features, got ", d_features.scalar_type(), " ", d_features.sizes());
  if (features.is_contiguous()) {
    features_.push_back(&features);
  } else {
    features_.push_back(&kept_.emplace_back(features.contiguous()));
  }
  HeadFeatures& laid = laid_features_.emplace_back();
  laid.features = features_.back()->const_data_ptr();
  laid.gradient = d_features.mutable_data_ptr();
  laid.rows = features.size(0);
  const auto* const first = static_cast<const char*>(laid.features);
  if (features.numel() > 0) {
    ranges_.push_back({first, first + features_.back()->nbytes(), false, "features", static_cast<int64_t>(place)});
  }
}

void HeadsTable::check(const at::Tensor& tensor, const char* name, int64_t t, bool bias, at::IntArrayRef shape,
                       c10::ScalarType dtype) const {
  MTLBENCH_CHECK_TYPE(tensor.device() == device_, kName, ": expected ", called(name, t, bias), " on ", device_,
                      " as the features, got ", tensor.device());
  MTLBENCH_CHECK_TYPE(tensor.scalar_type() == dtype, kName, ": expected ", called(name, t, bias), " of dtype ", dtype,
                      ", got ", tensor.scalar_type());
  MTLBENCH_CHECK_VALUE(tensor.sizes() == shape, kName, ": expected ", called(name, t, bias), " of shape ", shape,
                       ", got ", tensor.sizes());
}

void HeadsTable::add_tensor(const HeadArguments& arguments, size_t k, int64_t t, bool bias) {
  const at::Tensor& param = arguments.params[k];
  Head& head = heads_.back();
  if (!bias) {
    MTLBENCH_CHECK_VALUE(param.dim() == 2 && param.size(1) == width_ && param.size(0) > 0, kName, ": expected heads[",
                         t, "][0] of shape [C, ", width_, "], C at least 1, for features [B, ", width_, "], got ",
                         param.sizes());
    head.classes = param.size(0);
    matrices_.push_back(&param);
  }
  at::DimVector shape{head.classes};
  if (!bias) shape.push_back(width_);
  check(param, "heads", t, bias, shape, param_type_);
  HeadTensor& tensor = bias ? head.bias : head.matrix;
  tensor.param = mutated(param, "heads", t, bias, param);
  if (!param.is_inference()) param.unsafeGetTensorImpl()->bump_version();  // autograd may have saved it
  tensor.exp_avg = mutated(arguments.exp_avgs[k], "exp_avgs", t, bias, param);
  tensor.exp_avg_sq = mutated(arguments.exp_avg_sqs[k], "exp_avg_sqs", t, bias, param);
  if (!arguments.max_exp_avg_sqs.empty()) {
    tensor.max_exp_avg_sq = mutated(arguments.max_exp_avg_sqs[k], "max_exp_avg_sqs", t, bias, param);
  }
  const at::Tensor& step = arguments.steps[shared_step_ ? 0 : k];
  MTLBENCH_CHECK_TYPE(step.scalar_type() == at::kFloat && step.device() == device_, kName,
                      ": expected step of dtype float32 on ", device_, ", got ", step.scalar_type(), " on ",
                      step.device());
  MTLBENCH_CHECK_VALUE(step.numel() == 1, kName, ": expected a step of one element, got shape ", step.sizes());
  tensor.step = static_cast<float*>(step.mutable_data_ptr());
}

void* HeadsTable::mutated(const at::Tensor& tensor, const char* name, int64_t t, bool bias, const at::Tensor& param) {
  if (&tensor != &param) check(tensor, name, t, bias, param.sizes(), state_type_);
  if (!tensor.is_contiguous()) {
    at::assert_no_internal_overlap(tensor);
    write_back_.push_back({tensor, tensor.clone(at::MemoryFormat::Contiguous)});
    return write_back_.back().dense.mutable_data_ptr();
  }
  auto* const data = static_cast<char*>(tensor.mutable_data_ptr());
  if (tensor.numel() > 0) ranges_.push_back({data, data + tensor.nbytes(), true, name, t});
  return data;
}

// A tensor that two heads share would need the sum of their gradients.
void HeadsTable::check_overlap() const {
  std::vector<Range> sorted = ranges_;
  std::sort(sorted.begin(), sorted.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  const Range* furthest = nullptr;
  for (const Range& range : sorted) {
    if (furthest != nullptr && range.first < furthest->last) {
      MTLBENCH_CHECK_VALUE(!range.is_written && !furthest->is_written, kName,
                           ": expected heads and states in memory of their own, got ", range.name, "[", range.task,
                           "] that overlaps ", furthest->name, "[", furthest->task, "]");
    }
    if (furthest == nullptr || range.last > furthest->last) furthest = &range;
  }
}

void HeadsTable::fill(StepHeads& work, at::TensorList outputs) {
  for (size_t t = 0; t < heads_.size(); ++t) heads_[t].outputs = outputs[t].mutable_data_ptr();
  work.feature_dtype = dtype_of(feature_type_, kName, "features");
  work.param_dtype = dtype_of(param_type_, kName, "heads");
  work.state_dtype = dtype_of(state_type_, kName, "exp_avgs");
  work.width = width_;
  work.features = laid_features_.data();
  work.feature_count = static_cast<int64_t>(laid_features_.size());
  work.heads = heads_.data();
  work.shared_step = shared_step_;
}

void HeadsTable::write_back() {
  for (const Copy& copy : write_back_) copy.original.copy_(copy.dense);
}

}  // namespace mtlbench
