// First the labels are counted and checked, because gradients of a mean need the count; then all tasks are cut into
// pieces of about kPieceNumbers numbers, one list for all tasks, which the threads share. Pieces depend on shapes
// alone and their sums are added in order, so the result does not depend on the number of threads.
#include "cpu/task_losses.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/losses/cosine_tiles.h"
#include "cpu/losses/elements.h"
#include "cpu/losses/kernel.h"
#include "cpu/losses/softmax_rows.h"
#include "cpu/losses/softmax_tiles.h"
#include "cpu/parallel.h"
#include "math/tiles.h"

namespace mtlbench::cpu {
namespace {

constexpr int64_t kPieceNumbers = 8192;
constexpr int64_t kThreadNumbers = 32768;  // less work than this does not pay for waking a thread

// --- Labels -----------------------------------------------------------------------------------------------------

struct LabelCount {
  int64_t known = 0;
  bool wrong = false;
};

struct CountLabels {
  MTLBENCH_FN static void run(const int64_t* labels, int64_t count, int64_t classes, int64_t ignore, LabelCount* out) {
    int64_t known = 0, wrong = 0;
#pragma omp simd reduction(+ : known, wrong)
    for (int64_t i = 0; i < count; ++i) {
      const int64_t counts = labels[i] != ignore ? 1 : 0;
      known += counts;
      wrong += (labels[i] < 0) | (labels[i] >= classes) ? counts : 0;
    }
    *out = {known, wrong != 0};
  }
};

bool is_masked_out(const TaskLoss& task, int64_t position) {
  return task.mask != nullptr && !task.mask[position / task.mask_span];
}

LabelCount count_one_by_one(const TaskLoss& task, int64_t ignore, LabelError* error) {
  const int64_t* const labels = indices_of(task);
  LabelCount count;
  for (int64_t p = 0; p < task.positions(); ++p) {
    if (is_masked_out(task, p) || labels[p] == ignore) continue;
    ++count.known;
    if (labels[p] >= 0 && labels[p] < task.classes) continue;
    count.wrong = true;
    *error = {0, p, labels[p]};
    break;
  }
  return count;
}

}  // namespace

int64_t count_known(const TaskLoss& task, int64_t ignore, LabelError* error) {
  if (task.kind != LossKind::CrossEntropy) {
    if (task.mask == nullptr) return task.positions();
    return task.mask_span * std::count(task.mask, task.mask + task.positions() / task.mask_span, true);
  }
  LabelCount count{0, true};
  if (task.mask == nullptr) dispatch<CountLabels>(indices_of(task), task.positions(), task.classes, ignore, &count);
  if (count.wrong) count = count_one_by_one(task, ignore, error);
  return count.known;
}

// --- Kernels ----------------------------------------------------------------------------------------------------

namespace {

template <class Body>
LossKernel kernel() {
  return [](Piece* piece) { dispatch<Body>(piece); };
}

template <class Stored>
LossKernel kernel_for(const TaskLoss& task) {
  const bool rows = is_contiguous_row(task);
  switch (task.kind) {
    case LossKind::CrossEntropy:
      return rows ? kernel<SoftmaxRows<Stored, true>>() : kernel<SoftmaxTiles<Stored, true>>();
    case LossKind::CrossEntropyOfProbabilities:
      return rows ? kernel<SoftmaxRows<Stored, false>>() : kernel<SoftmaxTiles<Stored, false>>();
    case LossKind::Cosine:
      return kernel<CosineTiles<Stored>>();
#define MTLBENCH_CASE(name, Formula) \
  case LossKind::Formula:            \
    return kernel<Elements<Stored, Formula>>();
      MTLBENCH_LOSSES(MTLBENCH_CASE, MTLBENCH_NO_LOSS)
#undef MTLBENCH_CASE
  }
  return nullptr;
}

}  // namespace

LossKernel loss_kernel(const TaskLoss& task) {
  switch (task.dtype) {
    case DType::Float32:
      return kernel_for<float>(task);
    case DType::Float64:
      return kernel_for<double>(task);
    case DType::BFloat16:
      return kernel_for<BFloat16>(task);
    case DType::Float16:
      return kernel_for<Float16>(task);
  }
  return nullptr;
}

// --- All tasks --------------------------------------------------------------------------------------------------

namespace {

int64_t piece_positions(const TaskLoss& task) {
  const int64_t wanted = std::max<int64_t>(1, kPieceNumbers / task.classes);
  return is_contiguous_row(task) ? wanted : (wanted + kLanes - 1) / kLanes * kLanes;
}

}  // namespace

LabelError task_losses(const TaskLosses& work) {
  const int64_t count = work.count;
  std::vector<int64_t> ends(count);
  std::vector<double> weights(count), reciprocals(count);
  int64_t pieces = 0, numbers = 0, scratch = 0;
  for (int64_t t = 0; t < count; ++t) {
    const TaskLoss& task = work.tasks[t];
    LabelError error;
    const int64_t known = count_known(task, work.ignore_index, &error);
    if (error.task >= 0) return {t, error.position, error.label};
    weights[t] = number_at(work.weights, work.dtype, t, 1.0);
    reciprocals[t] = reciprocal_of(known, work.mean);
    pieces += tiles_of(task.positions(), piece_positions(task));
    ends[t] = pieces;
    numbers += task.positions() * task.classes;
    scratch = std::max(scratch, scratch_numbers(task));
  }

  std::vector<double> sums(pieces);
  const int64_t grain = std::max<int64_t>(1, pieces * kThreadNumbers / std::max(numbers, kThreadNumbers));
  parallel(pieces, grain, [&](int64_t first, int64_t last) {
    const Scratch own(scratch);
    int t = tensor_of_tile(ends.data(), static_cast<int>(count), first);
    for (int64_t k = first; k < last; ++k) {
      while (k >= ends[t]) ++t;
      const TaskLoss& task = work.tasks[t];
      const int64_t length = piece_positions(task);
      const int64_t start = (k - (t == 0 ? 0 : ends[t - 1])) * length;
      const double factor = foreseen_factor(task.dtype, weights[t], reciprocals[t]);
      Piece piece{&task,
                  start,
                  std::min(start + length, task.positions()),
                  factor,
                  work.label_smoothing,
                  work.ignore_index,
                  own.memory,
                  0.0};
      loss_kernel(task)(&piece);
      sums[k] = piece.sum;
    }
  });

  double total = 0;
  for (int64_t t = 0, k = 0; t < count; ++t) {
    double sum = 0;
    for (; k < ends[t]; ++k) sum += sums[k];
    total += weights[t] * (sum * reciprocals[t]);
    set_number(work.losses, work.dtype, t, sum * reciprocals[t]);
    set_number(work.reciprocals, work.dtype, t, reciprocals[t]);
  }
  set_number(work.total, work.dtype, 0, total);
  return {};
}

// --- Backward ---------------------------------------------------------------------------------------------------

namespace {

template <class Stored>
struct Scale {
  MTLBENCH_FN static void run(const Stored* in, Stored* out, int64_t count, double factor) {
    const auto by = static_cast<Computed<Stored>>(factor);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) out[i] = stored<Stored>(computed(in[i]) * by);
  }
};

template <class Stored>
void scale(const TaskGradient& task, double factor) {
  parallel(task.size, kThreadNumbers, [&](int64_t first, int64_t last) {
    dispatch<Scale<Stored>>(static_cast<const Stored*>(task.in) + first, static_cast<Stored*>(task.out) + first,
                            last - first, factor);
  });
}

}  // namespace

void task_gradients(const TaskGradients& work) {
  for (int64_t t = 0; t < work.count; ++t) {
    const TaskGradient& task = work.tasks[t];
    const double factor = remaining_factor(
        task.dtype, number_at(work.weights, work.dtype, t, 1.0), number_at(work.reciprocals, work.dtype, t, 1.0),
        number_at(work.of_total, work.dtype, 0, 0.0), number_at(work.of_losses, work.dtype, t, 0.0));
    if (factor == 1.0 && task.in == task.out) continue;
    if (task.dtype == DType::Float32) scale<float>(task, factor);
    if (task.dtype == DType::Float64) scale<double>(task, factor);
    if (task.dtype == DType::BFloat16) scale<BFloat16>(task, factor);
    if (task.dtype == DType::Float16) scale<Float16>(task, factor);
  }
}

}  // namespace mtlbench::cpu
