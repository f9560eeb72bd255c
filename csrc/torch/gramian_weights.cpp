// mtlbench::gramian_weights: from Gramians to task weights in one call.
#include "math/gramian_weights.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <string_view>

#include "cpu/gramian_weights.h"
#include "cuda/gramian_weights.h"
#include "torch/checks.h"
#include "torch/operation.h"

namespace mtlbench {
namespace {

constexpr int64_t kMostTasks = 256;

Solver solver_named(c10::string_view name) {
  constexpr auto count = std::size(kSolverNames);
  for (size_t i = 0; i < count; ++i) {
    if (name == kSolverNames[i]) return static_cast<Solver>(i);
  }
  std::string known;
  for (const char* each : kSolverNames) known += (known.empty() ? "" : ", ") + std::string(each);
  MTLBENCH_CHECK_VALUE(false, "gramian_weights: expected one of the methods ", known, ", got ", name);
}

void check_gramian(const at::Tensor& gramian) {
  const auto type = gramian.scalar_type();
  MTLBENCH_CHECK_TYPE(type == at::kFloat || type == at::kDouble,
                      "gramian_weights: expected gramian of dtype float32 or float64, got ", type);
  MTLBENCH_CHECK_VALUE(gramian.dim() >= 2 && gramian.size(-1) == gramian.size(-2),
                       "gramian_weights: expected gramian of shape [.., T, T], got ", gramian.sizes());
  MTLBENCH_CHECK_VALUE(gramian.size(-1) >= 1 && gramian.size(-1) <= kMostTasks, "gramian_weights: expected 1 to ",
                       kMostTasks, " tasks, got ", gramian.size(-1));
}

// An argument of T x T numbers a problem that some methods have.
void check_matrix(const std::optional<at::Tensor>& matrix, const at::Tensor& gramian, at::ScalarType type,
                  c10::string_view method, const char* argument) {
  MTLBENCH_CHECK_VALUE(matrix.has_value(), "gramian_weights: expected ", argument, " for ", method, ", got none");
  MTLBENCH_CHECK_VALUE(matrix->sizes() == gramian.sizes(), "gramian_weights: expected ", argument, " of shape ",
                       gramian.sizes(), ", got ", matrix->sizes());
  MTLBENCH_CHECK_TYPE(matrix->scalar_type() == type && matrix->device() == gramian.device(),
                      "gramian_weights: expected ", argument, " of dtype ", type, " on ", gramian.device(), ", got ",
                      matrix->scalar_type(), " on ", matrix->device());
  MTLBENCH_CHECK_VALUE(matrix->is_contiguous(), "gramian_weights: expected contiguous ", argument, ", got strides ",
                       matrix->strides());
}

void check_parameter(Solver solver, double parameter) {
  const bool positive = solver == Solver::FairGrad ? parameter > 0 : parameter >= 0;
  MTLBENCH_CHECK_VALUE(positive, "gramian_weights: expected a parameter ",
                       solver == Solver::FairGrad ? "above 0" : "of at least 0", ", got ", parameter);
}

// The rounding of G itself, or of gradients in float32, whose rounding is squared in G.
double rounding_of(at::ScalarType type, int64_t tasks) {
  const double own = type == at::kFloat ? 0x1p-23 : 0x1p-52;
  const double of_gradients = static_cast<double>(tasks) * 0x1p-23;
  return std::max(static_cast<double>(tasks) * own, of_gradients * of_gradients);
}

}  // namespace

template <Place place>
at::Tensor gramian_weights(const at::Tensor& given, c10::string_view method, double parameter,
                           const std::optional<at::Tensor>& draws, const std::optional<at::Tensor>& targets) {
  check_gramian(given);
  GramianWeights work;
  work.solver = solver_named(method);
  check_parameter(work.solver, parameter);
  if (work.solver == Solver::PcGrad || work.solver == Solver::GradVac) {
    check_matrix(draws, given, at::kFloat, method, "draws");
    work.draws = draws->const_data_ptr<float>();
  }
  if (work.solver == Solver::GradVac) {
    check_matrix(targets, given, at::kDouble, method, "targets");
    work.targets = targets->mutable_data_ptr<double>();
  }
  const Site<place> site(given.device());
  const at::Tensor gramian = given.contiguous();
  work.dtype = dtype_of(gramian.scalar_type(), "gramian_weights", "gramian");
  work.parameter = parameter;
  work.tasks = static_cast<int32_t>(gramian.size(-1));
  work.rounding = rounding_of(gramian.scalar_type(), work.tasks);
  work.problems = gramian.numel() / (int64_t{work.tasks} * work.tasks);
  work.gramian = gramian.const_data_ptr();
  const auto options = gramian.options().dtype(at::kDouble);
  at::Tensor weights = at::empty(gramian.sizes().slice(0, gramian.dim() - 1), options);
  const at::Tensor memory = at::empty({work.problems * solvers::memory_of_problem(work.tasks)}, options);
  work.weights = weights.mutable_data_ptr<double>();
  work.memory = memory.mutable_data_ptr<double>();
  if constexpr (place == Place::Cpu) cpu::gramian_weights(work);
#if MTLBENCH_CUDA
  if constexpr (place == Place::Cuda) cuda::gramian_weights(work, site.stream());
#endif
#if MTLBENCH_EMULATOR
  if constexpr (place == Place::Emulated) emulated::gramian_weights(work, site.stream());
#endif
  return weights;
}

MTLBENCH_OPERATION(gramian_weights,
                   "(Tensor gramian, str method, float parameter=0., Tensor? draws=None, Tensor(a!)? targets=None) -> "
                   "Tensor")

}  // namespace mtlbench
