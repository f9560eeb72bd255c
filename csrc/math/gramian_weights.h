// Task weights lambda [T] from a Gramian G [T, T] of the task gradients, by the method that a weighting is named for.
//
// One problem has T unknowns and T^2 numbers, all in double. A problem with an entry that is not finite has weights
// NaN.
#pragma once

#include <iterator>

#include "math/solvers/balance.h"
#include "math/solvers/ball.h"
#include "math/solvers/descent.h"
#include "math/solvers/surgery.h"

namespace mtlbench {

enum class Solver : int32_t { Mgda, CaGrad, UpGrad, DualProj, PcGrad, GradVac, FairGrad, ImtlG, Config, AlignedMtl };

// In the order of Solver.
constexpr const char* kSolverNames[] = {"mgda",    "cagrad",   "upgrad", "dualproj", "pcgrad",
                                        "gradvac", "fairgrad", "imtl_g", "config",   "aligned_mtl"};

// One call: N problems of T tasks.
struct GramianWeights {
  DType dtype = DType::Float64;  // of G: Float32 or Float64
  Solver solver = Solver::Mgda;
  double parameter = 0;  // c, regularization, alpha, beta, or which of CommonLength; 0 where the method has none
  double rounding = 0;   // the share of G's largest eigenvalue below which eigenvalues are rounding error
  int64_t problems = 0;
  int32_t tasks = 0;
  const void* gramian = nullptr;  // [N][T][T]
  const float* draws = nullptr;   // [N][T][T], random orders (surgery alone)
  double* targets = nullptr;      // [N][T][T], target cosines, which are updated (GradVac alone)
  double* weights = nullptr;      // [N][T]
  double* memory = nullptr;       // N or more times memory_of_problem(T)
};

namespace solvers {

template <class Team>
MTLBENCH_CALL bool load_problem(const Team team, const GramianWeights& work, const Problem& p, int64_t entry) {
  if (work.dtype == DType::Float32) return load(team, p, static_cast<const float*>(work.gramian) + entry);
  return load(team, p, static_cast<const double*>(work.gramian) + entry);
}

// Problem `index` of a call, in `memory`, which no other team uses. One function a method: a compiler's time grows
// faster than a function.
template <Solver solver, class Team>
MTLBENCH_CALL void solve_problem(const Team team, const GramianWeights& work, int64_t index, double* memory) {
  const int n = work.tasks;
  const int64_t entry = index * n * n;
  double* weights = work.weights + index * n;
  Problem p = problem_in(memory, n, work.rounding);
  if (!load_problem(team, work, p, entry)) {
    for (int t = team.rank; t < n; t += team.size) weights[t] = kNaN;
    return;
  }
  if constexpr (solver == Solver::Mgda) shortest(team, p, weights);
  if constexpr (solver == Solver::CaGrad) conflict_averse(team, p, work.parameter, weights);
  if constexpr (solver == Solver::UpGrad) project_each(team, p, work.parameter, weights);
  if constexpr (solver == Solver::DualProj) project_mean(team, p, work.parameter, weights);
  if constexpr (solver == Solver::PcGrad) operate(team, p, work.draws + entry, Projection{}, weights);
  if constexpr (solver == Solver::GradVac) {
    operate(team, p, work.draws + entry, Vaccine{work.parameter, work.targets + entry}, weights);
  }
  if constexpr (solver == Solver::FairGrad) alpha_fair(team, p, work.parameter, weights);
  if constexpr (solver == Solver::ImtlG) impartial_gradients(team, p, weights);
  if constexpr (solver == Solver::Config) equal_cosines(team, p, weights);
  if constexpr (solver == Solver::AlignedMtl) {
    align(team, p, static_cast<CommonLength>(static_cast<int>(work.parameter)), weights);
  }
}

// Calls run.template operator()<solver>() for the solver of a call.
template <int first = 0, class Run>
void for_solver(Solver solver, const Run& run) {
  if constexpr (first < static_cast<int>(std::size(kSolverNames))) {
    constexpr auto this_one = static_cast<Solver>(first);
    if (solver == this_one) return run.template operator()<this_one>();
    for_solver<first + 1>(solver, run);
  }
}

}  // namespace solvers
}  // namespace mtlbench
