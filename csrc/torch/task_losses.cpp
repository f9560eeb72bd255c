// mtlbench::task_losses: all task losses, their weighted total, and in the same pass the gradients of the outputs.
//
//   task_losses            what users call: differentiable in outputs and weights
//   task_losses_forward    the losses, with G_t (see math/task_losses.h) for the tasks that want it
//   task_losses_backward   what G_t becomes once d(loss)/d(total) and d(loss)/d(L_t) are known
//
// The passes are in torch/task_losses_passes.cpp; here autograd joins them. In eager backward passes that do not keep
// the graph, G_t is returned as it is, or scaled in place: it was written for this purpose and has no other owner.
#include "torch/task_losses.h"

#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/ops/mul.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/graph_task.h>

#include "torch/operation.h"
#include "torch/task_losses_passes.h"

namespace mtlbench {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The operations of CPU and CUDA tensors, or those that run CUDA kernels on the host.
template <bool emulated>
struct Operations {
  static constexpr Place kPlace = emulated ? Place::Emulated : Place::Cpu;

  static const auto& forward() {
    static const auto operation =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow(emulated ? "mtlbench_emulated::task_losses_forward" : "mtlbench::task_losses_forward",
                               "")
            .typed<decltype(task_losses_forward<kPlace>)>();
    return operation;
  }
  static const auto& backward() {
    static const auto operation =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow(emulated ? "mtlbench_emulated::task_losses_backward" : "mtlbench::task_losses_backward",
                               "")
            .typed<decltype(task_losses_backward<kPlace>)>();
    return operation;
  }
};

// Everything that is not differentiated, in one argument, so that autograd inspects no more than it must.
struct Constants {
  at::TensorList targets;
  at::IntArrayRef kinds;
  const Masks& masks;
  at::ArrayRef<double> betas;
  bool mean;
  int64_t ignore_index;
  double label_smoothing;
};

template <bool emulated>
auto forward(at::TensorList outputs, const std::optional<at::Tensor>& weights, const Constants& constants,
             at::IntArrayRef differentiated) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  return Operations<emulated>::forward().call(outputs, constants.targets, constants.kinds, weights, constants.masks,
                                              constants.betas, constants.mean, constants.ignore_index,
                                              constants.label_smoothing, differentiated);
}

// Tensors with data of their own, outside any tracing.
bool is_plain(const at::Tensor& tensor) {
  return !at::isTensorSubclassLike(tensor);
}

template <bool emulated>
struct TaskLossesFunction : torch::autograd::Function<TaskLossesFunction<emulated>> {
  // saved: losses (where weights need a gradient), reciprocals, weights, then the gradients.
  static constexpr size_t kGradients = 3;

  static variable_list forward(AutogradContext* ctx, at::TensorList outputs, const std::optional<at::Tensor>& weights,
                               const Constants& constants) {
    c10::SmallVector<int64_t, 32> differentiated;
    for (const at::Tensor& output : outputs) differentiated.push_back(output.requires_grad() ? 1 : 0);
    auto [total, losses, reciprocals, gradients] =
        mtlbench::forward<emulated>(outputs, weights, constants, {differentiated.data(), differentiated.size()});
    const bool weighs = weights && weights->requires_grad();
    variable_list saved{weighs ? losses : at::Tensor(), reciprocals, weights.value_or(at::Tensor())};
    saved.insert(saved.end(), std::make_move_iterator(gradients.begin()), std::make_move_iterator(gradients.end()));
    ctx->save_for_backward(std::move(saved));
    ctx->set_materialize_grads(false);
    return {total, losses};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& incoming) {
    TORCH_CHECK_NOT_IMPLEMENTED(
        !at::GradMode::is_enabled(),
        "task_losses: second derivatives are not implemented (create_graph=True); expected the torch "
        "losses, for instance torch.nn.functional.cross_entropy, where they are needed");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &of_total = incoming[0], &of_losses = incoming[1];
    const size_t count = saved.size() - kGradients;
    variable_list result(count + 2);  // outputs, weights, constants
    if (!of_total.defined() && !of_losses.defined()) return result;

    variable_list gradients(saved.begin() + kGradients, saved.end());
    gradients = scaled(of_total, of_losses, saved[2], saved[1], std::move(gradients));
    for (size_t t = 0; t < count; ++t) {
      if (ctx->needs_input_grad(t)) result[t] = std::move(gradients[t]);
    }
    if (saved[0].defined() && of_total.defined()) {
      result[count] = at::mul(saved[0], of_total).to(saved[2].scalar_type());
    }
    return result;
  }

  static variable_list scaled(const at::Tensor& of_total, const at::Tensor& of_losses, const at::Tensor& weights,
                              const at::Tensor& reciprocals, variable_list gradients) {
    const auto optional = [](const at::Tensor& tensor) {
      return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
    };
    const bool own = is_plain(reciprocals) && !torch::autograd::get_current_graph_task_keep_graph();
    if (own && (reciprocals.is_cpu() || (MTLBENCH_CUDA != 0 && reciprocals.is_cuda()))) {
      const Place place = reciprocals.is_cpu() ? Operations<emulated>::kPlace : Place::Cuda;
      task_losses_backward_in_place(place, optional(of_total), optional(of_losses), optional(weights), reciprocals,
                                    gradients);
      return gradients;
    }
    return Operations<emulated>::backward().call(optional(of_total), optional(of_losses), optional(weights),
                                                 reciprocals, gradients);
  }
};

bool is_differentiated(at::TensorList outputs, const std::optional<at::Tensor>& weights) {
  if (!at::GradMode::is_enabled()) return false;
  const auto requires_grad = [](const at::Tensor& tensor) { return tensor.requires_grad(); };
  return (weights && weights->requires_grad()) || std::any_of(outputs.begin(), outputs.end(), requires_grad);
}

template <bool emulated>
std::tuple<at::Tensor, at::Tensor> without_gradients(at::TensorList outputs, at::TensorList targets,
                                                     at::IntArrayRef kinds, const std::optional<at::Tensor>& weights,
                                                     const Masks& masks, at::ArrayRef<double> betas, bool mean,
                                                     int64_t ignore_index, double label_smoothing) {
  const std::vector<int64_t> none(outputs.size(), 0);
  auto results =
      forward<emulated>(outputs, weights, {targets, kinds, masks, betas, mean, ignore_index, label_smoothing}, none);
  return {std::move(std::get<0>(results)), std::move(std::get<1>(results))};
}

template <bool emulated>
std::tuple<at::Tensor, at::Tensor> with_gradients(at::TensorList outputs, at::TensorList targets, at::IntArrayRef kinds,
                                                  const std::optional<at::Tensor>& weights, const Masks& masks,
                                                  at::ArrayRef<double> betas, bool mean, int64_t ignore_index,
                                                  double label_smoothing) {
  if (!is_differentiated(outputs, weights)) {
    return without_gradients<emulated>(outputs, targets, kinds, weights, masks, betas, mean, ignore_index,
                                       label_smoothing);
  }
  const Constants constants{targets, kinds, masks, betas, mean, ignore_index, label_smoothing};
  variable_list results = TaskLossesFunction<emulated>::apply(outputs, weights, constants);
  return {std::move(results[0]), std::move(results[1])};
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> task_losses(at::TensorList outputs, at::TensorList targets, at::IntArrayRef kinds,
                                               const std::optional<at::Tensor>& weights, const Masks& masks,
                                               at::ArrayRef<double> betas, bool mean, int64_t ignore_index,
                                               double label_smoothing) {
  static const auto operation =
      c10::Dispatcher::singleton().findSchemaOrThrow("mtlbench::task_losses", "").typed<decltype(task_losses)>();
  return operation.call(outputs, targets, kinds, weights, masks, betas, mean, ignore_index, label_smoothing);
}

namespace {

constexpr const char* kSchema =
    "task_losses(Tensor[] outputs, Tensor[] targets, int[] kinds, Tensor? weights, Tensor?[] masks, float[] betas, "
    "bool mean, int ignore_index, float label_smoothing) -> (Tensor total, Tensor losses)";

}  // namespace

TORCH_LIBRARY_FRAGMENT(mtlbench, m) {
  m.def(kSchema);
}
TORCH_LIBRARY_IMPL(mtlbench, Autograd, m) {
  m.impl("task_losses", &with_gradients<false>);
}
TORCH_LIBRARY_IMPL(mtlbench, CompositeExplicitAutograd, m) {
  m.impl("task_losses", &without_gradients<false>);
}
#if MTLBENCH_EMULATOR
TORCH_LIBRARY_FRAGMENT(mtlbench_emulated, m) {
  m.def(kSchema);
}
TORCH_LIBRARY_IMPL(mtlbench_emulated, Autograd, m) {
  m.impl("task_losses", &with_gradients<true>);
}
TORCH_LIBRARY_IMPL(mtlbench_emulated, CompositeExplicitAutograd, m) {
  m.impl("task_losses", &without_gradients<true>);
}
#endif

}  // namespace mtlbench
