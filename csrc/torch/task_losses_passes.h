// The two passes of task_losses as operations of their own, which autograd (torch/task_losses.cpp) calls.
#pragma once

#include "torch/operation.h"
#include "torch/task_losses.h"

namespace mtlbench {

// Returns (total, losses, reciprocals, gradients): G_t (see math/task_losses.h) where differentiated[t] is not 0, else
// an empty tensor.
template <Place place>
std::tuple<at::Tensor, at::Tensor, at::Tensor, std::vector<at::Tensor>> task_losses_forward(
    at::TensorList outputs, at::TensorList targets, at::IntArrayRef kinds, const std::optional<at::Tensor>& weights,
    const Masks& masks, at::ArrayRef<double> betas, bool mean, int64_t ignore_index, double label_smoothing,
    at::IntArrayRef differentiated);

// G_t with its remaining factor, once d(loss)/d(total) and d(loss)/d(L_t) are known.
template <Place place>
std::vector<at::Tensor> task_losses_backward(const std::optional<at::Tensor>& of_total,
                                             const std::optional<at::Tensor>& of_losses,
                                             const std::optional<at::Tensor>& weights, const at::Tensor& reciprocals,
                                             at::TensorList gradients);

// The same in place, past the dispatcher.
void task_losses_backward_in_place(Place place, const std::optional<at::Tensor>& of_total,
                                   const std::optional<at::Tensor>& of_losses, const std::optional<at::Tensor>& weights,
                                   const at::Tensor& reciprocals, at::TensorList gradients);

}  // namespace mtlbench
