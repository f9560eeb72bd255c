// mtlbench::task_losses: all task losses, their weighted total, and in the same pass the gradients of the outputs.
//
//   task_losses            what users call: differentiable in outputs and weights
//   task_losses_forward    the losses, with G_t (see math/task_losses.h) for the tasks that want it
//   task_losses_backward   what G_t becomes once d(loss)/d(total) and d(loss)/d(L_t) are known
//
// In eager backward passes that do not keep the graph, G_t is handed out as it is, or scaled in place: it was written
// for this moment and nobody else holds it.
#include "cpu/task_losses.h"

#include <ATen/EmptyTensor.h>
#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/graph_task.h>

#include "cuda/task_losses.h"
#include "torch/checks.h"
#include "torch/loss_table.h"
#include "torch/operation.h"
#include "torch/task_losses.h"

namespace mtlbench {
namespace {

constexpr const char* kName = "task_losses";

// Without the way through the dispatcher, which costs more than a small loss.
template <Place place>
at::Tensor new_tensor(at::IntArrayRef sizes, c10::ScalarType dtype, c10::Device device) {
  if constexpr (place == Place::Cuda) return at::empty(sizes, at::TensorOptions().dtype(dtype).device(device));
  return at::detail::empty_cpu(sizes, dtype);
}

template <Place place>
void run(TaskLosses& work, [[maybe_unused]] const LossTable& table, [[maybe_unused]] const Site<place>& site) {
  if constexpr (place == Place::Cpu) {
    const LabelError error = cpu::task_losses(work);
    if (error.task >= 0) raise_label_error(kName, table, error);
  }
  at::Tensor workspace;
#if MTLBENCH_CUDA
  if constexpr (place == Place::Cuda) {
    workspace = new_tensor<place>({cuda::task_losses_workspace(work.count)}, at::kByte, table.device());
    work.workspace = workspace.mutable_data_ptr();
    cuda::task_losses(work, site.stream());
  }
#endif
#if MTLBENCH_EMULATOR
  if constexpr (place == Place::Emulated) {
    workspace = new_tensor<place>({emulated::task_losses_workspace(work.count)}, at::kByte, table.device());
    work.workspace = workspace.mutable_data_ptr();
    emulated::task_losses(work, site.stream());
  }
#endif
}

template <Place place>
void run(const TaskGradients& work, [[maybe_unused]] const Site<place>& site) {
  if constexpr (place == Place::Cpu) cpu::task_gradients(work);
#if MTLBENCH_CUDA
  if constexpr (place == Place::Cuda) cuda::task_gradients(work, site.stream());
#endif
#if MTLBENCH_EMULATOR
  if constexpr (place == Place::Emulated) emulated::task_gradients(work, site.stream());
#endif
}

}  // namespace

// --- Forward ----------------------------------------------------------------------------------------------------

template <Place place>
std::tuple<at::Tensor, at::Tensor, at::Tensor, std::vector<at::Tensor>> task_losses_forward(
    at::TensorList outputs, at::TensorList targets, at::IntArrayRef kinds, const std::optional<at::Tensor>& weights,
    const Masks& masks, at::ArrayRef<double> betas, bool mean, int64_t ignore_index, double label_smoothing,
    at::IntArrayRef differentiated) {
  LossTable table(kName, {outputs, targets, masks, kinds, betas, weights});
  const auto count = static_cast<int64_t>(outputs.size());
  const Site<place> site(table.device());
  at::Tensor total = new_tensor<place>({}, table.result_type(), table.device());
  at::Tensor losses = new_tensor<place>({count}, table.result_type(), table.device());
  at::Tensor reciprocals = new_tensor<place>({count}, table.result_type(), table.device());
  std::vector<at::Tensor> gradients;
  gradients.reserve(count);
  for (int64_t t = 0; t < count; ++t) {
    gradients.push_back(differentiated[t] != 0 ? table.make_gradient(t)
                                               : new_tensor<place>({0}, outputs[t].scalar_type(), table.device()));
  }
  TaskLosses work;
  work.tasks = table.tasks().data();
  work.count = count;
  work.mean = mean;
  work.label_smoothing = label_smoothing;
  work.ignore_index = ignore_index;
  work.dtype = table.result_type() == at::kDouble ? DType::Float64 : DType::Float32;
  work.weights = table.weights();
  work.total = total.mutable_data_ptr();
  work.losses = losses.mutable_data_ptr();
  work.reciprocals = reciprocals.mutable_data_ptr();
  run<place>(work, table, site);
  return {std::move(total), std::move(losses), std::move(reciprocals), std::move(gradients)};
}

// --- Backward ---------------------------------------------------------------------------------------------------

namespace {

const void* data_of(const std::optional<at::Tensor>& tensor, c10::ScalarType dtype, at::Tensor& kept) {
  if (!tensor || !tensor->defined()) return nullptr;
  kept = tensor->to(dtype).contiguous();
  return kept.const_data_ptr();
}

// Writes to `out` what remains to be done to `in`; the two may be the same tensors.
template <Place place>
void remaining(const std::optional<at::Tensor>& of_total, const std::optional<at::Tensor>& of_losses,
               const std::optional<at::Tensor>& weights, const at::Tensor& reciprocals, at::TensorList in,
               at::TensorList out) {
  const Site<place> site(reciprocals.device());
  const c10::ScalarType dtype = reciprocals.scalar_type();
  std::vector<TaskGradient> tasks(in.size());
  for (size_t t = 0; t < in.size(); ++t) {
    tasks[t] = {in[t].const_data_ptr(), out[t].mutable_data_ptr(), in[t].numel(),
                dtype_of(in[t].scalar_type(), kName, "gradients")};
  }
  at::Tensor kept[3];
  TaskGradients work;
  work.tasks = tasks.data();
  work.count = static_cast<int64_t>(tasks.size());
  work.dtype = dtype == at::kDouble ? DType::Float64 : DType::Float32;
  work.weights = data_of(weights, dtype, kept[0]);
  work.reciprocals = reciprocals.const_data_ptr();
  work.of_total = data_of(of_total, dtype, kept[1]);
  work.of_losses = data_of(of_losses, dtype, kept[2]);
  run<place>(work, site);
}

}  // namespace

template <Place place>
std::vector<at::Tensor> task_losses_backward(const std::optional<at::Tensor>& of_total,
                                             const std::optional<at::Tensor>& of_losses,
                                             const std::optional<at::Tensor>& weights, const at::Tensor& reciprocals,
                                             at::TensorList gradients) {
  std::vector<at::Tensor> out;
  out.reserve(gradients.size());
  for (const at::Tensor& gradient : gradients) out.push_back(at::empty_like(gradient));
  remaining<place>(of_total, of_losses, weights, reciprocals, gradients, out);
  return out;
}

MTLBENCH_OPERATION(task_losses_forward,
                   "(Tensor[] outputs, Tensor[] targets, int[] kinds, Tensor? weights, Tensor?[] masks, "
                   "float[] betas, bool mean, int ignore_index, float label_smoothing, int[] differentiated) "
                   "-> (Tensor total, Tensor losses, Tensor reciprocals, Tensor[] gradients)")
MTLBENCH_OPERATION(task_losses_backward,
                   "(Tensor? of_total, Tensor? of_losses, Tensor? weights, Tensor reciprocals, Tensor[] gradients) "
                   "-> Tensor[]")

// --- Autograd ---------------------------------------------------------------------------------------------------

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

// What is not differentiated; one argument, so that autograd looks at no more than it must.
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
  // saved: losses (where weights want their gradient), reciprocals, weights, then the gradients.
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
    TORCH_CHECK_NOT_IMPLEMENTED(!at::GradMode::is_enabled(), kName,
                                ": second derivatives are not implemented (create_graph=True); expected the torch "
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
    if (own && reciprocals.is_cpu()) {
      remaining<Operations<emulated>::kPlace>(optional(of_total), optional(of_losses), optional(weights), reciprocals,
                                              gradients, gradients);
      return gradients;
    }
#if MTLBENCH_CUDA
    if (own && reciprocals.is_cuda()) {
      remaining<Place::Cuda>(optional(of_total), optional(of_losses), optional(weights), reciprocals, gradients,
                             gradients);
      return gradients;
    }
#endif
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
