// Gramian of the task gradients in one launch (formula: math/gramian.h).
//
// Tasks are taken in groups of G <= 8. A block serves one pair of groups (I <= J) and one stretch of the tiles of all
// tensors: a thread keeps the G x G dot products of its elements in registers and reads each gradient once per pair,
// so up to 8 tasks cost 4 T bytes per element, and 16 tasks twice that.
//
//   threads    float, over kFlush tiles at most; then a tree over the warp
//   blocks     double in shared memory, one place for each warp and entry; then one partial sum for each block
//   grid       the block that finishes last adds the partial sums in their order
//
// No atomics on floating-point numbers, so results are bitwise reproducible.
#include "cuda/gramian.h"
#include "cuda/tensor_table.h"
#include "cuda/ticket.h"

namespace mtlbench::MTLBENCH_DEVICE {
namespace {

constexpr int kWarps = kThreads / 32;
constexpr uint32_t kFlush = 32;  // tiles: 128 products are added in float
constexpr int kHelpers = 4;      // threads that add the partial sums of one entry

// What a launch shares beside its table of tensors. Tables after the first add to what the earlier ones found.
struct Sums {
  int tasks;
  int groups;        // ceil(tasks / G)
  double* partials;  // [blocks][G G]
  double* totals;    // [tasks][tasks]: upper triangle so far
  void* gramian;     // [tasks][tasks]
  bool first_table;
};

// Pair k of groups in the order (0,0) (0,1) (1,1) (0,2) …
struct Pair {
  int row, column;
};
__device__ Pair pair_of(int k) {
  int column = 0;
  while (k > column) k -= ++column;
  return {k, column};
}

template <class Number>
__device__ Number warp_sum(Number x) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
  return x;
}

// Adds every thread's dot products to its warp's sums, and sets them to zero.
template <int Entries, class Number>
__device__ void flush(Number (&dots)[Entries], double* of_warp) {
#pragma unroll
  for (int e = 0; e < Entries; ++e) {
    const Number sum = warp_sum(dots[e]);
    if (threadIdx.x % 32 == 0) of_warp[e] += static_cast<double>(sum);
    dots[e] = 0;
  }
}

template <class Stored>
__device__ void load_task(const uint64_t* row, int task, int tasks, int64_t offset, int64_t count, bool aligned,
                          Computed<Stored>* to) {
  const auto* gradient = task < tasks ? reinterpret_cast<const Stored*>(row[task]) : nullptr;
  if (gradient != nullptr) {
    load(gradient + offset, count, aligned, to);
  } else {
#pragma unroll
    for (int i = 0; i < kVector; ++i) to[i] = 0;
  }
}

// dots[r][c] += <g_{I G + r}, g_{J G + c}> over this thread's elements of one tile.
template <int G, class Stored>
__device__ void add_tile(const uint64_t* row, const Pair& pair, int tasks, int64_t offset, int64_t count, bool aligned,
                         Computed<Stored> (&dots)[G * G]) {
  Computed<Stored> a[G][kVector];
#pragma unroll
  for (int r = 0; r < G; ++r) load_task<Stored>(row, pair.row * G + r, tasks, offset, count, aligned, a[r]);
#pragma unroll
  for (int c = 0; c < G; ++c) {
    Computed<Stored> b[kVector];
    if (pair.row == pair.column) {
#pragma unroll
      for (int i = 0; i < kVector; ++i) b[i] = a[c][i];
    } else {
      load_task<Stored>(row, pair.column * G + c, tasks, offset, count, aligned, b);
    }
#pragma unroll
    for (int r = 0; r < G; ++r) {
#pragma unroll
      for (int i = 0; i < kVector; ++i) dots[r * G + c] += a[r][i] * b[i];
    }
  }
}

// The Gramian, both triangles, from the partial sums of all blocks; run by one block.
template <int G, class Number>
__device__ void finish(const Sums& sums, int pairs, int parts) {
  constexpr int kEntries = G * G;
  const int slots = pairs * kEntries * kHelpers;
  const int helper = threadIdx.x % kHelpers;
  for (int first = 0; first < slots; first += kThreads) {  // the same for all threads: they shuffle below
    const int slot = first + threadIdx.x;
    const int k = slot / kHelpers / kEntries;
    const int entry = slot / kHelpers % kEntries;
    double total = 0;
    for (int part = helper; part < parts && slot < slots; part += kHelpers) {
      total += sums.partials[(int64_t{part} * pairs + k) * kEntries + entry];
    }
#pragma unroll
    for (int lanes = kHelpers / 2; lanes > 0; lanes /= 2) total += __shfl_xor_sync(0xffffffffu, total, lanes);
    const Pair pair = pair_of(k);
    const int t = pair.row * G + entry / G;
    const int u = pair.column * G + entry % G;
    if (slot >= slots || helper != 0 || u < t || u >= sums.tasks) continue;
    if (!sums.first_table) total += sums.totals[t * sums.tasks + u];
    sums.totals[t * sums.tasks + u] = total;
    auto* gramian = static_cast<Number*>(sums.gramian);
    gramian[t * sums.tasks + u] = gramian[u * sums.tasks + t] = static_cast<Number>(total);
  }
}

// Grid: parts x pairs; block (part, k) has index part * pairs + k.
template <int G, class Stored, class Table>
__global__ void __launch_bounds__(kThreads, 2)
    gramian_kernel(const __grid_constant__ Sums sums, const __grid_constant__ Table table, unsigned ticket) {
  using Number = Computed<Stored>;
  __shared__ double warp_sums[kWarps][G * G];
  const int pairs = sums.groups * (sums.groups + 1) / 2;
  const int parts = gridDim.x / pairs;
  const Pair pair = pair_of(blockIdx.x % pairs);
  for (int e = threadIdx.x; e < kWarps * G * G; e += kThreads) (&warp_sums[0][0])[e] = 0.0;
  __syncthreads();

  double* of_warp = warp_sums[threadIdx.x / 32];
  Number dots[G * G] = {};
  uint32_t tiles = 0;
  for_each_share(table, blockIdx.x / pairs, parts, [&](int tensor, uint32_t first, uint32_t last) {
    const uint64_t* row = table.row(tensor);
    const bool aligned = table.aligned(tensor);
    for (uint32_t tile = first; tile < last; ++tile) {
      const int64_t offset = int64_t{tile} * kTile + threadIdx.x * kVector;
      const int64_t count = table.size(tensor) - offset;
      if (count > 0) add_tile<G, Stored>(row, pair, sums.tasks, offset, count, aligned, dots);
      if (++tiles % kFlush == 0) flush(dots, of_warp);
    }
  });
  flush(dots, of_warp);
  __syncthreads();
  if (threadIdx.x < G * G) {
    double sum = 0;
    for (int warp = 0; warp < kWarps; ++warp) sum += warp_sums[warp][threadIdx.x];
    sums.partials[int64_t{blockIdx.x} * G * G + threadIdx.x] = sum;
  }
  if (is_last_block(ticket)) finish<G, Number>(sums, pairs, parts);
}

template <int G, class Stored>
void launch_all(const Gramian& work, void* stream) {
  std::vector<int64_t> all(static_cast<size_t>(work.tensors));
  for (int64_t i = 0; i < work.tensors; ++i) all[i] = i;
  const auto fill = [&](int64_t i, uint64_t* row) {
    for (int64_t t = 0; t < work.tasks; ++t) row[t] = reinterpret_cast<uint64_t>(work.gradients[i * work.tasks + t]);
  };
  const int groups = static_cast<int>((work.tasks + G - 1) / G);
  const unsigned pairs = static_cast<unsigned>(groups * (groups + 1) / 2);
  double* totals = work.workspace + kGramianWorkspace;
  Sums sums{static_cast<int>(work.tasks), groups, work.workspace, totals, work.gramian, true};
  const unsigned ticket = ticket_for(stream);
  auto* kernel = &gramian_kernel<G, Stored, TensorTable<kLargeCells>>;
  const auto start = [&](const TensorTable<kLargeCells>& table, bool) {
    const unsigned resident = std::min(resident_blocks(kernel, kThreads), static_cast<unsigned>(kGramianBlocks));
    const unsigned parts = std::max(1u, std::min(resident / pairs, table.tiles));
    launch("gramian", kernel, Grid{.blocks = parts * pairs, .threads = kThreads, .stream = stream}, sums, table,
           ticket);
    sums.first_table = false;
  };
  start_with_tables<kLargeCells>(all, work.sizes, static_cast<size_t>(work.tasks), fill, start);
}

template <class Stored>
void launch_for(const Gramian& work, void* stream) {
  if constexpr (sizeof(Stored) < 8) {
    if (work.tasks <= 2) return launch_all<2, Stored>(work, stream);
    if (work.tasks > 4) return launch_all<8, Stored>(work, stream);
  }
  launch_all<4, Stored>(work, stream);
}

}  // namespace

void gramian(const Gramian& work, void* stream) {
  if (work.dtype == DType::Float32) launch_for<float>(work, stream);
  if (work.dtype == DType::Float64) launch_for<double>(work, stream);
  if (work.dtype == DType::BFloat16) launch_for<BFloat16>(work, stream);
}

}  // namespace mtlbench::MTLBENCH_DEVICE
