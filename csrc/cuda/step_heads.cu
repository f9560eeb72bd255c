// Linear heads in one cooperative launch (formulas: math/step_heads.h).
//
//   1  outputs X = h W^T + b, by tiles of rows x classes; labelled positions are counted
//   -  barrier: the reciprocals, and with them the factors of the slopes
//   2  losses; X becomes D in place, a tile of rows of one task at a time
//   -  barrier: the losses
//   3  dh = D W, by tiles of rows x width, from the old W
//   -  barrier: Adam's coefficients for each tensor; steps advance
//   4  D^T h by tiles of classes x width, summed over all rows in registers and handed to Adam there
//
// The classes of all heads on the same features are numbered consecutively, so a tile may span many small heads. Tiles
// depend on shapes alone, a block takes every gridDim-th, and sums over tiles are added in their order: the same bits
// on every run and every GPU. Outputs and slopes [B, C] pass through memory (they stay in the second-level cache); the
// gradients of the heads do not.
#include <algorithm>

#include "cuda/grid_barrier.h"
#include "cuda/heads/call.h"
#include "cuda/heads/rows.h"
#include "cuda/heads/update.h"
#include "cuda/step_heads.h"

namespace mtlbench::MTLBENCH_DEVICE {
namespace {

constexpr int64_t kFewHeads = 15;  // for which the smaller table has room

template <class Feature, class Param, class State, class Table>
__global__ void __launch_bounds__(kThreads, 2)
    step_heads_kernel(const __grid_constant__ StepHeads work, const __grid_constant__ Table table,
                      const __grid_constant__ HeadsWorkspace<Computed<Param>> space, unsigned ticket) {
  const HeadsCall<Feature, Param, State, Table> call{work, table, space};
  count_labels(call);
  find_outputs(call);
  grid_barrier(ticket, [&] { find_factors(call); });
  find_slopes(call);
  grid_barrier(ticket, [&] { write_losses(call); });
  find_feature_gradients(call);
  grid_barrier(ticket, [&] { find_coefficients(call); });
  update(call);
}

template <class Feature, class Param, class State, int64_t Capacity>
void launch_with_table(const StepHeads& work, void* stream) {
  HeadsTable<Capacity> table;
  uint32_t outputs = 0, gradients = 0, updates = 0, losses = 0;
  for (int64_t g = 0; g < work.feature_count; ++g) {
    const HeadFeatures& features = table.features[g] = work.features[g];
    table.output_ends[g] = outputs += static_cast<uint32_t>(sides(features.rows) * sides(features.classes));
    table.gradient_ends[g] = gradients += static_cast<uint32_t>(sides(features.rows) * sides(work.width));
    table.update_ends[g] = updates += static_cast<uint32_t>(sides(features.classes) * (sides(work.width) + 1));
  }
  for (int64_t t = 0; t < work.losses.count; ++t) {
    table.heads[t] = work.heads[t];
    const TaskLoss& task = table.tasks[t] = work.losses.tasks[t];
    table.loss_ends[t] = losses += static_cast<uint32_t>(tiles_of(task.positions(), tile_positions(task)));
  }
  auto* kernel = &step_heads_kernel<Feature, Param, State, HeadsTable<Capacity>>;
  const unsigned most = std::max({outputs, gradients, updates, losses, 1u});
  const unsigned blocks = std::min(most, resident_blocks(kernel, kThreads));
  launch("step_heads_", kernel,
         Grid{.blocks = blocks, .threads = kThreads, .cooperative = blocks > 1, .stream = stream}, work, table,
         lay_out<Computed<Param>>(work.losses.workspace, losses, work.losses.count), ticket_for(stream));
}

template <class Feature, class Param, class State>
void launch_for(const StepHeads& work, void* stream) {
  if (work.losses.count <= kFewHeads) {
    launch_with_table<Feature, Param, State, kFewHeads>(work, stream);
  } else {
    launch_with_table<Feature, Param, State, kMostHeads>(work, stream);
  }
}

}  // namespace

int64_t step_heads_workspace(const StepHeads& work) {
  int64_t tiles = 0;
  for (int64_t t = 0; t < work.losses.count; ++t) {
    const TaskLoss& task = work.losses.tasks[t];
    tiles += tiles_of(task.positions(), tile_positions(task));
  }
  return (2 * (tiles + work.losses.count)) * int64_t{sizeof(double)} +
         2 * work.losses.count * int64_t{sizeof(AdamCoefficients<double>)};
}

void step_heads(const StepHeads& work, void* stream) {
  if (work.param_dtype == DType::Float64) return launch_for<double, double, double>(work, stream);
  if (work.feature_dtype == DType::Float32) return launch_for<float, float, float>(work, stream);
  if (work.param_dtype == DType::Float32) return launch_for<BFloat16, float, float>(work, stream);
  launch_for<BFloat16, BFloat16, float>(work, stream);
}

}  // namespace mtlbench::MTLBENCH_DEVICE
