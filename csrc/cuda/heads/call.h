// One launch of step_heads_: its table of heads, its workspace, and how its blocks share out tiles.
#pragma once

#include "cuda/block_product.h"
#include "math/step_heads.h"

namespace mtlbench::MTLBENCH_DEVICE {

// The heads in the parameters of the launch. Ends count tiles, of each features or of each head, up to this one.
template <int64_t Capacity>
struct HeadsTable {
  Head heads[Capacity];
  TaskLoss tasks[Capacity];
  HeadFeatures features[Capacity];
  uint32_t output_ends[Capacity];
  uint32_t gradient_ends[Capacity];
  uint32_t update_ends[Capacity];
  uint32_t loss_ends[Capacity];
};
static_assert(sizeof(HeadsTable<kMostHeads>) + sizeof(StepHeads) + kHeadBytes - 64 <= kParameterBytes);

template <class Number>
struct HeadsWorkspace {
  double* sums;     // [loss tiles]
  int64_t* known;   // [loss tiles]: labelled positions
  double* factors;  // [heads]: w_t r_t
  double* reciprocals;
  AdamCoefficients<Number>* coefficients;  // [heads][2]: of matrix and bias
};

template <class Number>
HeadsWorkspace<Number> lay_out(void* memory, int64_t tiles, int64_t heads) {
  auto* numbers = static_cast<double*>(memory);
  return {numbers, reinterpret_cast<int64_t*>(numbers + tiles), numbers + 2 * tiles, numbers + 2 * tiles + heads,
          reinterpret_cast<AdamCoefficients<Number>*>(numbers + 2 * (tiles + heads))};
}

// One launch; what its blocks share.
template <class Feature_, class Param_, class State_, class Table>
struct HeadsCall {
  using Feature = Feature_;
  using Param = Param_;
  using State = State_;
  using Number = Computed<Param>;

  const StepHeads& work;
  const Table& table;
  const HeadsWorkspace<Number>& space;

  __device__ int heads() const { return static_cast<int>(work.losses.count); }
  __device__ int feature_count() const { return static_cast<int>(work.feature_count); }
};

MTLBENCH_FN int64_t sides(int64_t size) {
  return tiles_of(size, kSide);
}

// Calls visit(owner, tile of the owner) for this block's tiles.
template <class Visit>
__device__ void for_each_tile(const uint32_t* ends, int owners, const Visit& visit) {
  for (uint32_t tile = blockIdx.x; tile < ends[owners - 1]; tile += gridDim.x) {
    const int owner = tensor_of_tile(ends, owners, tile);
    visit(owner, static_cast<int64_t>(tile - (owner == 0 ? 0u : ends[owner - 1])));
  }
}

}  // namespace mtlbench::MTLBENCH_DEVICE
