// Weighted loss, gradient combination and Adam over all tensors in one parallel loop (formulas: math/weighted_adam.h).
//
// A tile is small enough that the combined gradient of several tasks stays in the first-level cache between its
// combination and its use: a parameter costs (24 + 4 T) bytes of memory traffic, and nothing is allocated.
#include "cpu/weighted_adam.h"

#include <vector>

#include "cpu/dispatch.h"
#include "cpu/parallel.h"
#include "math/tiles.h"

namespace mtlbench::cpu {
namespace {

constexpr int64_t kTile = 1024;
constexpr int64_t kGrain = 4;  // tiles: about a microsecond of work

// One tile of one tensor; the pointers are at its first element.
template <class Param, class State>
struct Tile {
  int64_t size;
  Param* p;
  State* m;
  State* v;
  State* peak;
  const Param* const* gradients;  // of the tasks that touch the tensor
  const Computed<Param>* factors;
  int64_t tasks;
  AdamCoefficients<Computed<Param>> coefficients;
};

template <class Param, class State, bool Coupled, bool Amsgrad>
struct UpdateTile {
  using Number = Computed<Param>;

  MTLBENCH_FN static void run(const Tile<Param, State>* tile) {
    if (tile->tasks == 1) {
      const Param* __restrict g = tile->gradients[0];
      const Number factor = tile->factors[0];
      update(*tile, [=](int64_t i) __attribute__((always_inline)) { return factor * computed(g[i]); });
    } else {
      alignas(64) Number sum[kTile];
      combine(*tile, sum);
      update(*tile, [&](int64_t i) __attribute__((always_inline)) { return sum[i]; });
    }
  }

  // sum[i] = sum_t factors[t] g_t[i], two tasks per pass.
  MTLBENCH_FN static void combine(const Tile<Param, State>& tile, Number* __restrict sum) {
    for (int64_t t = 0; t < tile.tasks; t += 2) {
      const bool pair = t + 1 < tile.tasks;
      const Param* __restrict a = tile.gradients[t];
      const Param* __restrict b = tile.gradients[pair ? t + 1 : t];
      const Number factor_a = tile.factors[t];
      const Number factor_b = pair ? tile.factors[t + 1] : Number{0};
      if (t == 0) {
#pragma omp simd
        for (int64_t i = 0; i < tile.size; ++i) sum[i] = factor_a * computed(a[i]) + factor_b * computed(b[i]);
      } else if (pair) {
#pragma omp simd
        for (int64_t i = 0; i < tile.size; ++i) sum[i] += factor_a * computed(a[i]) + factor_b * computed(b[i]);
      } else {
#pragma omp simd
        for (int64_t i = 0; i < tile.size; ++i) sum[i] += factor_a * computed(a[i]);
      }
    }
  }

  template <class Gradient>
  MTLBENCH_FN static void update(const Tile<Param, State>& tile, const Gradient& gradient) {
    Param* __restrict p = tile.p;
    State* __restrict m = tile.m;
    State* __restrict v = tile.v;
    State* __restrict peak = Amsgrad ? tile.peak : tile.v;
    const AdamCoefficients<Number> c = tile.coefficients;
#pragma omp simd
    for (int64_t i = 0; i < tile.size; ++i) {
      Number p_i = computed(p[i]);
      Number m_i = computed(m[i]);
      Number v_i = computed(v[i]);
      Number peak_i = Amsgrad ? computed(peak[i]) : Number{0};
      adam_element<Coupled, Amsgrad>(c, gradient(i), p_i, m_i, v_i, peak_i);
      p[i] = stored<Param>(p_i);
      m[i] = stored<State>(m_i);
      v[i] = stored<State>(v_i);
      if constexpr (Amsgrad) peak[i] = stored<State>(peak_i);
    }
  }
};

// s w_t for each task that touches tensor i, and its gradients.
template <class Param>
struct Terms {
  std::vector<const Param*> gradients;
  std::vector<Computed<Param>> factors;

  void gather(const WeightedAdam& work, int64_t tensor) {
    gradients.clear();
    factors.clear();
    const double sign = work.maximize ? -1.0 : 1.0;
    const double scale = work.grad_scale ? sign / static_cast<double>(*work.grad_scale) : sign;
    for (int64_t t = 0; t < work.tasks; ++t) {
      const void* gradient = work.gradients[tensor * work.tasks + t];
      if (gradient == nullptr) continue;
      const double weight = work.weigh_gradients && work.weights ? static_cast<double>(work.weights[t]) : 1.0;
      gradients.push_back(static_cast<const Param*>(gradient));
      factors.push_back(static_cast<Computed<Param>>(scale * weight));
    }
  }
};

template <class Param, class State, bool Coupled, bool Amsgrad>
void update_tiles(const WeightedAdam& work, const std::vector<int64_t>& ends, int64_t first, int64_t last) {
  using Number = Computed<Param>;
  const double lr = work.lr_on_device ? static_cast<double>(*work.lr_on_device) : work.lr;
  Terms<Param> terms;
  std::vector<const Param*> at_tile;
  Tile<Param, State> tile{};
  float known_step = -1;
  const int count = static_cast<int>(work.tensors);
  for (int i = tensor_of_tile(ends.data(), count, first); first < last; ++i) {
    const int64_t begin = i == 0 ? 0 : ends[i - 1];
    const int64_t end = std::min(last, ends[i]);
    terms.gather(work, i);
    if (terms.gradients.empty()) {
      first = end;
      continue;
    }
    const float step = work.shared_step ? *work.shared_step : *work.steps[i];
    if (step != known_step) {
      tile.coefficients = adam_coefficients<Number>(lr, work.beta1, work.beta2, work.eps, work.weight_decay, !Coupled,
                                                    work.bias_correction, static_cast<double>(step) + 1.0);
      known_step = step;
    }
    tile.tasks = static_cast<int64_t>(terms.gradients.size());
    tile.factors = terms.factors.data();
    at_tile.resize(terms.gradients.size());
    for (; first < end; ++first) {
      const int64_t offset = (first - begin) * kTile;
      tile.size = std::min(kTile, work.sizes[i] - offset);
      tile.p = static_cast<Param*>(work.params[i]) + offset;
      tile.m = static_cast<State*>(work.exp_avgs[i]) + offset;
      tile.v = static_cast<State*>(work.exp_avg_sqs[i]) + offset;
      if constexpr (Amsgrad) tile.peak = static_cast<State*>(work.max_exp_avg_sqs[i]) + offset;
      for (size_t t = 0; t < at_tile.size(); ++t) at_tile[t] = terms.gradients[t] + offset;
      tile.gradients = at_tile.data();
      dispatch<UpdateTile<Param, State, Coupled, Amsgrad>>(static_cast<const Tile<Param, State>*>(&tile));
    }
  }
}

void advance_steps(const WeightedAdam& work) {
  bool any = false;
  for (int64_t i = 0; i < work.tensors; ++i) {
    if (!is_touched(work, i)) continue;
    any = true;
    if (work.shared_step == nullptr) *work.steps[i] += 1.0f;
  }
  if (work.shared_step != nullptr && any) *work.shared_step += 1.0f;
}

template <class Param, class State, bool Coupled, bool Amsgrad>
void update_all(const WeightedAdam& work) {
  std::vector<int64_t> ends(static_cast<size_t>(work.tensors));
  int64_t tiles = 0;
  for (int64_t i = 0; i < work.tensors; ++i) ends[i] = tiles += tiles_of(work.sizes[i], kTile);
  parallel(tiles, kGrain,
           [&](int64_t first, int64_t last) { update_tiles<Param, State, Coupled, Amsgrad>(work, ends, first, last); });
}

template <class Param, class State>
void update_all(const WeightedAdam& work) {
  const bool coupled = !work.decoupled && work.weight_decay != 0.0;
  if (work.max_exp_avg_sqs != nullptr) {
    coupled ? update_all<Param, State, true, true>(work) : update_all<Param, State, false, true>(work);
  } else {
    coupled ? update_all<Param, State, true, false>(work) : update_all<Param, State, false, false>(work);
  }
}

}  // namespace

void weighted_adam(const WeightedAdam& work) {
  if (work.total != nullptr) {
    double total = 0;
    for (int64_t t = 0; t < work.losses_count; ++t) {
      total += (work.weights ? static_cast<double>(work.weights[t]) : 1.0) * static_cast<double>(work.losses[t]);
    }
    *work.total = static_cast<float>(total);
  }
  if (work.found_inf != nullptr && *work.found_inf != 0.0f) return;
  if (work.param_dtype == DType::Float32) update_all<float, float>(work);
  if (work.param_dtype == DType::Float64) update_all<double, double>(work);
  if (work.param_dtype == DType::BFloat16) {
    work.state_dtype == DType::Float32 ? update_all<BFloat16, float>(work) : update_all<BFloat16, BFloat16>(work);
  }
  advance_steps(work);
}

}  // namespace mtlbench::cpu
