// Gradients of the heads, summed over all rows, and their Adam update (step 4 of cuda/step_heads.cu; formula:
// math/weighted_adam.h).
#pragma once

#include "cuda/heads/classes.h"

namespace mtlbench::MTLBENCH_DEVICE {

// By one block, one thread per tensor. Then all steps advance.
template <class Call>
__device__ void find_coefficients(const Call& call) {
  const StepHeads& work = call.work;
  const double lr = work.lr_on_device != nullptr ? static_cast<double>(*work.lr_on_device) : work.lr;
  const auto tensor = [&](int i) -> const HeadTensor& {
    const Head& head = call.table.heads[i / 2];
    return i % 2 == 0 ? head.matrix : head.bias;
  };
  for (int i = static_cast<int>(threadIdx.x); i < 2 * call.heads(); i += kThreads) {
    if (tensor(i).param == nullptr) continue;
    call.space.coefficients[i] = adam_coefficients<typename Call::Number>(
        lr, work.beta1, work.beta2, work.eps, work.weight_decay, !work.couples_decay(), work.bias_correction,
        static_cast<double>(*tensor(i).step) + 1.0);
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < (work.shared_step ? 1 : 2 * call.heads()); i += kThreads) {
    if (tensor(i).param != nullptr) *tensor(i).step += 1.0f;
  }
}

// Element i of a parameter with gradient g.
template <class Call>
__device__ void update_element(const Call& call, const HeadTensor& tensor,
                               const AdamCoefficients<typename Call::Number>& c, int64_t i, typename Call::Number g) {
  using Number = typename Call::Number;
  using State = typename Call::State;
  auto* const param = static_cast<typename Call::Param*>(tensor.param) + i;
  auto* const exp_avg = static_cast<State*>(tensor.exp_avg) + i;
  auto* const exp_avg_sq = static_cast<State*>(tensor.exp_avg_sq) + i;
  auto* const max_exp_avg_sq = static_cast<State*>(tensor.max_exp_avg_sq);
  const bool coupled = call.work.couples_decay();
  Number p = computed(*param), m = computed(*exp_avg), v = computed(*exp_avg_sq);
  Number peak = max_exp_avg_sq != nullptr ? computed(max_exp_avg_sq[i]) : Number(0);
  if (call.work.maximize) g = -g;
  if (max_exp_avg_sq != nullptr) {
    coupled ? adam_element<true, true>(c, g, p, m, v, peak) : adam_element<false, true>(c, g, p, m, v, peak);
    max_exp_avg_sq[i] = stored<State>(peak);
  } else {
    coupled ? adam_element<true, false>(c, g, p, m, v, peak) : adam_element<false, false>(c, g, p, m, v, peak);
  }
  *param = stored<typename Call::Param>(p);
  *exp_avg = stored<State>(m);
  *exp_avg_sq = stored<State>(v);
}

template <class Call>
__device__ void update_matrices(const Call& call, const HeadFeatures& features, const Class* classes, int64_t column) {
  using Number = typename Call::Number;
  const int64_t width = call.work.width;
  Number sums[kEach][kEach];
  multiply<Along::Side, Along::Side>(
      features.rows, [](int64_t) {}, [&](int r, int64_t l) { return slope_at(call, features, l, classes[r]); },
      [&](int c, int64_t l) { return feature_at(call, features, l, column + c); }, sums);
  for_each_sum(sums, [&](int r, int c, Number sum) {
    if (classes[r].head < 0 || column + c >= width) return;
    update_element(call, call.table.heads[classes[r].head].matrix, call.space.coefficients[2 * classes[r].head],
                   classes[r].number * width + column + c, sum);
  });
}

// One lane per class; the warps share the rows.
template <class Call>
__device__ void update_biases(const Call& call, const HeadFeatures& features, const Class* classes) {
  using Number = typename Call::Number;
  constexpr int kWarps = static_cast<int>(kThreads) / 32;
  static_assert(kSide == 32);
  __shared__ Number of_warp[kWarps][kSide];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  Number sum = 0;
  for (int64_t row = warp; row < features.rows; row += kWarps) sum += slope_at(call, features, row, classes[lane]);
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || classes[lane].head < 0) return;
  const HeadTensor& bias = call.table.heads[classes[lane].head].bias;
  if (bias.param == nullptr) return;
  for (int w = 1; w < kWarps; ++w) sum += of_warp[w][lane];
  update_element(call, bias, call.space.coefficients[2 * classes[lane].head + 1], classes[lane].number, sum);
}

// Tiles of kSide classes: those of the matrices, then one of the biases.
template <class Call>
__device__ void update(const Call& call) {
  __shared__ Class classes[kSide];
  for_each_tile(call.table.update_ends, call.feature_count(), [&](int g, int64_t tile) {
    const HeadFeatures& features = call.table.features[g];
    const int64_t columns = sides(call.work.width) + 1;
    __syncthreads();
    find_classes(call, features, tile / columns * kSide, classes);
    if (tile % columns + 1 < columns) {
      update_matrices(call, features, classes, tile % columns * kSide);
    } else {
      update_biases(call, features, classes);
    }
  });
}

}  // namespace mtlbench::MTLBENCH_DEVICE
