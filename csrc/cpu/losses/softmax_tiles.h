// Cross-entropy by tiles: few classes, or a class dimension in front of others (segmentation).
#pragma once

#include "cpu/losses/tile.h"
#include "math/losses/cross_entropy.h"

namespace mtlbench::cpu {

template <class Stored, bool indices>
struct SoftmaxTiles {
  using T = Computed<Stored>;

  // The state of each position between the two passes over its classes.
  struct Lanes {
    T known[kLanes];
    T scale[kLanes];  // Q / sum_c exp(x_c - top)
    T labels[kLanes];
  };

  MTLBENCH_FN static void run(Piece* piece) {
    const TaskLoss& task = *piece->task;
    const CrossEntropy<T> loss(static_cast<T>(piece->label_smoothing), static_cast<T>(task.classes));
    double sum = 0;
    for (int64_t position = piece->first; position < piece->last;) {
      const TilePlace place(task, position, piece->last);
      sum += tile(*piece, loss, place);
      position += place.lanes;
    }
    piece->sum = sum;
  }

  MTLBENCH_FN static double tile(const Piece& piece, const CrossEntropy<T>& loss, const TilePlace& place) {
    const TaskLoss& task = *piece.task;
    const int64_t classes = task.classes;
    T* const x = static_cast<T*>(piece.scratch);
    T* const q = x + classes * kLanes;
    Lanes lanes;
    const bool all = find_known(piece, place, indices ? indices_of(task) : nullptr, lanes.known, lanes.labels);
    load_tile(outputs_of<Stored>(task), place, classes, x);
    if (!all) clear_unknown(lanes.known, classes, x);
    if constexpr (!indices) {
      load_tile(values_of<Stored>(task), place, classes, q);
      if (!all) clear_unknown(lanes.known, classes, q);
    }
    double sum = 0;
    for (int64_t first = 0; first < place.lanes; first += kWidth)
      sum += exponentials(loss, classes, first, x, q, &lanes);
    if (task.gradients == nullptr) return sum;
    const T factor = static_cast<T>(piece.factor);
    for (int64_t first = 0; first < place.lanes; first += kWidth) gradients(loss, factor, classes, first, lanes, q, x);
    store_tile(x, place, classes, gradients_of<Stored>(task));
    return sum;
  }

  // Turns kWidth columns of logits x into exp(x - top); returns the sum of their losses.
  MTLBENCH_FN static T exponentials(const CrossEntropy<T>& loss, int64_t classes, int64_t first, T* x, const T* q,
                                    Lanes* lanes) {
    T top[kWidth], target_gap[kWidth], gaps[kWidth], sum[kWidth], total[kWidth];
    for (int64_t lane = 0; lane < kWidth; ++lane) {
      top[lane] = x[first + lane];
      target_gap[lane] = gaps[lane] = sum[lane] = total[lane] = 0;
    }
    for (int64_t c = 1; c < classes; ++c) {
#pragma omp simd
      for (int64_t lane = 0; lane < kWidth; ++lane) {
        const T logit = x[c * kLanes + first + lane];
        top[lane] = logit > top[lane] ? logit : top[lane];
      }
    }
    for (int64_t c = 0; c < classes; ++c) {
#pragma omp simd
      for (int64_t lane = 0; lane < kWidth; ++lane) {
        const int64_t i = c * kLanes + first + lane;
        const T gap = top[lane] - x[i];
        const T weight = indices ? T(1) : loss.smoothed(q[i]);
        x[i] = exp_nonpositive(-gap);
        sum[lane] += x[i];
        gaps[lane] += weight * gap;
        total[lane] += weight;
        if constexpr (indices) target_gap[lane] = lanes->labels[first + lane] == T(c) ? gap : target_gap[lane];
      }
    }
    T losses = 0;
#pragma omp simd reduction(+ : losses)
    for (int64_t lane = 0; lane < kWidth; ++lane) {
      const T value = indices ? loss.index_loss(sum[lane], target_gap[lane], gaps[lane])
                              : loss.probability_loss(sum[lane], total[lane], gaps[lane]);
      losses += lanes->known[first + lane] != T(0) ? value : T(0);
      lanes->scale[first + lane] = (indices ? T(1) : total[lane]) / sum[lane];
    }
    return losses;
  }

  // Turns kWidth columns of exp(x - top) into gradients: factor (Q p - q), and 0 for unknown positions.
  MTLBENCH_FN static void gradients(const CrossEntropy<T>& loss, T factor, int64_t classes, int64_t first,
                                    const Lanes& lanes, const T* q, T* x) {
    T shift[kWidth], size[kWidth];
#pragma omp simd
    for (int64_t lane = 0; lane < kWidth; ++lane) {
      shift[lane] = factor * lanes.known[first + lane];
      size[lane] = shift[lane] * lanes.scale[first + lane];
    }
    for (int64_t c = 0; c < classes; ++c) {
#pragma omp simd
      for (int64_t lane = 0; lane < kWidth; ++lane) {
        const int64_t i = c * kLanes + first + lane;
        const T target = lanes.labels[first + lane] == T(c) ? T(1) : T(0);
        x[i] = x[i] * size[lane] - loss.smoothed(indices ? target : q[i]) * shift[lane];
      }
    }
  }
};

}  // namespace mtlbench::cpu
