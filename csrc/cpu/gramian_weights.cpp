// Task weights from Gramians, one thread a problem (formulas: math/gramian_weights.h, math/solvers/).
//
// For the baseline instruction set alone: T numbers fill few vectors.
#include "cpu/gramian_weights.h"

#include "cpu/parallel.h"

namespace mtlbench::cpu {

void gramian_weights(const GramianWeights& work) {
  solvers::for_solver(work.solver, [&]<Solver solver>() {
    parallel(work.problems, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        double* memory = work.memory + i * solvers::memory_of_problem(work.tasks);
        solvers::solve_problem<solver>(solvers::Alone{}, work, i, memory);
      }
    });
  });
}

}  // namespace mtlbench::cpu
