// The losses of one tile of positions, as the threads of a block share them. Every function returns this thread's part
// of the sum of losses and writes gradients where they are wanted.
//
//   elements    element-wise kinds        a vector of kVector numbers a thread
//   rows        few classes, contiguous   a group of up to 32 lanes a row, so that small rows waste none
//   long_row    many classes              the whole block a row
//   columns     classes `inner` apart     a thread a position: neighbours read neighbouring addresses
//
// A softmax reads its row twice: the second time it comes from the cache, and no row is too long for registers.
#pragma once

#include <limits>

#include "cuda/block_sums.h"
#include "math/losses/bce_with_logits.h"
#include "math/losses/cosine.h"
#include "math/losses/cross_entropy.h"
#include "math/losses/huber.h"
#include "math/losses/l1.h"
#include "math/losses/mse.h"
#include "math/losses/smooth_l1.h"
#include "math/task_losses.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
template <class T>
constexpr T kLeast = -std::numeric_limits<T>::infinity();

constexpr int64_t kLongRow = 2048;  // classes from which a block takes a row

// What is the same for all tiles of a task.
struct LossContext {
  double factor;  // of the gradients
  double label_smoothing;
  int64_t ignore_index;
};

// Lanes that share a row.
MTLBENCH_FN int row_lanes(int64_t classes) {
  int lanes = 1;
  while (lanes < 32 && lanes < classes) lanes *= 2;
  return lanes;
}

// Positions of a tile.
MTLBENCH_FN int64_t tile_positions(const TaskLoss& task) {
  if (!spans_classes(task.kind)) return kTile;
  if (task.inner > 1 || task.kind == LossKind::Cosine) return kThreads;
  return task.classes >= kLongRow ? 1 : kThreads / row_lanes(task.classes);
}

__device__ inline bool is_known(const TaskLoss& task, int64_t position, int64_t ignore_index) {
  if (task.mask != nullptr && !task.mask[position / task.mask_span]) return false;
  return task.kind != LossKind::CrossEntropy || static_cast<const int64_t*>(task.targets)[position] != ignore_index;
}

// --- Element-wise -------------------------------------------------------------------------------------------------

template <class Stored, class Formula>
__device__ double elements(const TaskLoss& task, const LossContext& context, int64_t tile) {
  using T = Computed<Stored>;
  const int64_t first = tile * kTile + threadIdx.x * kVector;
  const int64_t count = task.positions() - first;
  if (count <= 0) return 0;
  const auto* outputs = static_cast<const Stored*>(task.outputs) + first;
  const auto* targets = static_cast<const T*>(task.targets) + first;
  T x[kVector], y[kVector];
  load(outputs, count, reinterpret_cast<uintptr_t>(outputs) % sizeof(Vector<Stored>) == 0, x);
  load(targets, count, reinterpret_cast<uintptr_t>(targets) % sizeof(Vector<T>) == 0, y);
  T sum = 0;
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    const bool known = i < count && (task.mask == nullptr || task.mask[(first + i) / task.mask_span]);
    const auto loss = Formula::at(x[i], y[i], static_cast<T>(task.beta));
    sum += known ? loss.value : T(0);
    x[i] = known ? loss.slope * static_cast<T>(context.factor) : T(0);
  }
  if (task.gradients != nullptr) {
    auto* gradients = static_cast<Stored*>(task.gradients) + first;
    store(gradients, count, reinterpret_cast<uintptr_t>(gradients) % sizeof(Vector<Stored>) == 0, x);
  }
  return static_cast<double>(sum);
}

// --- Cross-entropy ------------------------------------------------------------------------------------------------

// One position of a softmax: class c stands `stride` after class c - 1. `lanes` threads share it, this one being
// number `lane`.
template <class Stored>
struct Row {
  const Stored* x;
  const Computed<Stored>* q;  // probabilities, or null
  Stored* gradient;           // or null
  int64_t classes;
  int64_t stride;
  int64_t label;
  int lane;
  int lanes;
};

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

// The row of a position that `lanes` threads share.
template <class Stored>
__device__ Row<Stored> row_at(const TaskLoss& task, int64_t position, bool exists, int lane, int lanes) {
  const int64_t outer = exists ? position / task.inner : 0, inner = exists ? position % task.inner : 0;
  const int64_t offset = outer * task.classes * task.inner + inner;
  const bool indices = task.kind == LossKind::CrossEntropy;
  Row<Stored> row;
  row.x = static_cast<const Stored*>(task.outputs) + offset;
  row.q = indices ? nullptr : static_cast<const Computed<Stored>*>(task.targets) + offset;
  row.gradient = task.gradients != nullptr && exists ? static_cast<Stored*>(task.gradients) + offset : nullptr;
  row.classes = task.classes;
  row.stride = task.inner;
  row.label = indices && exists ? static_cast<const int64_t*>(task.targets)[position] : 0;
  row.lane = lane;
  row.lanes = lanes;
  return row;
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

// --- Cosine -------------------------------------------------------------------------------------------------------

template <class Stored>
__device__ double angles(const TaskLoss& task, const LossContext& context, int64_t tile) {
  using T = Computed<Stored>;
  const int64_t position = tile * kThreads + threadIdx.x;
  if (position >= task.positions()) return 0;
  const bool known = is_known(task, position, context.ignore_index);
  const auto row = row_at<Stored>(task, position, true, 0, 1);
  T product = 0, output_square = 0, target_square = 0;
  for (int64_t c = 0; c < row.classes; ++c) {
    const T x = computed(row.x[c * row.stride]), y = row.q[c * row.stride];
    product += x * y;
    output_square += x * x;
    target_square += y * y;
  }
  const Cosine<T> angle(product, output_square, target_square);
  for (int64_t c = 0; c < row.classes && row.gradient != nullptr; ++c) {
    const T slope = angle.slope(computed(row.x[c * row.stride]), row.q[c * row.stride]);
    row.gradient[c * row.stride] = stored<Stored>(known ? static_cast<T>(context.factor) * slope : T(0));
  }
  return known ? static_cast<double>(angle.loss()) : 0.0;
}

// --- Any kind -----------------------------------------------------------------------------------------------------

template <class Stored>
__device__ double loss_of_tile(const TaskLoss& task, const LossContext& context, int64_t tile) {
  switch (task.kind) {
    case LossKind::CrossEntropy:
    case LossKind::CrossEntropyOfProbabilities:
      if (task.inner > 1) return columns<Stored>(task, context, tile);
      return task.classes >= kLongRow ? long_row<Stored>(task, context, tile) : rows<Stored>(task, context, tile);
    case LossKind::BceWithLogits:
      return elements<Stored, BceWithLogits>(task, context, tile);
    case LossKind::Mse:
      return elements<Stored, Mse>(task, context, tile);
    case LossKind::L1:
      return elements<Stored, L1>(task, context, tile);
    case LossKind::SmoothL1:
      return elements<Stored, SmoothL1>(task, context, tile);
    case LossKind::Huber:
      return elements<Stored, Huber>(task, context, tile);
    case LossKind::Cosine:
      return angles<Stored>(task, context, tile);
  }
  return 0;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
