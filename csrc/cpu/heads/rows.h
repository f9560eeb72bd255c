// The first pass of step_heads_, a block of rows at a time: outputs, losses and their gradients D, then dh.
#pragma once

#include <numeric>

#include "cpu/heads/call.h"
#include "cpu/heads/prepare.h"
#include "cpu/heads/product.h"
#include "cpu/losses/kernel.h"

namespace mtlbench::cpu {

template <class Call>
void find_outputs(const Call& call, int64_t g, int64_t row, int64_t rows, typename Call::Number* sums) {
  using Number = typename Call::Number;
  const Packed<Number>& packed = call.packed[g];
  const int64_t classes = call.work.features[g].classes;
  for (int64_t first = 0; first < classes; first += kPanel) {
    const int64_t columns = std::min(kPanel, padded(classes) - first);
    multiply<Number>({packed.features + row * packed.feature_step, packed.feature_step, 1,
                      packed.turned + first * call.width, columns, call.width, rows, columns, sums});
    call.for_each_head(g, first, first + columns, [&](int64_t t, int64_t from, int64_t to) {
      const Head& head = call.work.heads[t];
      auto* output = static_cast<Number*>(head.outputs) + row * head.classes + from - head.first_class;
      const Number *sum = sums + from - first, *const bias = packed.bias + from;
      for (int64_t r = 0; r < rows; ++r, output += head.classes, sum += kPanel) {
        for (int64_t c = 0; c < to - from; ++c) output[c] = sum[c] + bias[c];
      }
    });
  }
}

// The losses of some rows of a task; its outputs become D.
template <class Call>
void find_slopes(Call& call, int64_t g, int64_t t, int64_t row, int64_t rows, void* scratch) {
  using Number = typename Call::Number;
  const TaskLosses& losses = call.work.losses;
  const TaskLoss& task = losses.tasks[t];
  const Head& head = call.work.heads[t];
  const HeadFeatures& features = call.work.features[g];
  const int64_t each = spans_classes(task.kind) ? 1 : head.classes;  // positions of a row
  Piece piece{&task,   row * each, (row + rows) * each, call.factors[t], losses.label_smoothing, losses.ignore_index,
              scratch, 0.0};
  loss_kernel(task)(&piece);
  call.sums[call.first_sums[t] + row / kBlockRows] = piece.sum;
  const auto* from = static_cast<const Number*>(head.outputs) + row * head.classes;
  Number* const slopes = call.packed[g].slopes;
  const int64_t step = padded(features.classes);
  Number* to = slopes + row * step + head.first_class;
  for (int64_t r = 0; r < rows; ++r, from += head.classes, to += step) std::copy(from, from + head.classes, to);
  if (t + 1 < features.last_head) return;
  for (int64_t r = row; r < row + rows; ++r) {
    std::fill(slopes + r * step + features.classes, slopes + (r + 1) * step, Number(0));
  }
}

template <class Call>
void find_feature_gradients(const Call& call, int64_t g, int64_t row, int64_t rows, typename Call::Number* sums) {
  using Feature = typename Call::Feature;
  using Number = typename Call::Number;
  const HeadFeatures& features = call.work.features[g];
  const Packed<Number>& packed = call.packed[g];
  const int64_t step = padded(features.classes);
  for (int64_t first = 0; first < call.width; first += kPanel) {
    const int64_t columns = std::min(kPanel, call.padded_width - first), own = std::min(columns, call.width - first);
    multiply<Number>({packed.slopes + row * step, step, 1, packed.matrix + first, call.padded_width, features.classes,
                      rows, columns, sums});
    auto* to = static_cast<Feature*>(features.gradient) + row * call.width + first;
    for (int64_t r = 0; r < rows; ++r, to += call.width) {
      for (int64_t k = 0; k < own; ++k) to[k] = stored<Feature>(sums[r * kPanel + k]);
    }
  }
}

// kBlockRows rows of features g.
template <class Call>
void work_on_rows(Call& call, int64_t g, int64_t row) {
  const HeadFeatures& features = call.work.features[g];
  const int64_t rows = std::min(kBlockRows, features.rows - row);
  const Scratch loss(call.loss_scratch);
  alignas(64) typename Call::Number sums[kBlockRows * kPanel];
  if (call.packed[g].own_features != nullptr) {
    const auto* const from = static_cast<const typename Call::Feature*>(features.features);
    for (int64_t r = row; r < row + rows; ++r) {
      fill_row(call, from + r * call.width, call.packed[g].own_features + r * call.padded_width);
    }
  }
  find_outputs(call, g, row, rows, sums);
  for (int64_t t = features.first_head; t < features.last_head; ++t) find_slopes(call, g, t, row, rows, loss.memory);
  find_feature_gradients(call, g, row, rows, sums);
}

template <class Call>
void write_losses(const Call& call) {
  const TaskLosses& losses = call.work.losses;
  for (int64_t t = 0; t < call.heads; ++t) {
    const auto first = call.sums.begin() + call.first_sums[t], last = call.sums.begin() + call.first_sums[t + 1];
    set_number(losses.losses, losses.dtype, t, std::accumulate(first, last, 0.0) * call.reciprocals[t]);
  }
}

}  // namespace mtlbench::cpu
