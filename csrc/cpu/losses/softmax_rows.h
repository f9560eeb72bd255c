// Cross-entropy by rows: many classes, contiguous, so that vectors run along the classes.
#pragma once

#include "cpu/losses/piece.h"
#include "math/losses/cross_entropy.h"

namespace mtlbench::cpu {

// By halves: the same tree for every instruction set.
template <class T>
MTLBENCH_FN T largest_of(T* x) {
  static_assert(kWidth == 16);
#pragma omp simd
  for (int lane = 0; lane < 8; ++lane) x[lane] = x[lane + 8] > x[lane] ? x[lane + 8] : x[lane];
#pragma omp simd
  for (int lane = 0; lane < 4; ++lane) x[lane] = x[lane + 4] > x[lane] ? x[lane + 4] : x[lane];
  const T left = x[2] > x[0] ? x[2] : x[0], right = x[3] > x[1] ? x[3] : x[1];
  return right > left ? right : left;
}

template <class T>
MTLBENCH_FN T sum_of(T* x) {
  static_assert(kWidth == 16);
#pragma omp simd
  for (int lane = 0; lane < 8; ++lane) x[lane] += x[lane + 8];
#pragma omp simd
  for (int lane = 0; lane < 4; ++lane) x[lane] += x[lane + 4];
  return (x[0] + x[2]) + (x[1] + x[3]);
}

// Copies n >= 1 numbers, fills up to a multiple of kWidth with -inf, and returns the largest (NaN counts as the least).
template <class Stored>
MTLBENCH_FN Computed<Stored> load_row(const Stored* from, int64_t n, Computed<Stored>* row) {
  using T = Computed<Stored>;
  constexpr T least = -std::numeric_limits<T>::infinity();
  T* const end = row + padded(n) - kWidth;
  T top[kWidth];
  for (int64_t lane = 0; lane < kWidth; ++lane) end[lane] = top[lane] = least;
  const int64_t whole = n - n % kWidth;
  for (int64_t i = whole; i < n; ++i) row[i] = computed(from[i]);
  for (int64_t i = 0; i < whole; i += kWidth) {
#pragma omp simd
    for (int64_t lane = 0; lane < kWidth; ++lane) {
      const T number = computed(from[i + lane]);
      row[i + lane] = number;
      top[lane] = number > top[lane] ? number : top[lane];
    }
  }
#pragma omp simd
  for (int64_t lane = 0; lane < kWidth; ++lane) top[lane] = end[lane] > top[lane] ? end[lane] : top[lane];
  return largest_of(top);
}

// Turns a padded row into exp(x - top), 0 in the padding, and returns the sum.
template <class T>
MTLBENCH_FN T exponentials_of_row(int64_t length, T top, T* row) {
  T sum[kWidth];
  for (int64_t lane = 0; lane < kWidth; ++lane) sum[lane] = 0;
  for (int64_t i = 0; i < length; i += kWidth) {
#pragma omp simd
    for (int64_t lane = 0; lane < kWidth; ++lane) {
      const T part = exp_nonpositive(row[i + lane] - top);
      row[i + lane] = part;
      sum[lane] += part;
    }
  }
  return sum_of(sum);
}

// Rows go through each step together: the steps of one row depend on each other, so that a row alone would leave the
// processor waiting; and the logarithms of all rows are taken at once.
template <class Stored, bool indices>
struct SoftmaxRows {
  using T = Computed<Stored>;

  struct Rows {
    int64_t count = 0;
    int64_t number[kWidth];
    int64_t label[kWidth];
    T target_gap[kWidth];
    T gaps[kWidth];
    T total[kWidth];  // Q
    T sum[kWidth];
  };

  MTLBENCH_FN static void run(Piece* piece) {
    const TaskLoss& task = *piece->task;
    const int64_t most = rows_at_once(task.classes);
    Rows rows;
    double sum = 0;
    for (int64_t row = piece->first; row < piece->last; ++row) {
      bool known = task.mask == nullptr || task.mask[row / task.mask_span];
      if constexpr (indices) known = known && indices_of(task)[row] != piece->ignore_index;
      if (known) {
        rows.number[rows.count++] = row;
      } else if (task.gradients != nullptr) {
        Stored* const gradient = gradients_of<Stored>(task) + row * task.classes;
        for (int64_t c = 0; c < task.classes; ++c) gradient[c] = stored<Stored>(T(0));
      }
      if (rows.count == most || (rows.count > 0 && row + 1 == piece->last)) {
        sum += together(*piece, rows);
        rows.count = 0;
      }
    }
    piece->sum = sum;
  }

  // The losses of some rows; their gradients are factor (Q p - q).
  MTLBENCH_FN static double together(const Piece& piece, Rows& rows) {
    const TaskLoss& task = *piece.task;
    const int64_t classes = task.classes, length = padded(classes);
    const CrossEntropy<T> loss(static_cast<T>(piece.label_smoothing), static_cast<T>(classes));
    T* const parts = static_cast<T*>(piece.scratch);
    T top[kWidth];
    for (int64_t i = 0; i < rows.count; ++i) {
      top[i] = load_row(outputs_of<Stored>(task) + rows.number[i] * classes, classes, parts + i * length);
    }
    for (int64_t i = 0; i < rows.count; ++i) {
      targets_of_row(task, loss, i, top[i], parts + i * length, rows);
      rows.sum[i] = exponentials_of_row(length, top[i], parts + i * length);
    }
    T value[kWidth], scale[kWidth];
#pragma omp simd
    for (int64_t i = 0; i < kWidth; ++i) {
      value[i] = indices ? loss.index_loss(rows.sum[i], rows.target_gap[i], rows.gaps[i])
                         : loss.probability_loss(rows.sum[i], rows.total[i], rows.gaps[i]);
      scale[i] = rows.total[i] / rows.sum[i];
    }
    double losses = 0;
    for (int64_t i = 0; i < rows.count; ++i) losses += static_cast<double>(value[i]);
    if (task.gradients == nullptr) return losses;
    const T factor = static_cast<T>(piece.factor);
    for (int64_t i = 0; i < rows.count; ++i) write(task, loss, factor, i, scale[i], parts + i * length, rows);
    return losses;
  }

  // What the loss needs from the targets and the gaps top - x_c.
  MTLBENCH_FN static void targets_of_row(const TaskLoss& task, const CrossEntropy<T>& loss, int64_t i, T top,
                                         const T* x, Rows& rows) {
    T gaps = 0, total = 1;
    if constexpr (indices) {
      rows.label[i] = indices_of(task)[rows.number[i]];
      rows.target_gap[i] = top - x[rows.label[i]];
      if (loss.spread != T(0)) {
#pragma omp simd reduction(+ : gaps)
        for (int64_t c = 0; c < task.classes; ++c) gaps += top - x[c];
      }
    } else {
      const T* const q = values_of<Stored>(task) + rows.number[i] * task.classes;
      total = 0;
#pragma omp simd reduction(+ : gaps, total)
      for (int64_t c = 0; c < task.classes; ++c) {
        const T weight = loss.smoothed(q[c]);
        gaps += weight * (top - x[c]);
        total += weight;
      }
    }
    rows.gaps[i] = gaps;
    rows.total[i] = total;
  }

  MTLBENCH_FN static void write(const TaskLoss& task, const CrossEntropy<T>& loss, T factor, int64_t i, T scale,
                                const T* part, const Rows& rows) {
    const T* const q = indices ? nullptr : values_of<Stored>(task) + rows.number[i] * task.classes;
    Stored* const gradient = gradients_of<Stored>(task) + rows.number[i] * task.classes;
    const T size = factor * scale;
#pragma omp simd
    for (int64_t c = 0; c < task.classes; ++c) {
      const T wanted = indices ? loss.spread : loss.smoothed(q[c]);
      gradient[c] = stored<Stored>(part[c] * size - wanted * factor);
    }
    if constexpr (indices) {
      const int64_t y = rows.label[i];
      gradient[y] = stored<Stored>(part[y] * size - (loss.spread + loss.kept) * factor);
    }
  }
};

}  // namespace mtlbench::cpu
