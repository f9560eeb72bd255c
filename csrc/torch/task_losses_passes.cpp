// The passes of task_losses: checks, memory for the results, and the kernels of each place.
#include "torch/task_losses_passes.h"

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "cpu/task_losses.h"
#include "cuda/task_losses.h"
#include "torch/checks.h"
#include "torch/loss_table.h"

namespace mtlbench {
namespace {

constexpr const char* kName = "task_losses";

// Without a call through the dispatcher, which costs more than a small loss.
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

// Writes `in`, multiplied by its remaining factors, to `out`; the two may be the same tensors.
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

void task_losses_backward_in_place(Place place, const std::optional<at::Tensor>& of_total,
                                   const std::optional<at::Tensor>& of_losses, const std::optional<at::Tensor>& weights,
                                   const at::Tensor& reciprocals, at::TensorList gradients) {
  switch (place) {
    case Place::Cpu:
      return remaining<Place::Cpu>(of_total, of_losses, weights, reciprocals, gradients, gradients);
    case Place::Cuda:
      return remaining<Place::Cuda>(of_total, of_losses, weights, reciprocals, gradients, gradients);
    case Place::Emulated:
      return remaining<Place::Emulated>(of_total, of_losses, weights, reciprocals, gradients, gradients);
  }
}

MTLBENCH_OPERATION(task_losses_forward,
                   "(Tensor[] outputs, Tensor[] targets, int[] kinds, Tensor? weights, Tensor?[] masks, "
                   "float[] betas, bool mean, int ignore_index, float label_smoothing, int[] differentiated) "
                   "-> (Tensor total, Tensor losses, Tensor reciprocals, Tensor[] gradients)")
MTLBENCH_OPERATION(task_losses_backward,
                   "(Tensor? of_total, Tensor? of_losses, Tensor? weights, Tensor reciprocals, Tensor[] gradients) "
                   "-> Tensor[]")

}  // namespace mtlbench
