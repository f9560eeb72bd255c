// mtlbench::task_losses, called from C++.
#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

namespace mtlbench {

using Masks = c10::List<std::optional<at::Tensor>>;

// Through the dispatcher. Arguments as in mtlbench/ops/task_losses.py, kinds as LossKind; returns (total, losses).
std::tuple<at::Tensor, at::Tensor> task_losses(at::TensorList outputs, at::TensorList targets, at::IntArrayRef kinds,
                                               const std::optional<at::Tensor>& weights, const Masks& masks,
                                               at::ArrayRef<double> betas, bool mean, int64_t ignore_index,
                                               double label_smoothing);

}  // namespace mtlbench
