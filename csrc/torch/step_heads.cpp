// mtlbench::step_heads_: linear heads, their losses, gradients and Adam update in one launch.
#include "cpu/step_heads.h"

#include <ATen/EmptyTensor.h>
#include <ATen/ops/empty.h>

#include "cuda/step_heads.h"
#include "torch/checks.h"
#include "torch/heads_table.h"
#include "torch/loss_table.h"
#include "torch/operation.h"

namespace mtlbench {
namespace {

constexpr const char* kName = "step_heads_";

at::Tensor new_tensor(at::IntArrayRef sizes, c10::ScalarType dtype, c10::Device device) {
  if (device.is_cpu()) return at::detail::empty_cpu(sizes, dtype);
  return at::empty(sizes, at::TensorOptions().dtype(dtype).device(device));
}

// Room for the outputs of each head: [B, C], or [B] where a loss of numbers has one label for each row.
std::vector<at::Tensor> make_outputs(const HeadsTable& heads, at::TensorList targets, at::IntArrayRef kinds) {
  const auto count = static_cast<int64_t>(kinds.size());
  std::vector<at::Tensor> outputs;
  outputs.reserve(count);
  for (int64_t t = 0; t < count; ++t) {
    const int64_t rows = heads.features_of(t).size(0), classes = heads.matrix(t).size(0);
    const bool flat = classes == 1 && targets[t].dim() == 1 && !spans_classes(static_cast<LossKind>(kinds[t]));
    at::DimVector shape{rows};
    if (!flat) shape.push_back(classes);
    outputs.push_back(new_tensor(shape, heads.computed_type(), heads.device()));
  }
  return outputs;
}

template <Place place>
void run(StepHeads& work, [[maybe_unused]] const LossTable& table, [[maybe_unused]] const Site<place>& site) {
  if constexpr (place == Place::Cpu) {
    const LabelError error = cpu::step_heads(work);
    if (error.task >= 0) raise_label_error(kName, table, error);
  }
  at::Tensor workspace;
#if MTLBENCH_CUDA
  if constexpr (place == Place::Cuda) {
    workspace = new_tensor({cuda::step_heads_workspace(work)}, at::kByte, table.device());
    work.losses.workspace = workspace.mutable_data_ptr();
    cuda::step_heads(work, site.stream());
  }
#endif
#if MTLBENCH_EMULATOR
  if constexpr (place == Place::Emulated) {
    workspace = new_tensor({emulated::step_heads_workspace(work)}, at::kByte, table.device());
    work.losses.workspace = workspace.mutable_data_ptr();
    emulated::step_heads(work, site.stream());
  }
#endif
}

}  // namespace

template <Place place>
at::Tensor step_heads_(at::TensorList features, at::TensorList d_features, at::TensorList params,
                       at::IntArrayRef biased, at::TensorList targets, at::IntArrayRef kinds,
                       const std::optional<at::Tensor>& weights, const c10::List<std::optional<at::Tensor>>& masks,
                       at::ArrayRef<double> knees, bool mean, int64_t ignore_index, double label_smoothing,
                       at::TensorList exp_avgs, at::TensorList exp_avg_sqs, at::TensorList max_exp_avg_sqs,
                       at::TensorList steps, const std::optional<at::Tensor>& lr_tensor, double lr, double beta1,
                       double beta2, double eps, double weight_decay, bool decoupled, bool maximize,
                       bool bias_correction) {
  const size_t count = biased.size();
  MTLBENCH_CHECK_VALUE(targets.size() == count && kinds.size() == count, kName, ": expected ", count,
                       " targets and kinds as heads, got ", targets.size(), " targets and ", kinds.size(), " kinds");
  MTLBENCH_CHECK_VALUE(place == Place::Cpu || count <= kMostHeads, kName, ": expected at most ", kMostHeads,
                       " heads on CUDA, got ", count);
  HeadsTable heads({features, d_features, params, biased, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps});
  const std::vector<at::Tensor> outputs = make_outputs(heads, targets, kinds);
  const LossTable table(kName, {outputs, targets, masks, kinds, knees, weights});
  const Site<place> site(table.device());
  at::Tensor losses = new_tensor({static_cast<int64_t>(count)}, table.result_type(), table.device());
  std::vector<TaskLoss> tasks = table.tasks();
  for (size_t t = 0; t < count; ++t) tasks[t].gradients = outputs[t].mutable_data_ptr();

  StepHeads work;
  heads.fill(work, outputs);
  work.losses.tasks = tasks.data();
  work.losses.count = static_cast<int64_t>(count);
  work.losses.mean = mean;
  work.losses.label_smoothing = label_smoothing;
  work.losses.ignore_index = ignore_index;
  work.losses.dtype = table.result_type() == at::kDouble ? DType::Float64 : DType::Float32;
  work.losses.weights = table.weights();
  work.losses.losses = losses.mutable_data_ptr();
  at::Tensor rate;
  if (lr_tensor) {
    MTLBENCH_CHECK_TYPE(lr_tensor->device() == table.device(), kName, ": expected lr on ", table.device(), ", got ",
                        lr_tensor->device());
    MTLBENCH_CHECK_VALUE(lr_tensor->numel() == 1, kName, ": expected lr of one element, got shape ",
                         lr_tensor->sizes());
    rate = lr_tensor->to(at::kFloat);
    work.lr_on_device = static_cast<const float*>(rate.const_data_ptr());
  }
  work.lr = lr;
  work.beta1 = beta1;
  work.beta2 = beta2;
  work.eps = eps;
  work.weight_decay = weight_decay;
  work.decoupled = decoupled;
  work.maximize = maximize;
  work.bias_correction = bias_correction;
  run<place>(work, table, site);
  heads.write_back();
  return losses;
}

MTLBENCH_OPERATION(
    step_heads_,
    "(Tensor[] features, Tensor(f!)[] d_features, Tensor(a!)[] params, int[] biased, "
    "Tensor[] targets, int[] kinds, Tensor? weights, Tensor?[] masks, float[] knees, bool mean, int ignore_index, "
    "float label_smoothing, Tensor(b!)[] exp_avgs, Tensor(c!)[] exp_avg_sqs, "
    "Tensor(d!)[] max_exp_avg_sqs, Tensor(e!)[] steps, Tensor? lr_tensor, float lr, float beta1, "
    "float beta2, float eps, float weight_decay, bool decoupled, bool maximize, bool bias_correction) "
    "-> Tensor")

}  // namespace mtlbench
