// Task weights from Gramians, one warp a problem (formulas: math/gramian_weights.h, math/solvers/).
//
// A problem is a chain of short loops over T or T^2 numbers with a wait between them, which a warp does at the least
// cost; what it works in stays in the first-level cache.
#include <algorithm>

#include "cuda/device.h"
#include "cuda/gramian_weights.h"

namespace mtlbench::MTLBENCH_DEVICE {
namespace {

constexpr unsigned kThreads = 32;
constexpr int64_t kMostBlocks = 65536;

// All lanes of the one warp of a block.
struct Warp {
  int rank;
  static constexpr int size = kThreads;
  __device__ void sync() const { __syncthreads(); }
};

template <Solver solver>
__global__ void __launch_bounds__(kThreads, 1) gramian_weights_kernel(const __grid_constant__ GramianWeights work) {
  const Warp warp{static_cast<int>(threadIdx.x)};
  for (int64_t i = blockIdx.x; i < work.problems; i += gridDim.x) {
    solvers::solve_problem<solver>(warp, work, i, work.memory + i * solvers::memory_of_problem(work.tasks));
    warp.sync();
  }
}

}  // namespace

void gramian_weights(const GramianWeights& work, void* stream) {
  if (work.problems == 0) return;
  const auto blocks = static_cast<unsigned>(std::min(work.problems, kMostBlocks));
  solvers::for_solver(work.solver, [&]<Solver solver>() {
    launch("gramian_weights", &gramian_weights_kernel<solver>,
           Grid{.blocks = blocks, .threads = kThreads, .stream = stream}, work);
  });
}

}  // namespace mtlbench::MTLBENCH_DEVICE
