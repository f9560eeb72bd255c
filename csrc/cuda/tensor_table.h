// The tensors of a launch as a table in the kernel's own parameters: no copy to the device, no buffer to keep alive,
// and a CUDA graph that captured the launch holds it by value. A launch takes as many tensors as fit; callers start as
// many launches as their tensors need, the last one marked. Two sizes, for a launch costs more the larger its
// parameters are: 4 KB is enough for some 70 tensors with one task, 32 KB for some 600.
//
//   row     the cells of one tensor: pointers as the kernel defines them, then size and alignment
//   ends    the tiles of all tensors up to this one (see math/tiles.h); 2^32 tiles are 16 TB
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "cuda/device.h"
#include "math/tiles.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr int64_t kThreads = 256;
constexpr int64_t kVector = 4;                 // elements a thread moves at once
constexpr int64_t kTile = kThreads * kVector;  // one vector per thread
constexpr size_t kParameterBytes = 32764;      // CUDA's limit since 12.1, on every GPU since Volta
constexpr size_t kHeadBytes = 256;             // left for the kernel's other parameters
constexpr size_t kSmallCells = (4096 - kHeadBytes) / 8;
constexpr size_t kLargeCells = (kParameterBytes - kHeadBytes) / 8;

template <size_t Cells>
struct TensorTable {
  uint32_t tensors = 0;
  uint32_t row_cells = 0;  // of which the last holds 2 size + (1 if every pointer is 16-byte aligned)
  uint32_t tiles = 0;
  uint32_t first_row = 0;  // in cells; before it lie the ends, two in a cell
  uint64_t cells[Cells];

  MTLBENCH_FN const uint32_t* ends() const { return reinterpret_cast<const uint32_t*>(cells); }
  MTLBENCH_FN const uint64_t* row(int tensor) const { return cells + first_row + size_t(tensor) * row_cells; }
  MTLBENCH_FN int64_t size(int tensor) const { return static_cast<int64_t>(row(tensor)[row_cells - 1] >> 1); }
  MTLBENCH_FN bool aligned(int tensor) const { return (row(tensor)[row_cells - 1] & 1u) != 0; }
  MTLBENCH_FN uint32_t first_tile(int tensor) const { return tensor == 0 ? 0u : ends()[tensor - 1]; }
};
static_assert(sizeof(TensorTable<kLargeCells>) + kHeadBytes - 16 <= kParameterBytes);

// Starts `start(table, is_last)` for the tensors listed in `chosen`, with tables of `Cells`.
// fill(tensor, cells) writes the row's pointers; null pointers do not count against its alignment.
template <size_t Cells, class Fill, class Start>
void start_with_tables(const std::vector<int64_t>& chosen, const int64_t* sizes, size_t pointers, const Fill& fill,
                       const Start& start) {
  const size_t row_cells = pointers + 1;
  const size_t capacity = 2 * Cells / (2 * row_cells + 1) - 1;  // a row and half a cell each, and half for an odd count
  size_t next = 0;
  do {
    TensorTable<Cells> table;
    const size_t count = std::min(capacity, chosen.size() - next);
    table.tensors = static_cast<uint32_t>(count);
    table.row_cells = static_cast<uint32_t>(row_cells);
    table.first_row = static_cast<uint32_t>((count + 1) / 2);
    for (size_t i = 0; i < count; ++i) {
      const int64_t tensor = chosen[next + i];
      uint64_t* row = table.cells + table.first_row + i * row_cells;
      fill(tensor, row);
      uint64_t bits = 0;
      for (size_t j = 0; j < pointers; ++j) bits |= row[j];
      row[pointers] = (static_cast<uint64_t>(sizes[tensor]) << 1) | (bits % 16 == 0 ? 1u : 0u);
      table.tiles += static_cast<uint32_t>(tiles_of(sizes[tensor], kTile));
      std::memcpy(reinterpret_cast<unsigned char*>(table.cells) + i * sizeof(uint32_t), &table.tiles, sizeof(uint32_t));
    }
    next += count;
    start(table, next == chosen.size());
  } while (next < chosen.size());
}

template <class Fill, class Start>
void start_with_tables(const std::vector<int64_t>& chosen, const int64_t* sizes, size_t pointers, const Fill& fill,
                       const Start& start) {
  if (chosen.size() * (2 * pointers + 3) <= 2 * kSmallCells - 4) {
    start_with_tables<kSmallCells>(chosen, sizes, pointers, fill, start);
  } else {
    start_with_tables<kLargeCells>(chosen, sizes, pointers, fill, start);
  }
}

// Part `part` of `parts` of the tiles, tensor by tensor: visit(tensor, first, last) for tiles [first, last) of the
// tensor. A part is one stretch of the list, so one search finds its beginning.
template <class Table, class Visit>
__device__ void for_each_share(const Table& table, uint32_t part, uint32_t parts, const Visit& visit) {
  uint32_t tile = static_cast<uint32_t>(uint64_t{table.tiles} * part / parts);
  const uint32_t last = static_cast<uint32_t>(uint64_t{table.tiles} * (part + 1) / parts);
  for (int tensor = tensor_of_tile(table.ends(), static_cast<int>(table.tensors), tile); tile < last; ++tensor) {
    const uint32_t begin = table.first_tile(tensor);
    const uint32_t end = table.ends()[tensor] < last ? table.ends()[tensor] : last;
    if (tile < end) visit(tensor, tile - begin, end - begin);
    tile = end > tile ? end : tile;
  }
}

template <class Stored>
struct alignas(sizeof(Stored) * kVector < 16 ? sizeof(Stored) * kVector : 16) Vector {
  Stored x[kVector];
};

// kVector elements of which `count` exist; `aligned` when the pointer suits one wide access.
template <class Stored>
__device__ void load(const Stored* from, int64_t count, bool aligned, Computed<Stored>* to) {
  Vector<Stored> vector{};
  if (aligned && count >= kVector) {
    vector = *reinterpret_cast<const Vector<Stored>*>(from);
  } else {
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      if (i < count) vector.x[i] = from[i];
    }
  }
#pragma unroll
  for (int i = 0; i < kVector; ++i) to[i] = computed(vector.x[i]);
}

template <class Stored>
__device__ void store(Stored* to, int64_t count, bool aligned, const Computed<Stored>* from) {
  Vector<Stored> vector;
#pragma unroll
  for (int i = 0; i < kVector; ++i) vector.x[i] = stored<Stored>(from[i]);
  if (aligned && count >= kVector) {
    *reinterpret_cast<Vector<Stored>*>(to) = vector;
  } else {
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      if (i < count) to[i] = vector.x[i];
    }
  }
}

}  // namespace mtlbench::MTLBENCH_DEVICE
