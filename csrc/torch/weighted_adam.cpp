// mtlbench::weighted_adam_: total weighted loss, gradient combination and Adam for all parameters in one launch.
#include <ATen/ops/empty.h>

#include "torch/adam_table.h"
#include "torch/checks.h"

namespace mtlbench {
namespace {

constexpr const char* kName = "weighted_adam_";

}  // namespace

template <Place place>
at::Tensor weighted_adam_(at::TensorList params, const c10::List<std::optional<at::Tensor>>& gradients, int64_t tasks,
                          at::TensorList exp_avgs, at::TensorList exp_avg_sqs, at::TensorList max_exp_avg_sqs,
                          at::TensorList steps, const std::optional<at::Tensor>& losses,
                          const std::optional<at::Tensor>& weights, const std::optional<at::Tensor>& lr_tensor,
                          const std::optional<at::Tensor>& grad_scale, const std::optional<at::Tensor>& found_inf,
                          double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled,
                          bool maximize, bool bias_correction) {
  const size_t n = params.size();
  const bool amsgrad = !max_exp_avg_sqs.empty();
  const bool shared_step = steps.size() == 1;
  check_length(exp_avgs.size(), n, kName, "exp_avgs");
  check_length(exp_avg_sqs.size(), n, kName, "exp_avg_sqs");
  if (amsgrad) check_length(max_exp_avg_sqs.size(), n, kName, "max_exp_avg_sqs");
  if (!shared_step) check_length(steps.size(), n, kName, "steps");
  MTLBENCH_CHECK_VALUE(gradients.size() == n * static_cast<size_t>(tasks), kName, ": expected ", tasks,
                       " gradients for each of ", n, " params, got ", gradients.size(), " in all");
  MTLBENCH_CHECK_VALUE(!steps.empty(), kName, ": expected one step, or one for each parameter, got none");
  const auto param_type = n == 0 ? at::kFloat : params[0].scalar_type();
  const auto state_type = n == 0 ? at::kFloat : exp_avgs[0].scalar_type();
  AdamTable table(steps[0].device(), param_type, state_type, tasks, amsgrad, n);
  for (size_t i = 0; i < n; ++i) {
    table.add(params[i], exp_avgs[i], exp_avg_sqs[i], amsgrad ? &max_exp_avg_sqs[i] : nullptr);
    for (int64_t t = 0; t < tasks; ++t) {
      const std::optional<at::Tensor> gradient = gradients.get(static_cast<size_t>(t) * n + i);
      table.gradient(gradient ? &*gradient : nullptr);
    }
    if (!shared_step) table.step(steps[i]);
  }
  if (shared_step) table.shared_step(steps[0]);
  at::Tensor total = at::empty({losses ? 1 : 0}, steps[0].options());
  const AdamOptions options{
      .losses = losses,
      .weights = weights,
      .lr_tensor = lr_tensor,
      .lr = lr,
      .beta1 = beta1,
      .beta2 = beta2,
      .eps = eps,
      .weight_decay = weight_decay,
      .decoupled = decoupled,
      .maximize = maximize,
      .bias_correction = bias_correction,
      .grad_scale = grad_scale,
      .found_inf = found_inf,
  };
  table.run<place>(options, total);
  return losses ? total.reshape({}) : total;
}

MTLBENCH_OPERATION(weighted_adam_,
                   "(Tensor(a!)[] params, Tensor?[] gradients, int tasks, Tensor(b!)[] exp_avgs, "
                   "Tensor(c!)[] exp_avg_sqs, Tensor(d!)[] max_exp_avg_sqs, Tensor(e!)[] steps, Tensor? losses, "
                   "Tensor? weights, Tensor? lr_tensor, Tensor? grad_scale, Tensor? found_inf, float lr, float beta1, "
                   "float beta2, float eps, float weight_decay, bool decoupled, bool maximize, bool bias_correction) "
                   "-> Tensor")

}  // namespace mtlbench
