// A tile: up to kLanes positions with all their classes, turned so that one class of all positions is contiguous. The
// loops over positions are then vector code, however few classes there are.
#pragma once

#include <algorithm>
#include <type_traits>

#include "cpu/losses/piece.h"

namespace mtlbench::cpu {

// Where the positions of a tile lie in [outer, classes, inner].
struct TilePlace {
  int64_t position;
  int64_t lanes;
  int64_t offset;        // of class 0 of the first position
  int64_t class_stride;  // between classes

  MTLBENCH_FN TilePlace(const TaskLoss& task, int64_t first, int64_t last)
      : position(first), lanes(std::min(kLanes, last - first)) {
    if (task.inner == 1) {
      offset = first * task.classes;
      class_stride = 1;
    } else {
      const int64_t outer = first / task.inner, inner = first % task.inner;
      lanes = std::min(lanes, task.inner - inner);
      offset = outer * task.classes * task.inner + inner;
      class_stride = task.inner;
    }
  }
};

// Four floats side by side, and a choice of four from eight.
typedef float Quad __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__clang__)
#define MTLBENCH_CHOOSE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t QuadIndex __attribute__((vector_size(16)));
#define MTLBENCH_CHOOSE(a, b, ...) __builtin_shuffle(a, b, QuadIndex{__VA_ARGS__})
#endif

// Turns a 4 x 4 block: row r of `from` becomes column r of `to`.
MTLBENCH_FN void turn(const float* from, int64_t from_stride, float* to, int64_t to_stride) {
  const auto row = [&](int64_t r) { return *reinterpret_cast<const Quad*>(from + r * from_stride); };
  const Quad low01 = MTLBENCH_CHOOSE(row(0), row(1), 0, 4, 1, 5), high01 = MTLBENCH_CHOOSE(row(0), row(1), 2, 6, 3, 7);
  const Quad low23 = MTLBENCH_CHOOSE(row(2), row(3), 0, 4, 1, 5), high23 = MTLBENCH_CHOOSE(row(2), row(3), 2, 6, 3, 7);
  const Quad turned[4] = {MTLBENCH_CHOOSE(low01, low23, 0, 1, 4, 5), MTLBENCH_CHOOSE(low01, low23, 2, 3, 6, 7),
                          MTLBENCH_CHOOSE(high01, high23, 0, 1, 4, 5), MTLBENCH_CHOOSE(high01, high23, 2, 3, 6, 7)};
  for (int64_t r = 0; r < 4; ++r) *reinterpret_cast<Quad*>(to + r * to_stride) = turned[r];
}

// Rows of `classes` numbers become columns of the tile, or columns become rows. Blocks of 4 x 4 where they fit, the
// last one over the one before.
template <bool into_tile, class Stored, class Row, class Tile>
MTLBENCH_FN void turn_rows(Row* rows, int64_t lanes, int64_t classes, Tile* tile) {
  int64_t first = 0;
  if constexpr (std::is_same_v<Stored, float>) {
    for (; classes >= 4 && first + 4 <= lanes; first += 4) {
      for (int64_t c = 0; c < classes; c += 4) {
        const int64_t from = std::min(c, classes - 4);
        if constexpr (into_tile) turn(rows + first * classes + from, classes, tile + from * kLanes + first, kLanes);
        if constexpr (!into_tile) turn(tile + from * kLanes + first, kLanes, rows + first * classes + from, classes);
      }
    }
  }
  for (int64_t lane = first; lane < lanes; ++lane) {
    for (int64_t c = 0; c < classes; ++c) {
      if constexpr (into_tile) tile[c * kLanes + lane] = computed(rows[lane * classes + c]);
      if constexpr (!into_tile) rows[lane * classes + c] = stored<Stored>(tile[c * kLanes + lane]);
    }
  }
}

// The same, with a constant where there are two classes: then they are turned by shuffles too.
template <bool into_tile, class Stored, class Row, class Tile>
MTLBENCH_FN void turn_tile(Row* rows, int64_t lanes, int64_t classes, Tile* tile) {
  if (classes == 2) return turn_rows<into_tile, Stored>(rows, lanes, 2, tile);
  turn_rows<into_tile, Stored>(rows, lanes, classes, tile);
}

// tile[c * kLanes + lane]; lanes without a position hold 0.
template <class Stored>
MTLBENCH_FN void load_tile(const Stored* numbers, const TilePlace& place, int64_t classes, Computed<Stored>* tile) {
  const Stored* const from = numbers + place.offset;
  for (int64_t c = 0; place.lanes < kLanes && c < classes; ++c) {
    for (int64_t lane = place.lanes; lane < kLanes; ++lane) tile[c * kLanes + lane] = 0;
  }
  if (place.class_stride == 1) return turn_tile<true, Stored>(from, place.lanes, classes, tile);
  for (int64_t c = 0; c < classes; ++c) {
    const Stored* const row = from + c * place.class_stride;
#pragma omp simd
    for (int64_t lane = 0; lane < place.lanes; ++lane) tile[c * kLanes + lane] = computed(row[lane]);
  }
}

template <class Stored>
MTLBENCH_FN void store_tile(const Computed<Stored>* tile, const TilePlace& place, int64_t classes, Stored* numbers) {
  Stored* const to = numbers + place.offset;
  if (place.class_stride == 1) return turn_tile<false, Stored>(to, place.lanes, classes, tile);
  for (int64_t c = 0; c < classes; ++c) {
    Stored* const row = to + c * place.class_stride;
#pragma omp simd
    for (int64_t lane = 0; lane < place.lanes; ++lane) row[lane] = stored<Stored>(tile[c * kLanes + lane]);
  }
}

// Clears the lanes that do not count, so that what they hold (NaN, inf) reaches neither sums nor gradients.
template <class T>
MTLBENCH_FN void clear_unknown(const T* known, int64_t classes, T* tile) {
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    if (known[lane] != T(0)) continue;
    for (int64_t c = 0; c < classes; ++c) tile[c * kLanes + lane] = 0;
  }
}

// known[lane] = 1 where the mask, and for class indices the label, lets the position count, else 0; labels[lane] is
// then its class as a number to compare with, exact below 2^24 classes, and 0 elsewhere. Returns whether all count.
template <class T>
MTLBENCH_FN bool find_known(const Piece& piece, const TilePlace& place, const int64_t* targets, T* known, T* labels) {
  const TaskLoss& task = *piece.task;
  int32_t unknown = static_cast<int32_t>(kLanes - place.lanes);
  for (int64_t lane = place.lanes; lane < kLanes; ++lane) labels[lane] = known[lane] = 0;
#pragma omp simd reduction(+ : unknown)
  for (int64_t lane = 0; lane < place.lanes; ++lane) {
    const int64_t label = targets == nullptr ? 0 : targets[place.position + lane];
    const int32_t counts = targets == nullptr || label != piece.ignore_index ? 1 : 0;
    known[lane] = static_cast<T>(counts);
    labels[lane] = static_cast<T>(static_cast<int32_t>(label) * counts);
    unknown += 1 - counts;
  }
  for (int64_t lane = 0; task.mask != nullptr && lane < place.lanes; ++lane) {
    if (task.mask[(place.position + lane) / task.mask_span]) continue;
    labels[lane] = known[lane] = 0;
    ++unknown;
  }
  return unknown == 0;
}

}  // namespace mtlbench::cpu
