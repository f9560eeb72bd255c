// Many tensors as one list of tiles, so that one launch distributes them evenly, however small or large they are.
//
// Tensors lie one behind the other, each rounded up to whole tiles of `tile` elements; an empty tensor has no tile:
//
//   ends[i] = sum_{j <= i} ceil(size_j / tile)         tile k belongs to the first tensor i with k < ends[i]
//
// Boundaries depend on the sizes alone: results do not change with the number of threads or blocks.
#pragma once

#include "math/number.h"

namespace mtlbench {

MTLBENCH_FN int64_t tiles_of(int64_t size, int64_t tile) {
  return (size + tile - 1) / tile;
}

// The first i with k < ends[i], by bisection; count where there is none.
template <class Index>
MTLBENCH_FN int tensor_of_tile(const Index* ends, int count, Index k) {
  int low = 0;
  int high = count;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (k < ends[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace mtlbench
