// Cross-entropy. A softmax reads its row twice: the second time it comes from the cache, and no row is too long for
// registers.
//
//   rows        few classes, contiguous   up to 32 lanes per row, so that small rows waste none
//   long_row    many classes              the whole block per row
//   columns     classes `inner` apart     one thread per position: neighbours read neighbouring addresses
#pragma once

#include <limits>

#include "cuda/block_sums.h"
#include "cuda/losses/positions.h"
#include "cuda/losses/row.h"
#include "math/losses/cross_entropy.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
template <class T>
constexpr T kLeast = -std::numeric_limits<T>::infinity();

constexpr int kAtOnce = 4;  // classes a thread reads before it uses the first

// x[i] = logit of class c + i lanes, `otherwise` beyond the last.
template <class Stored>
__device__ void read_classes(const Row<Stored>& row, int64_t c, Computed<Stored> otherwise, Computed<Stored>* x) {
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i) {
    const int64_t k = c + i * row.lanes;
    x[i] = k < row.classes ? computed(row.x[k * row.stride]) : otherwise;
  }
}

// The largest logit of this thread's classes, and the sum of exp(x - top) over them.
template <class T>
struct RowSums {
  T top = kLeast<T>;
  T sum = 0;
};

template <class Stored>
__device__ RowSums<Computed<Stored>> read_row(const Row<Stored>& row) {
  using T = Computed<Stored>;
  RowSums<T> sums;
#pragma unroll 1
  for (int64_t c = row.lane; c < row.classes; c += kAtOnce * row.lanes) {
    T x[kAtOnce];
    read_classes(row, c, kLeast<T>, x);
    T top = sums.top;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) top = x[i] > top ? x[i] : top;
    const T shift = top == kLeast<T> ? T(0) : top;  // -inf - -inf would be NaN
    sums.sum *= exp_nonpositive(sums.top - shift);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) sums.sum += exp_nonpositive(x[i] - shift);
    sums.top = top;
  }
  return sums;
}

// q_c, the target probability of a class.
template <class Stored, class T>
__device__ T wanted(const Row<Stored>& row, const CrossEntropy<T>& loss, int64_t c) {
  if (row.q != nullptr) return loss.smoothed(row.q[c * row.stride]);
  return loss.smoothed(c == row.label ? T(1) : T(0));
}

// sum_c q_c (top - x_c) and sum_c q_c over the classes of this thread.
template <class T>
struct Targets {
  T gaps = 0;
  T total = 0;
};

template <class Stored, class T>
__device__ Targets<T> read_targets(const Row<Stored>& row, const CrossEntropy<T>& loss, T top) {
  Targets<T> targets;
  if (row.q == nullptr && loss.spread == T(0)) {  // a class that is not the target may be -inf
    if (row.label % row.lanes == row.lane)
      targets = {loss.kept * (top - computed(row.x[row.label * row.stride])), T(1)};
    return targets;
  }
#pragma unroll 1
  for (int64_t c = row.lane; c < row.classes; c += row.lanes) {
    const T q = wanted(row, loss, c);
    targets.gaps += q * (top - computed(row.x[c * row.stride]));
    targets.total += q;
  }
  return targets;
}

template <class Stored, class T>
__device__ void write_row(const Row<Stored>& row, const CrossEntropy<T>& loss, T top, T scale, T factor, bool counts) {
  if (row.gradient == nullptr) return;
#pragma unroll 1
  for (int64_t c = row.lane; c < row.classes; c += kAtOnce * row.lanes) {
    T x[kAtOnce];
    read_classes(row, c, T(0), x);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int64_t k = c + i * row.lanes;
      if (k >= row.classes) break;
      const T slope = counts ? exp_nonpositive(x[i] - top) * scale - wanted(row, loss, k) : T(0);
      row.gradient[k * row.stride] = stored<Stored>(factor * slope);
    }
  }
}

// The loss of a row whose threads add up by `sum` and `largest`; the same in all its threads.
template <class Stored, class Sum, class Largest>
__device__ double cross_entropy(const Row<Stored>& row, const LossContext& context, bool known, const Sum& sum,
                                const Largest& largest) {
  using T = Computed<Stored>;
  const CrossEntropy<T> loss(static_cast<T>(context.label_smoothing), static_cast<T>(row.classes));
  const bool wrong = row.q == nullptr && (row.label < 0 || row.label >= row.classes);
  const bool counts = known && !wrong;
  const RowSums<T> own = counts ? read_row(row) : RowSums<T>();
  const T top = largest(own.top);
  const T exponentials = sum(own.top == top ? own.sum : own.sum * exp_nonpositive(own.top - top));
  const Targets<T> own_targets = counts ? read_targets(row, loss, top) : Targets<T>();
  const T gaps = sum(own_targets.gaps), total = sum(own_targets.total);
  write_row(row, loss, top, total / exponentials, static_cast<T>(context.factor), counts);
  if (known && wrong) return kNaN;
  return counts ? static_cast<double>(loss.probability_loss(exponentials, total, gaps)) : 0.0;
}

template <class Stored>
__device__ double rows(const TaskLoss& task, const LossContext& context, int64_t tile) {
  const int lanes = row_lanes(task.classes), lane = static_cast<int>(threadIdx.x) % lanes;
  const int64_t position = tile * (kThreads / lanes) + threadIdx.x / lanes;
  const bool exists = position < task.positions();
  const auto row = row_at<Stored>(task, position, exists, lane, lanes);
  const double loss = cross_entropy(
      row, context, exists && is_known(task, position, context.ignore_index),
      [=](auto x) { return group_sum(x, lanes); }, [=](auto x) { return group_max(x, lanes); });
  return lane == 0 ? loss : 0.0;
}

template <class Stored>
__device__ double long_row(const TaskLoss& task, const LossContext& context, int64_t position) {
  using T = Computed<Stored>;
  const auto row = row_at<Stored>(task, position, true, static_cast<int>(threadIdx.x), static_cast<int>(kThreads));
  const double loss = cross_entropy(
      row, context, is_known(task, position, context.ignore_index), [](T x) { return block_sum(x); },
      [](T x) { return over_block(x, kLeast<T>, [](T y, int width) { return group_max(y, width); }); });
  return threadIdx.x == 0 ? loss : 0.0;
}

template <class Stored>
__device__ double columns(const TaskLoss& task, const LossContext& context, int64_t tile) {
  const int64_t position = tile * kThreads + threadIdx.x;
  if (position >= task.positions()) return 0;
  const auto itself = [](auto x) { return x; };
  return cross_entropy(row_at<Stored>(task, position, true, 0, 1), context,
                       is_known(task, position, context.ignore_index), itself, itself);
}

}  // namespace mtlbench::MTLBENCH_DEVICE
