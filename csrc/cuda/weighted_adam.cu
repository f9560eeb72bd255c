// Weighted loss, gradient combination and Adam for all parameters in one launch (formulas: math/weighted_adam.h).
//
//   traffic    (24 + 4 T) bytes per float parameter: p, m, v read and written, each g_t read once; g is never stored
//   grid       persistent: every block that fits at once owns one stretch of the tiles of all tensors
//   latency    no shared memory in the loop: a warp waits for another only where the step count changes
//   steps      read by all blocks, advanced by the block that finishes last
//
// The table of tensors travels in the launch's parameters (cuda/tensor_table.h), so the launch copies nothing to the
// device first and can be captured. More tensors than fit take more launches.
#include "cuda/tensor_table.h"
#include "cuda/ticket.h"
#include "cuda/weighted_adam.h"

namespace mtlbench::MTLBENCH_DEVICE {
namespace {

constexpr int64_t kMaxTasks = 1024;
constexpr int kTasksAtOnce = 4;  // loads in flight before the first is used

// Cells of a row.
enum Cell { kParam, kExpAvg, kExpAvgSq, kMaxExpAvgSq, kStep, kGradients };

template <class T>
__device__ T* pointer(const uint64_t* row, int cell) {
  return reinterpret_cast<T*>(row[cell]);
}

__device__ double weight_of(const WeightedAdam& work, int64_t task) {
  return work.weights != nullptr ? static_cast<double>(work.weights[task]) : 1.0;
}

// Total loss, in double, in the order of the tasks.
__device__ void write_total(const WeightedAdam& work) {
  double total = 0;
  for (int64_t t = 0; t < work.losses_count; ++t) total += weight_of(work, t) * static_cast<double>(work.losses[t]);
  *work.total = static_cast<float>(total);
}

// factors[t]: what multiplies gradient t, in shared memory.
template <class Number>
__device__ void write_factors(const WeightedAdam& work, Number* factors) {
  const double sign = work.maximize ? -1.0 : 1.0;
  const double scale = work.grad_scale != nullptr ? sign / static_cast<double>(*work.grad_scale) : sign;
  for (int64_t t = threadIdx.x; t < work.tasks; t += kThreads) {
    factors[t] = static_cast<Number>(scale * (work.weigh_gradients ? weight_of(work, t) : 1.0));
  }
  __syncthreads();
}

// sum[i] = sum_t factors[t] g_t[offset + i] over the tasks that touch the tensor.
template <class Param>
__device__ void combine(const uint64_t* row, int64_t tasks, const Computed<Param>* factors, int64_t offset,
                        int64_t count, bool aligned, Computed<Param>* sum) {
  for (int64_t first = 0; first < tasks; first += kTasksAtOnce) {
    Computed<Param> g[kTasksAtOnce][kVector];
#pragma unroll
    for (int t = 0; t < kTasksAtOnce; ++t) {
      const auto* gradient = first + t < tasks ? pointer<const Param>(row, kGradients + first + t) : nullptr;
      if (gradient != nullptr) load(gradient + offset, count, aligned, g[t]);
    }
#pragma unroll
    for (int t = 0; t < kTasksAtOnce; ++t) {
      if (first + t >= tasks || row[kGradients + first + t] == 0) continue;
#pragma unroll
      for (int i = 0; i < kVector; ++i) sum[i] += factors[first + t] * g[t][i];
    }
  }
}

template <bool Coupled, bool Amsgrad, class Param, class State>
__device__ void update(const uint64_t* row, const AdamCoefficients<Computed<Param>>& c, int64_t offset, int64_t count,
                       bool aligned, const Computed<Param>* g, Computed<Param>* p, Computed<Param>* m,
                       Computed<Param>* v) {
  Computed<Param> peak[kVector];
  if constexpr (Amsgrad) load(pointer<State>(row, kMaxExpAvgSq) + offset, count, aligned, peak);
#pragma unroll
  for (int i = 0; i < kVector; ++i) adam_element<Coupled, Amsgrad>(c, g[i], p[i], m[i], v[i], peak[i]);
  store(pointer<Param>(row, kParam) + offset, count, aligned, p);
  store(pointer<State>(row, kExpAvg) + offset, count, aligned, m);
  store(pointer<State>(row, kExpAvgSq) + offset, count, aligned, v);
  if constexpr (Amsgrad) store(pointer<State>(row, kMaxExpAvgSq) + offset, count, aligned, peak);
}

template <class Param, class State, class Table>
__global__ void __launch_bounds__(kThreads, sizeof(Computed<Param>) < 8 ? 4 : 2)
    weighted_adam_kernel(const __grid_constant__ WeightedAdam work, const __grid_constant__ Table table,
                         unsigned ticket, bool last_launch) {
  using Number = Computed<Param>;
  __shared__ Number factors[kMaxTasks];
  __shared__ AdamCoefficients<Number> coefficients;
  const bool coupled = !work.decoupled && work.weight_decay != 0.0;
  const bool amsgrad = work.max_exp_avg_sqs != nullptr;
  const bool skip = work.found_inf != nullptr && *work.found_inf != 0.0f;
  const double lr = work.lr_on_device != nullptr ? static_cast<double>(*work.lr_on_device) : work.lr;
  write_factors(work, factors);
  float known_step = -1;

  if (!skip) {
    for_each_share(table, blockIdx.x, gridDim.x, [&](int tensor, uint32_t first, uint32_t last) {
      const uint64_t* row = table.row(tensor);
      const float step = *pointer<const float>(row, kStep);
      if (step != known_step) {  // the same for all threads of the block
        __syncthreads();         // the slowest warp may still use the old coefficients
        if (threadIdx.x == 0) {
          coefficients = adam_coefficients<Number>(lr, work.beta1, work.beta2, work.eps, work.weight_decay, !coupled,
                                                   work.bias_correction, static_cast<double>(step) + 1.0);
        }
        __syncthreads();
        known_step = step;
      }
      const AdamCoefficients<Number> c = coefficients;
      const bool aligned = table.aligned(tensor);
      for (uint32_t tile = first; tile < last; ++tile) {
        const int64_t offset = int64_t{tile} * kTile + threadIdx.x * kVector;
        const int64_t count = table.size(tensor) - offset;
        if (count <= 0) break;
        Number p[kVector], m[kVector], v[kVector], g[kVector] = {};
        load(pointer<Param>(row, kParam) + offset, count, aligned, p);
        load(pointer<State>(row, kExpAvg) + offset, count, aligned, m);
        load(pointer<State>(row, kExpAvgSq) + offset, count, aligned, v);
        combine<Param>(row, work.tasks, factors, offset, count, aligned, g);
        if (amsgrad) {
          coupled ? update<true, true, Param, State>(row, c, offset, count, aligned, g, p, m, v)
                  : update<false, true, Param, State>(row, c, offset, count, aligned, g, p, m, v);
        } else {
          coupled ? update<true, false, Param, State>(row, c, offset, count, aligned, g, p, m, v)
                  : update<false, false, Param, State>(row, c, offset, count, aligned, g, p, m, v);
        }
      }
    });
  }

  if (last_launch && work.total != nullptr && blockIdx.x == 0 && threadIdx.x == 0) write_total(work);
  if (!is_last_block(ticket) || skip) return;
  if (work.shared_step == nullptr) {
    for (uint32_t i = threadIdx.x; i < table.tensors; i += kThreads) *pointer<float>(table.row(i), kStep) += 1.0f;
  } else if (last_launch && table.tensors != 0 && threadIdx.x == 0) {
    *work.shared_step += 1.0f;
  }
}

template <class Param, class State>
void launch_all(const WeightedAdam& work, void* stream) {
  std::vector<int64_t> touched;
  touched.reserve(static_cast<size_t>(work.tensors));
  for (int64_t i = 0; i < work.tensors; ++i) {
    if (is_touched(work, i)) touched.push_back(i);
  }
  const auto fill = [&](int64_t i, uint64_t* row) {
    row[kParam] = reinterpret_cast<uint64_t>(work.params[i]);
    row[kExpAvg] = reinterpret_cast<uint64_t>(work.exp_avgs[i]);
    row[kExpAvgSq] = reinterpret_cast<uint64_t>(work.exp_avg_sqs[i]);
    row[kMaxExpAvgSq] = work.max_exp_avg_sqs != nullptr ? reinterpret_cast<uint64_t>(work.max_exp_avg_sqs[i]) : 0;
    row[kStep] = reinterpret_cast<uint64_t>(work.shared_step != nullptr ? work.shared_step : work.steps[i]);
    for (int64_t t = 0; t < work.tasks; ++t)
      row[kGradients + t] = reinterpret_cast<uint64_t>(work.gradients[i * work.tasks + t]);
  };
  const unsigned ticket = ticket_for(stream);
  const auto start = [&](const auto& table, bool last_launch) {
    using Table = std::remove_cvref_t<decltype(table)>;
    auto* kernel = &weighted_adam_kernel<Param, State, Table>;
    const unsigned blocks = std::clamp(table.tiles, 1u, resident_blocks(kernel, kThreads));
    launch("weighted_adam_", kernel, Grid{.blocks = blocks, .threads = kThreads, .stream = stream}, work, table, ticket,
           last_launch);
  };
  start_with_tables(touched, work.sizes, static_cast<size_t>(kGradients + work.tasks), fill, start);
}

}  // namespace

void weighted_adam(const WeightedAdam& work, void* stream) {
  if (work.param_dtype == DType::Float32) launch_all<float, float>(work, stream);
  if (work.param_dtype == DType::Float64) launch_all<double, double>(work, stream);
  if (work.param_dtype == DType::BFloat16) {
    work.state_dtype == DType::Float32 ? launch_all<BFloat16, float>(work, stream)
                                       : launch_all<BFloat16, BFloat16>(work, stream);
  }
}

}  // namespace mtlbench::MTLBENCH_DEVICE
