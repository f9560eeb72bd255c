#include "torch/loss_table.h"

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty_like.h>

#include "torch/checks.h"

namespace mtlbench {
namespace {

LossKind kind_of(int64_t code, const at::Tensor& target, const char* operation) {
  constexpr auto kCount = static_cast<int64_t>(std::size(kLossNames));
  MTLBENCH_CHECK_VALUE(code >= 0 && code < kCount, operation, ": expected kinds from 0 to ", kCount - 1, ", got ",
                       code);
  const auto kind = static_cast<LossKind>(code);
  const bool probabilities = kind == LossKind::CrossEntropy && at::isFloatingType(target.scalar_type());
  return probabilities ? LossKind::CrossEntropyOfProbabilities : kind;
}

// Channels-last outputs are rows of classes as they lie in memory.
c10::MemoryFormat format_of(const at::Tensor& output, LossKind kind) {
  if (!spans_classes(kind) || output.is_contiguous()) return c10::MemoryFormat::Contiguous;
  if (output.is_contiguous(c10::MemoryFormat::ChannelsLast)) return c10::MemoryFormat::ChannelsLast;
  if (output.is_contiguous(c10::MemoryFormat::ChannelsLast3d)) return c10::MemoryFormat::ChannelsLast3d;
  return c10::MemoryFormat::Contiguous;
}

at::DimVector label_shape(const at::Tensor& output) {
  at::DimVector shape(output.sizes().begin(), output.sizes().end());
  shape.erase(shape.begin() + 1);
  return shape;
}

}  // namespace

LossTable::LossTable(const char* operation, const LossArguments& arguments) : operation_(operation), device_(at::kCPU) {
  const size_t count = arguments.outputs.size();
  MTLBENCH_CHECK_VALUE(count > 0, operation, ": expected at least one task, got none");
  MTLBENCH_CHECK_VALUE(arguments.targets.size() == count && arguments.kinds.size() == count, operation, ": expected ",
                       count, " targets and kinds as outputs, got ", arguments.targets.size(), " targets and ",
                       arguments.kinds.size(), " kinds");
  MTLBENCH_CHECK_VALUE(arguments.masks.empty() || arguments.masks.size() == count, operation, ": expected ", count,
                       " masks as outputs, got ", arguments.masks.size());
  MTLBENCH_CHECK_VALUE(arguments.betas.size() == 1 || arguments.betas.size() == count, operation,
                       ": expected one beta, or ", count, ", got ", arguments.betas.size());
  device_ = arguments.outputs[0].device();
  outputs_.reserve(count);
  tasks_.reserve(count);
  for (size_t t = 0; t < count; ++t) add(static_cast<int64_t>(t), arguments);
  if (!arguments.weights) return;
  const at::Tensor& weights = *arguments.weights;
  MTLBENCH_CHECK_VALUE(weights.dim() == 1 && weights.size(0) == static_cast<int64_t>(count), operation,
                       ": expected weights of shape [", count, "], got ", weights.sizes());
  MTLBENCH_CHECK_TYPE(weights.device() == device_, operation, ": expected weights on ", device_,
                      " as the outputs, got ", weights.device());
  weights_ = laid_out(weights, result_type_, c10::MemoryFormat::Contiguous).const_data_ptr();
}

void LossTable::add(int64_t t, const LossArguments& arguments) {
  const at::Tensor& output = arguments.outputs[t];
  const at::Tensor& target = arguments.targets[t];
  check_device(output, device_, operation_, "outputs", t);
  check_device(target, device_, operation_, "targets", t);
  TaskLoss task;
  task.dtype = dtype_of(output.scalar_type(), operation_, "outputs");
  task.kind = kind_of(arguments.kinds[t], target, operation_);
  task.beta = arguments.betas[arguments.betas.size() == 1 ? 0 : t];
  const bool classes = spans_classes(task.kind);
  MTLBENCH_CHECK_VALUE(!classes || output.dim() >= 2, operation_, ": expected outputs[", t,
                       "] of shape [N, C, ...], got ", output.sizes());
  MTLBENCH_CHECK_VALUE(!classes || output.size(1) > 0, operation_, ": expected outputs[", t,
                       "] with at least one class, got ", output.sizes());
  if (task.dtype == DType::Float64) result_type_ = at::kDouble;

  const c10::MemoryFormat format = format_of(output, task.kind);
  outputs_.push_back(&laid_out(output, output.scalar_type(), format));
  task.outputs = outputs_.back()->const_data_ptr();
  task.outer = output.numel();
  if (classes) {
    task.classes = output.size(1);
    task.inner = 1;
    for (int64_t i = 2; i < output.dim(); ++i) task.inner *= output.size(i);
    task.outer = output.size(0);
    if (format != c10::MemoryFormat::Contiguous) task.outer *= std::exchange(task.inner, 1);
  }

  if (task.kind == LossKind::CrossEntropy) {
    const at::DimVector shape = label_shape(output);
    MTLBENCH_CHECK_VALUE(target.sizes() == shape, operation_, ": expected targets[", t, "] of shape ",
                         at::IntArrayRef(shape), " (or probabilities of shape ", output.sizes(), "), got ",
                         target.sizes());
    MTLBENCH_CHECK_TYPE(at::isIntegralType(target.scalar_type(), /*includeBool=*/false), operation_,
                        ": expected targets[", t, "] of integers, got ", target.scalar_type());
    task.targets = laid_out(target, at::kLong, c10::MemoryFormat::Contiguous).const_data_ptr();
  } else {
    MTLBENCH_CHECK_VALUE(target.sizes() == output.sizes(), operation_, ": expected targets[", t, "] of shape ",
                         output.sizes(), " as outputs[", t, "], got ", target.sizes());
    MTLBENCH_CHECK_TYPE(!at::isComplexType(target.scalar_type()), operation_, ": expected targets[", t,
                        "] of real numbers, got ", target.scalar_type());
    const c10::ScalarType computed = task.dtype == DType::Float64 ? at::kDouble : at::kFloat;
    task.targets = laid_out(target, computed, format).const_data_ptr();
  }
  if (!arguments.masks.empty()) {
    const std::optional<at::Tensor> mask = arguments.masks.get(t);
    if (mask) add_mask(t, *mask, task);
  }
  tasks_.push_back(task);
}

// A mask has the shape of the labels, or of their first dimensions.
void LossTable::add_mask(int64_t t, const at::Tensor& mask, TaskLoss& task) {
  const at::Tensor& output = *outputs_.back();
  at::DimVector shape(output.sizes().begin(), output.sizes().end());
  if (spans_classes(task.kind)) shape = label_shape(output);
  check_device(mask, device_, operation_, "masks", t);
  MTLBENCH_CHECK_TYPE(mask.scalar_type() == at::kBool, operation_, ": expected masks[", t, "] of dtype bool, got ",
                      mask.scalar_type());
  const size_t dims = static_cast<size_t>(mask.dim());
  MTLBENCH_CHECK_VALUE(dims <= shape.size() && mask.sizes() == at::IntArrayRef(shape).slice(0, dims), operation_,
                       ": expected masks[", t, "] of shape ", at::IntArrayRef(shape),
                       " or of its first dimensions, got ", mask.sizes());
  task.mask = static_cast<const bool*>(laid_out(mask, at::kBool, c10::MemoryFormat::Contiguous).const_data_ptr());
  task.mask_span = mask.numel() == 0 ? 1 : std::max<int64_t>(1, task.positions() / mask.numel());
}

// The tensor itself where it will do; torch's own `to` and `contiguous` cost more than a small loss.
const at::Tensor& LossTable::laid_out(const at::Tensor& tensor, c10::ScalarType dtype, c10::MemoryFormat format) {
  if (tensor.scalar_type() == dtype && tensor.is_contiguous(format)) return tensor;
  copies_.push_back(tensor.to(dtype).contiguous(format));
  return copies_.back();
}

at::Tensor LossTable::make_gradient(int64_t t) {
  const at::Tensor& output = *outputs_[t];
  at::Tensor gradient = output.is_cpu()
                            ? at::detail::empty_strided_cpu(output.sizes(), output.strides(), output.scalar_type())
                            : at::empty_like(output);
  tasks_[t].gradients = gradient.mutable_data_ptr();
  return gradient;
}

void raise_label_error(const char* operation, const LossTable& table, const LabelError& error) {
  const TaskLoss& task = table.tasks()[error.task];
  TORCH_CHECK_INDEX(false, operation, ": expected targets[", error.task, "] with labels from 0 to ", task.classes - 1,
                    " (or ignore_index), got ", error.label, " at element ", error.position);
}

}  // namespace mtlbench
