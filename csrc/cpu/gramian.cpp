// Gramian of the task gradients, reading each gradient once from memory (formula: math/gramian.h).
//
// Rounding: products are added in the gradients' precision within a tile and in double beyond, tile by tile, block by
// block. Tiles and blocks depend on the sizes alone, so every run gives the same bits, whatever the number of threads.
#include "cpu/gramian.h"

#include <algorithm>
#include <array>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/parallel.h"
#include "math/tiles.h"

namespace mtlbench::cpu {
namespace {

constexpr int64_t kTile = 1024;   // 8 tasks of float fill the first-level cache
constexpr int64_t kBlocks = 256;  // partial sums at most; each is the work of one thread
constexpr int kRows = 2;          // 2 x 4 dot products per pass: 8 chains of fused multiply-add hide their latency
constexpr int kColumns = 4;

// Dot products of 2 rows with 4 columns.
template <class Stored>
struct Pass {
  int64_t size;
  std::array<const Stored*, kRows> rows;
  std::array<const Stored*, kColumns> columns;
  std::array<Computed<Stored>, kRows * kColumns> dots;
};

template <class Stored>
struct RunPass {
  MTLBENCH_FN static void run(Pass<Stored>* pass) {
    using Number = Computed<Stored>;
    const Stored* __restrict a0 = pass->rows[0];
    const Stored* __restrict a1 = pass->rows[1];
    const Stored* __restrict b0 = pass->columns[0];
    const Stored* __restrict b1 = pass->columns[1];
    const Stored* __restrict b2 = pass->columns[2];
    const Stored* __restrict b3 = pass->columns[3];
    Number s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
#pragma omp simd reduction(+ : s00, s01, s02, s03, s10, s11, s12, s13)
    for (int64_t i = 0; i < pass->size; ++i) {
      const Number x0 = computed(a0[i]), x1 = computed(a1[i]);
      const Number y0 = computed(b0[i]), y1 = computed(b1[i]), y2 = computed(b2[i]), y3 = computed(b3[i]);
      s00 += x0 * y0;
      s01 += x0 * y1;
      s02 += x0 * y2;
      s03 += x0 * y3;
      s10 += x1 * y0;
      s11 += x1 * y1;
      s12 += x1 * y2;
      s13 += x1 * y3;
    }
    pass->dots = {s00, s01, s02, s03, s10, s11, s12, s13};
  }
};

// Gradients of one tensor that exist.
template <class Stored>
struct Present {
  std::vector<const Stored*> gradients;
  std::vector<int64_t> tasks;

  void gather(const Gramian& work, int64_t tensor) {
    gradients.clear();
    tasks.clear();
    for (int64_t t = 0; t < work.tasks; ++t) {
      const void* gradient = work.gradients[tensor * work.tasks + t];
      if (gradient == nullptr) continue;
      gradients.push_back(static_cast<const Stored*>(gradient));
      tasks.push_back(t);
    }
  }
};

// Adds the upper triangle of one tile to sums [T][T]. Rows and columns beyond the last repeat it and are left out.
template <class Stored>
void add_tile(const Present<Stored>& present, int64_t tasks, int64_t offset, int64_t size, double* sums) {
  const auto count = static_cast<int64_t>(present.tasks.size());
  const auto at = [&](int64_t k) { return present.gradients[std::min(k, count - 1)] + offset; };
  Pass<Stored> pass{};
  pass.size = size;
  for (int64_t row = 0; row < count; row += kRows) {
    for (int r = 0; r < kRows; ++r) pass.rows[r] = at(row + r);
    for (int64_t column = row; column < count; column += kColumns) {
      for (int c = 0; c < kColumns; ++c) pass.columns[c] = at(column + c);
      dispatch<RunPass<Stored>>(&pass);
      for (int64_t r = 0; r < std::min<int64_t>(kRows, count - row); ++r) {
        for (int64_t c = 0; c < std::min<int64_t>(kColumns, count - column); ++c) {
          if (column + c < row + r) continue;
          sums[present.tasks[row + r] * tasks + present.tasks[column + c]] +=
              static_cast<double>(pass.dots[r * kColumns + c]);
        }
      }
    }
  }
}

// Adds the tiles [first, last) to sums [T][T].
template <class Stored>
void add_tiles(const Gramian& work, const std::vector<int64_t>& ends, int64_t first, int64_t last, double* sums) {
  Present<Stored> present;
  for (int i = tensor_of_tile(ends.data(), static_cast<int>(work.tensors), first); first < last; ++i) {
    const int64_t begin = i == 0 ? 0 : ends[i - 1];
    const int64_t end = std::min(last, ends[i]);
    present.gather(work, i);
    for (; first < end; ++first) {
      const int64_t offset = (first - begin) * kTile;
      add_tile(present, work.tasks, offset, std::min(kTile, work.sizes[i] - offset), sums);
    }
  }
}

template <class Stored>
void run(const Gramian& work) {
  std::vector<int64_t> ends(static_cast<size_t>(work.tensors));
  int64_t tiles = 0;
  for (int64_t i = 0; i < work.tensors; ++i) ends[i] = tiles += tiles_of(work.sizes[i], kTile);
  const int64_t blocks = std::min(kBlocks, tiles);
  const int64_t entries = work.tasks * work.tasks;
  std::vector<double> sums(static_cast<size_t>(blocks * entries));
  parallel(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      add_tiles<Stored>(work, ends, tiles * block / blocks, tiles * (block + 1) / blocks, &sums[block * entries]);
    }
  });
  auto* gramian = static_cast<Computed<Stored>*>(work.gramian);
  for (int64_t t = 0; t < work.tasks; ++t) {
    for (int64_t u = t; u < work.tasks; ++u) {
      double sum = 0;
      for (int64_t block = 0; block < blocks; ++block) sum += sums[block * entries + t * work.tasks + u];
      gramian[t * work.tasks + u] = gramian[u * work.tasks + t] = static_cast<Computed<Stored>>(sum);
    }
  }
}

}  // namespace

void gramian(const Gramian& work) {
  if (work.dtype == DType::Float32) run<float>(work);
  if (work.dtype == DType::Float64) run<double>(work);
  if (work.dtype == DType::BFloat16) run<BFloat16>(work);
}

}  // namespace mtlbench::cpu
