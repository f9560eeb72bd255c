// What the blocks of a launch of task_losses work on: the table of its tasks, the workspace, and who owns which tiles.
#pragma once

#include "cuda/tensor_table.h"
#include "math/task_losses.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr unsigned kMostBlocks = 4096;  // for which the workspace has room

template <size_t Bytes>
struct LossTable {
  static constexpr size_t kCapacity = (Bytes - kHeadBytes) / (sizeof(TaskLoss) + sizeof(uint32_t));
  uint32_t tensors;  // tasks of this launch
  uint32_t tiles;
  int64_t first;  // the number of its first task among those of the call
  uint32_t ends_[kCapacity];
  TaskLoss tasks[kCapacity];

  MTLBENCH_FN const uint32_t* ends() const { return ends_; }
  MTLBENCH_FN uint32_t first_tile(int t) const { return t == 0 ? 0u : ends_[t - 1]; }
};

// What lies in the workspace; [T] counts the tasks of a call, [B] blocks.
struct LossWorkspace {
  double* sums;     // [T + B]
  int64_t* known;   // [T + B]: labelled positions
  double* factors;  // [T]: r_t
  double* total;    // []: of the launches so far
};

inline LossWorkspace lay_out(void* memory, int64_t tasks) {
  auto* numbers = static_cast<double*>(memory);
  const int64_t places = tasks + kMostBlocks;
  return {numbers, reinterpret_cast<int64_t*>(numbers + places), numbers + 2 * places, numbers + 2 * places + tasks};
}

// The blocks whose shares hold tiles of task t: [first, last).
struct Blocks {
  uint32_t first;
  uint32_t last;
};
template <class Table>
__device__ Blocks blocks_of(const Table& table, uint32_t t) {
  const uint64_t begin = table.first_tile(static_cast<int>(t)), end = table.ends()[t];
  if (begin == end) return {0, 0};
  // Block b has tiles from tiles b / blocks on: the last block that starts at or before a tile owns it.
  const auto owner = [&](uint64_t tile) {
    return static_cast<uint32_t>(((tile + 1) * gridDim.x + table.tiles - 1) / table.tiles - 1);
  };
  return {owner(begin), owner(end - 1) + 1};
}

}  // namespace mtlbench::MTLBENCH_DEVICE
