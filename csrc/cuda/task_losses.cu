// The losses of all tasks, their weighted total and the gradients of their outputs in one launch (formulas:
// math/losses/, plain data: math/task_losses.h).
//
//   traffic    each output read once from memory (a softmax's second reading comes from the cache), its gradient
//              written once; targets read once, and the labels of masked or indexed tasks twice
//   grid       persistent: every block owns one share of the tiles of all tasks
//   counting   a mean needs the number of labelled positions before its gradient can be written: blocks count their
//              share, meet at a grid barrier, and go on. Without masks and class indices there is no barrier.
//   sums       a block keeps one partial sum for each task it works on, in place t + b: along the shares
//              either the task or the block goes up by one, so places never clash. The block that finishes last adds
//              them in their order.
//
// Nothing waits for the host: a label out of range makes its loss NaN. The tasks travel in the launch's parameters;
// more than fit take more launches.
#include <algorithm>

#include "cuda/block_sums.h"
#include "cuda/grid_barrier.h"
#include "cuda/losses/loss_of_tile.h"
#include "cuda/losses/table.h"
#include "cuda/losses/types.h"
#include "cuda/task_losses.h"
#include "cuda/tensor_table.h"
#include "cuda/ticket.h"

namespace mtlbench::MTLBENCH_DEVICE {
namespace {

// --- Counting -----------------------------------------------------------------------------------------------------

template <class Table>
__device__ void count_known(const TaskLosses& work, const Table& table, const LossWorkspace& space) {
  for_each_share(table, blockIdx.x, gridDim.x, [&](int t, uint32_t first, uint32_t last) {
    const TaskLoss& task = table.tasks[t];
    if (!is_counted(task)) return;
    const int64_t length = tile_positions(task);
    const int64_t end = last * length < task.positions() ? last * length : task.positions();
    int64_t known = 0;
    for (int64_t p = first * length + threadIdx.x; p < end; p += kThreads) {
      known += is_known(task, p, work.ignore_index) ? 1 : 0;
    }
    known = block_sum(known);
    if (threadIdx.x == 0) space.known[t + blockIdx.x] = known;
  });
}

// r_t of all tasks, by one block: one warp per task.
template <class Table>
__device__ void find_reciprocals(const TaskLosses& work, const Table& table, const LossWorkspace& space) {
  for (uint32_t t = threadIdx.x / 32; t < table.tensors; t += kThreads / 32) {
    int64_t known = table.tasks[t].positions();
    if (is_counted(table.tasks[t])) {
      const Blocks blocks = blocks_of(table, t);
      known = 0;
      for (uint32_t b = blocks.first + threadIdx.x % 32; b < blocks.last; b += 32) known += space.known[t + b];
      known = group_sum(known, 32);
    }
    if (threadIdx.x % 32 == 0) space.factors[t] = reciprocal_of(known, work.mean);
  }
}

// --- Losses -------------------------------------------------------------------------------------------------------

__device__ double weight_of(const TaskLosses& work, int64_t task) {
  return number_at(work.weights, work.dtype, task, 1.0);
}

// This block's part of the losses of every task it works on; `counted`: the reciprocals are in the workspace.
template <class Of, class Table>
__device__ void add_losses(const TaskLosses& work, const Table& table, const LossWorkspace& space, bool counted) {
  for_each_share(table, blockIdx.x, gridDim.x, [&](int t, uint32_t first, uint32_t last) {
    const TaskLoss& task = table.tasks[t];
    const volatile double* const factors = space.factors;  // written by another block in this launch
    const double r = counted ? factors[t] : reciprocal_of(task.positions(), work.mean);
    const LossContext context{foreseen_factor(task.dtype, weight_of(work, table.first + t), r), work.label_smoothing,
                              work.ignore_index};
    double sum = 0;
    with_type(Of(), task.dtype, [&](auto type) {
      for (uint32_t tile = first; tile < last; ++tile) sum += loss_of_tile<decltype(type)>(task, context, tile);
    });
    sum = block_sum(sum);
    if (threadIdx.x == 0) space.sums[t + blockIdx.x] = sum;
  });
}

// Losses, reciprocals and total, by the block that finishes last: one warp per task, then one thread for the total.
template <class Table>
__device__ void finish(const TaskLosses& work, const Table& table, const LossWorkspace& space, bool counted) {
  for (uint32_t t = threadIdx.x / 32; t < table.tensors; t += kThreads / 32) {
    const Blocks blocks = blocks_of(table, t);
    double sum = 0;
    for (uint32_t b = blocks.first + threadIdx.x % 32; b < blocks.last; b += 32) sum += space.sums[t + b];
    sum = group_sum(sum, 32);
    if (threadIdx.x % 32 != 0) continue;
    const double r = counted ? space.factors[t] : reciprocal_of(table.tasks[t].positions(), work.mean);
    space.factors[t] = weight_of(work, table.first + t) * (sum * r);  // from here on the terms of the total
    set_number(work.losses, work.dtype, table.first + t, sum * r);
    set_number(work.reciprocals, work.dtype, table.first + t, r);
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  double total = table.first == 0 ? 0.0 : *space.total;
  for (uint32_t t = 0; t < table.tensors; ++t) total += space.factors[t];
  *space.total = total;
  set_number(work.total, work.dtype, 0, total);
}

template <class Of, class Table>
__global__ void __launch_bounds__(kThreads, std::is_same_v<Of, AnyType> ? 2 : 3)
    task_losses_kernel(const __grid_constant__ TaskLosses work, const __grid_constant__ Table table,
                       const __grid_constant__ LossWorkspace space, unsigned ticket, bool counted) {
  if (counted) {
    count_known(work, table, space);
    grid_barrier(ticket, [&] { find_reciprocals(work, table, space); });
  }
  add_losses<Of>(work, table, space, counted);
  if (is_last_block(ticket)) finish(work, table, space, counted);
}

// --- Launch -------------------------------------------------------------------------------------------------------

template <class Of, class Table>
void launch_kernel(const TaskLosses& work, const Table& table, bool counted, void* stream) {
  auto* kernel = &task_losses_kernel<Of, Table>;
  const unsigned most = std::min(kMostBlocks, resident_blocks(kernel, kThreads));
  const unsigned blocks = std::clamp(table.tiles, 1u, most);
  launch("task_losses", kernel,
         Grid{.blocks = blocks, .threads = kThreads, .cooperative = counted && blocks > 1, .stream = stream}, work,
         table, lay_out(work.workspace, work.count), ticket_for(stream), counted);
}

template <size_t Bytes>
void launch_all(const TaskLosses& work, void* stream) {
  using Table = LossTable<Bytes>;
  Table table;
  for (int64_t first = 0; first < work.count; first += table.tensors) {
    table.tensors = static_cast<uint32_t>(std::min<int64_t>(Table::kCapacity, work.count - first));
    table.first = first;
    table.tiles = 0;
    bool counted = false, floats = true, bfloats = true;
    for (uint32_t t = 0; t < table.tensors; ++t) {
      const TaskLoss& task = table.tasks[t] = work.tasks[first + t];
      table.ends_[t] = table.tiles += static_cast<uint32_t>(tiles_of(task.positions(), tile_positions(task)));
      counted = counted || is_counted(task);
      floats = floats && task.dtype == DType::Float32;
      bfloats = bfloats && task.dtype == DType::BFloat16;
    }
    if (floats) {
      launch_kernel<Types<float>>(work, table, counted, stream);
    } else if (bfloats) {
      launch_kernel<Types<BFloat16>>(work, table, counted, stream);
    } else {  // one kernel for all rare cases
      launch_kernel<AnyType>(work, table, counted, stream);
    }
  }
}

}  // namespace

int64_t task_losses_workspace(int64_t tasks) {
  return (2 * (tasks + kMostBlocks) + tasks + 1) * int64_t{sizeof(double)};
}

void task_losses(const TaskLosses& work, void* stream) {
  if (work.count <= static_cast<int64_t>(LossTable<4096>::kCapacity)) {
    launch_all<4096>(work, stream);
  } else {
    launch_all<kParameterBytes>(work, stream);
  }
}

// --- Backward -----------------------------------------------------------------------------------------------------

namespace {

// Cells of a row. The third says which task and type it is, in multiples of 16 so as to look aligned.
enum Cell { kIn, kOut, kTask, kCells };

MTLBENCH_FN uint64_t pack_task(int64_t task, DType dtype) {
  return static_cast<uint64_t>(task) << 16 | static_cast<uint64_t>(dtype) << 4;
}

template <class Stored>
__device__ void scale_tiles(const uint64_t* row, int64_t size, bool aligned, double factor, uint32_t first,
                            uint32_t last) {
  const auto by = static_cast<Computed<Stored>>(factor);
  for (uint32_t tile = first; tile < last; ++tile) {
    const int64_t offset = int64_t{tile} * kTile + threadIdx.x * kVector;
    const int64_t count = size - offset;
    if (count <= 0) break;
    Computed<Stored> x[kVector];
    load(reinterpret_cast<const Stored*>(row[kIn]) + offset, count, aligned, x);
#pragma unroll
    for (int i = 0; i < kVector; ++i) x[i] *= by;
    store(reinterpret_cast<Stored*>(row[kOut]) + offset, count, aligned, x);
  }
}

template <class Table>
__global__ void __launch_bounds__(kThreads)
    task_gradients_kernel(const __grid_constant__ TaskGradients work, const __grid_constant__ Table table) {
  for_each_share(table, blockIdx.x, gridDim.x, [&](int i, uint32_t first, uint32_t last) {
    const uint64_t* row = table.row(i);
    const auto t = static_cast<int64_t>(row[kTask] >> 16);
    const auto dtype = static_cast<DType>(row[kTask] >> 4 & 15u);
    const double factor = remaining_factor(
        dtype, number_at(work.weights, work.dtype, t, 1.0), number_at(work.reciprocals, work.dtype, t, 1.0),
        number_at(work.of_total, work.dtype, 0, 0.0), number_at(work.of_losses, work.dtype, t, 0.0));
    if (factor == 1.0 && row[kIn] == row[kOut]) return;  // as predicted: nothing is read
    with_type(AnyType(), dtype, [&](auto type) {
      scale_tiles<decltype(type)>(row, table.size(i), table.aligned(i), factor, first, last);
    });
  });
}

}  // namespace

void task_gradients(const TaskGradients& work, void* stream) {
  std::vector<int64_t> chosen, sizes;
  for (int64_t t = 0; t < work.count; ++t) {
    sizes.push_back(work.tasks[t].size);
    if (work.tasks[t].size > 0) chosen.push_back(t);
  }
  if (chosen.empty()) return;
  const auto fill = [&](int64_t t, uint64_t* row) {
    row[kIn] = reinterpret_cast<uint64_t>(work.tasks[t].in);
    row[kOut] = reinterpret_cast<uint64_t>(work.tasks[t].out);
    row[kTask] = pack_task(t, work.tasks[t].dtype);
  };
  start_with_tables(chosen, sizes.data(), kCells, fill, [&](const auto& table, bool) {
    auto* kernel = &task_gradients_kernel<std::remove_cvref_t<decltype(table)>>;
    const unsigned blocks = std::clamp(table.tiles, 1u, resident_blocks(kernel, kThreads));
    launch("task_gradients", kernel, Grid{.blocks = blocks, .threads = kThreads, .stream = stream}, work, table);
  });
}

}  // namespace mtlbench::MTLBENCH_DEVICE
