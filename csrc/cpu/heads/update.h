// The second pass of step_heads_, a panel of W at a time: the gradients of the heads, and Adam on them.
#pragma once

#include "cpu/heads/adam_row.h"
#include "cpu/heads/call.h"
#include "cpu/heads/product.h"

namespace mtlbench::cpu {

inline constexpr int64_t kSummedRows = 128;  // rows of h whose products are added in registers

// Adds a product over all rows of the features to `gradient`, kSummedRows at a time.
template <class Number>
void add_over_rows(int64_t rows, Product<Number> product, Number* gradient) {
  alignas(64) Number sums[kGradientRows * kPanel];
  product.to = sums;
  for (int64_t row = 0; row < rows; row += kSummedRows) {
    product.length = std::min(kSummedRows, rows - row);
    multiply(product);
    for (int64_t r = 0; r < product.rows; ++r) {
      for (int64_t k = 0; k < product.columns; ++k) gradient[r * kPanel + k] += sums[r * kPanel + k];
    }
    product.left += product.length * product.left_step;
    product.right += product.length * product.right_step;
  }
}

// Adam on `size` numbers of a tensor from `offset` on.
template <class Call>
void update_numbers(const Call& call, const HeadTensor& tensor,
                    const AdamCoefficients<typename Call::Number>& coefficients, int64_t offset, int64_t size,
                    const typename Call::Number* gradient) {
  using Param = typename Call::Param;
  using State = typename Call::State;
  auto* const peak = static_cast<State*>(tensor.max_exp_avg_sq);
  update_row<Param, State>(
      {size, static_cast<Param*>(tensor.param) + offset, static_cast<State*>(tensor.exp_avg) + offset,
       static_cast<State*>(tensor.exp_avg_sq) + offset, peak != nullptr ? peak + offset : nullptr, gradient,
       typename Call::Number(call.work.maximize ? -1 : 1), coefficients},
      call.work.couples_decay());
}

template <class Call>
void update_matrices(const Call& call, int64_t g, int64_t first, int64_t last, int64_t column) {
  using Number = typename Call::Number;
  const HeadFeatures& features = call.work.features[g];
  const Packed<Number>& packed = call.packed[g];
  alignas(64) Number gradient[kGradientRows * kPanel] = {};
  add_over_rows<Number>(features.rows,
                        {packed.slopes + first, 1, padded(features.classes), packed.features + column,
                         packed.feature_step, 0, last - first, std::min(kPanel, call.padded_width - column), nullptr},
                        gradient);
  call.for_each_head(g, first, last, [&](int64_t t, int64_t from, int64_t to) {
    const HeadTensor& matrix = call.work.heads[t].matrix;
    const int64_t skipped = (from - call.work.heads[t].first_class) * call.width + column;
    for (int64_t c = from; c < to; ++c) {
      update_numbers(call, matrix, call.coefficients[2 * t], skipped + (c - from) * call.width,
                     std::min(kPanel, call.width - column), gradient + (c - first) * kPanel);
    }
  });
}

template <class Call>
void update_biases(const Call& call, int64_t g, int64_t first, int64_t last) {
  using Number = typename Call::Number;
  const HeadFeatures& features = call.work.features[g];
  const Number one = 1;
  const int64_t start = first / kWidth * kWidth;  // kGradientRows is no multiple of it
  alignas(64) Number gradient[kRows * kPanel] = {};
  add_over_rows<Number>(
      features.rows,
      {&one, 0, 0, call.packed[g].slopes + start, padded(features.classes), 0, 1, padded(last - start), nullptr},
      gradient);
  call.for_each_head(g, first, last, [&](int64_t t, int64_t from, int64_t to) {
    const Head& head = call.work.heads[t];
    if (head.bias.param == nullptr) return;
    update_numbers(call, head.bias, call.coefficients[2 * t + 1], from - head.first_class, to - from,
                   gradient + from - start);
  });
}

// A panel of kGradientRows classes: of some columns of the matrices, or, the last of them, of the biases.
template <class Call>
void update(const Call& call, int64_t g, int64_t panel) {
  const int64_t first = panel / (call.column_panels() + 1) * kGradientRows;
  const int64_t last = std::min(first + kGradientRows, call.work.features[g].classes);
  if (panel % (call.column_panels() + 1) < call.column_panels()) {
    update_matrices(call, g, first, last, panel % (call.column_panels() + 1) * kPanel);
  } else {
    update_biases(call, g, first, last);
  }
}

inline void advance_steps(const StepHeads& work) {
  if (work.shared_step) {
    *work.heads[0].matrix.step += 1.0f;
    return;
  }
  for (int64_t t = 0; t < work.losses.count; ++t) {
    *work.heads[t].matrix.step += 1.0f;
    if (work.heads[t].bias.param != nullptr) *work.heads[t].bias.step += 1.0f;
  }
}

}  // namespace mtlbench::cpu
