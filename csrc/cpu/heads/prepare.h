// What the passes of step_heads_ need beforehand: labels counted, Adam's coefficients, and the heads packed once.
#pragma once

#include <type_traits>

#include "cpu/heads/call.h"
#include "cpu/losses/kernel.h"

namespace mtlbench::cpu {

template <class Call>
LabelError count_labels(Call& call) {
  const TaskLosses& losses = call.work.losses;
  for (int64_t t = 0; t < call.heads; ++t) {
    const TaskLoss& task = losses.tasks[t];
    LabelError error;
    call.reciprocals.push_back(reciprocal_of(count_known(task, losses.ignore_index, &error), losses.mean));
    if (error.task >= 0) return {t, error.position, error.label};
    call.factors.push_back(call.reciprocals[t] * number_at(losses.weights, losses.dtype, t, 1.0));
    call.loss_scratch = std::max(call.loss_scratch, scratch_numbers(task));
  }
  return {};
}

template <class Call>
void find_coefficients(Call& call) {
  using Number = typename Call::Number;
  const StepHeads& work = call.work;
  const double lr = work.lr_on_device != nullptr ? static_cast<double>(*work.lr_on_device) : work.lr;
  const float* known = nullptr;
  for (int64_t t = 0; t < call.heads; ++t) {
    for (const HeadTensor* tensor : {&work.heads[t].matrix, &work.heads[t].bias}) {
      if (tensor->param == nullptr || (known != nullptr && *tensor->step == *known)) {
        call.coefficients.push_back(call.coefficients.empty() ? AdamCoefficients<Number>{} : call.coefficients.back());
        continue;
      }
      known = tensor->step;
      call.coefficients.push_back(adam_coefficients<Number>(lr, work.beta1, work.beta2, work.eps, work.weight_decay,
                                                            !work.couples_decay(), work.bias_correction,
                                                            static_cast<double>(*known) + 1.0));
    }
  }
}

// Places what is packed of features g; take(numbers) is the room for them.
template <class Call, class Take>
void place(Call& call, int64_t g, const Take& take) {
  using Number = typename Call::Number;
  const HeadFeatures& features = call.work.features[g];
  Packed<Number>& packed = call.packed[g];
  const bool as_it_is = std::is_same_v<typename Call::Feature, Number> && call.width == call.padded_width;
  packed.own_features = as_it_is ? nullptr : take(features.rows * call.padded_width);
  packed.feature_step = as_it_is ? call.width : call.padded_width;
  packed.features = as_it_is ? static_cast<const Number*>(features.features) : packed.own_features;
  packed.matrix = take(features.classes * call.padded_width);
  packed.turned = take(padded(features.classes) * call.width);
  packed.bias = take(padded(features.classes));
  packed.slopes = take(features.rows * padded(features.classes));
}

// Places all that is packed, from `memory` on, and counts the parts; returns how many doubles it takes.
template <class Call>
int64_t lay_out(Call& call, typename Call::Number* memory) {
  using Number = typename Call::Number;
  int64_t used = 0;
  const auto take = [&](int64_t numbers) {
    Number* const room = memory + used;
    used += rounded_up(numbers, 64 / static_cast<int64_t>(sizeof(Number)));
    return room;
  };
  call.packed.assign(call.work.feature_count, {});
  call.blocks.assign(1, 0);
  call.packs.assign(1, 0);
  call.panels.assign(1, 0);
  call.first_sums.assign(1, 0);
  call.products = 0;
  for (int64_t g = 0; g < call.work.feature_count; ++g) {
    const HeadFeatures& features = call.work.features[g];
    place(call, g, take);
    call.blocks.push_back(call.blocks.back() + tiles_of(features.rows, kBlockRows));
    call.packs.push_back(call.packs.back() + tiles_of(features.classes, kPanel));
    call.panels.push_back(call.panels.back() + (call.column_panels() + 1) * tiles_of(features.classes, kGradientRows));
    call.products += features.rows * features.classes * call.width;
    for (int64_t t = features.first_head; t < features.last_head; ++t) {
      call.first_sums.push_back(call.first_sums.back() + tiles_of(features.rows, kBlockRows));
    }
  }
  call.sums.resize(call.first_sums.back());
  return used * static_cast<int64_t>(sizeof(Number)) / 8;
}

template <class Call, class Stored>
void fill_row(const Call& call, const Stored* from, typename Call::Number* to) {
  for (int64_t k = 0; k < call.width; ++k) to[k] = computed(from[k]);
  std::fill(to + call.width, to + call.padded_width, typename Call::Number(0));
}

// kPanel classes: their rows, transposed rows and biases.
template <class Call>
void pack(const Call& call, int64_t g, int64_t first) {
  using Number = typename Call::Number;
  const Packed<Number>& packed = call.packed[g];
  const int64_t classes = call.work.features[g].classes;
  const int64_t columns = std::min(kPanel, padded(classes) - first), own = std::min(columns, classes - first);
  std::fill(packed.bias + first, packed.bias + first + columns, Number(0));
  call.for_each_head(g, first, first + own, [&](int64_t t, int64_t from, int64_t to) {
    const Head& head = call.work.heads[t];
    const auto* const matrix = static_cast<const typename Call::Param*>(head.matrix.param);
    const auto* const bias = static_cast<const typename Call::Param*>(head.bias.param);
    for (int64_t c = from; c < to; ++c) {
      fill_row(call, matrix + (c - head.first_class) * call.width, packed.matrix + c * call.padded_width);
      if (bias != nullptr) packed.bias[c] = computed(bias[c - head.first_class]);
    }
  });
  Number* to = packed.turned + first * call.width;
  for (int64_t k = 0; k < call.width; ++k, to += columns) {
    const Number* from = packed.matrix + first * call.padded_width + k;
    for (int64_t c = 0; c < own; ++c, from += call.padded_width) to[c] = *from;
    std::fill(to + own, to + columns, Number(0));
  }
}

}  // namespace mtlbench::cpu
