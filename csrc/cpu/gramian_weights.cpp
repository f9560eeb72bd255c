// Task weights from Gramians, one thread a problem (formulas: math/gramian_weights.h, math/solvers/).
#include "cpu/gramian_weights.h"

#include "cpu/dispatch.h"
#include "cpu/parallel.h"

namespace mtlbench::cpu {
namespace {

template <Solver solver>
MTLBENCH_FN void solve_all(const GramianWeights& work, int64_t first, int64_t last) {
  for (int64_t i = first; i < last; ++i) {
    double* memory = work.memory + i * solvers::memory_of_problem(work.tasks);
    solvers::solve_problem<solver>(solvers::Alone{}, work, i, memory);
  }
}

// `flatten`: what solvers call takes the instruction set as well, although it need not be inlined elsewhere.
template <Solver solver>
__attribute__((flatten)) void solve_baseline(const GramianWeights& work, int64_t first, int64_t last) {
  solve_all<solver>(work, first, last);
}

template <Solver solver>
__attribute__((flatten)) MTLBENCH_TARGET_AVX2 void solve_avx2(const GramianWeights& work, int64_t first, int64_t last) {
  solve_all<solver>(work, first, last);
}

}  // namespace

// Vectors of four at most: T numbers fill few longer ones.
void gramian_weights(const GramianWeights& work) {
  solvers::for_solver(work.solver, [&]<Solver solver>() {
    parallel(work.problems, 1, [&](int64_t first, int64_t last) {
      isa() == Isa::Baseline ? solve_baseline<solver>(work, first, last) : solve_avx2<solver>(work, first, last);
    });
  });
}

}  // namespace mtlbench::cpu
