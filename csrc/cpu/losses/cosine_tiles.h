// Cosine distances by tiles.
#pragma once

#include "cpu/losses/tile.h"
#include "math/losses/cosine.h"

namespace mtlbench::cpu {

template <class Stored>
struct CosineTiles {
  using T = Computed<Stored>;

  MTLBENCH_FN static void run(Piece* piece) {
    double sum = 0;
    for (int64_t position = piece->first; position < piece->last;) {
      const TilePlace place(*piece->task, position, piece->last);
      sum += tile(*piece, place);
      position += place.lanes;
    }
    piece->sum = sum;
  }

  MTLBENCH_FN static double tile(const Piece& piece, const TilePlace& place) {
    const TaskLoss& task = *piece.task;
    const int64_t classes = task.classes;
    T* const x = static_cast<T*>(piece.scratch);
    T* const y = x + classes * kLanes;
    T known[kLanes], labels[kLanes], along_output[kLanes], along_target[kLanes];
    const bool all = find_known(piece, place, nullptr, known, labels);
    load_tile(outputs_of<Stored>(task), place, classes, x);
    load_tile(values_of<Stored>(task), place, classes, y);
    if (!all) {
      clear_unknown(known, classes, x);
      clear_unknown(known, classes, y);
    }
    const double losses = angles(classes, known, x, y, along_output, along_target);
    if (task.gradients == nullptr) return losses;
    const T factor = static_cast<T>(piece.factor);
    for (int64_t c = 0; c < classes; ++c) {
#pragma omp simd
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const int64_t i = c * kLanes + lane;
        x[i] = factor * (along_output[lane] * x[i] - along_target[lane] * y[i]);
      }
    }
    store_tile(x, place, classes, gradients_of<Stored>(task));
    return losses;
  }

  MTLBENCH_FN static double angles(int64_t classes, const T* known, const T* x, const T* y, T* along_output,
                                   T* along_target) {
    T product[kLanes] = {}, output_square[kLanes] = {}, target_square[kLanes] = {};
    for (int64_t c = 0; c < classes; ++c) {
#pragma omp simd
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const T output = x[c * kLanes + lane], target = y[c * kLanes + lane];
        product[lane] += output * target;
        output_square[lane] += output * output;
        target_square[lane] += target * target;
      }
    }
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const Cosine<T> angle(product[lane], output_square[lane], target_square[lane]);
      along_output[lane] = angle.along_output;
      along_target[lane] = angle.along_target;
      sum += known[lane] != T(0) ? angle.loss() : T(0);
    }
    return sum;
  }
};

}  // namespace mtlbench::cpu
