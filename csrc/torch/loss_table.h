// The tasks of a call, checked and laid out for the kernels. Shared by the operations that take losses.
#pragma once

#include <ATen/core/Tensor.h>

#include <list>
#include <vector>

#include "math/task_losses.h"

namespace mtlbench {

struct LossArguments {
  at::TensorList outputs;
  at::TensorList targets;
  const c10::List<std::optional<at::Tensor>>& masks;  // empty: every label is known
  at::IntArrayRef kinds;                              // LossKind
  at::ArrayRef<double> betas;                         // one, or one per task
  const std::optional<at::Tensor>& weights;
};

// Points into the arguments, which must outlive it.
class LossTable {
 public:
  // Checks everything but the labels themselves. `operation` begins the messages.
  LossTable(const char* operation, const LossArguments& arguments);

  const std::vector<TaskLoss>& tasks() const { return tasks_; }
  c10::Device device() const { return device_; }
  c10::ScalarType result_type() const { return result_type_; }  // float32, or float64 where an output is
  const void* weights() const { return weights_; }

  // A new tensor for the gradient of task t, in the layout of its outputs.
  at::Tensor make_gradient(int64_t t);

 private:
  void add(int64_t t, const LossArguments& arguments);
  void add_mask(int64_t t, const at::Tensor& mask, TaskLoss& task);
  const at::Tensor& laid_out(const at::Tensor& tensor, c10::ScalarType dtype, c10::MemoryFormat format);

  const char* operation_;
  c10::Device device_;
  c10::ScalarType result_type_ = at::kFloat;
  std::vector<const at::Tensor*> outputs_;  // as given, or copied where they were not contiguous in any format
  std::list<at::Tensor> copies_;
  std::vector<TaskLoss> tasks_;
  const void* weights_ = nullptr;
};

// IndexError for a label out of range.
void raise_label_error(const char* operation, const LossTable& table, const LabelError& error);

}  // namespace mtlbench
