// Linear heads in one cooperative launch (formulas: math/step_heads.h).
//
//   1  outputs X = h W^T + b, by tiles of rows x classes; labelled positions are counted
//   -  barrier: the reciprocals, and with them what slopes are multiplied with
//   2  losses; X becomes D in place, a tile of rows of one task at a time
//   -  barrier: the losses
//   3  dh = D W, by tiles of rows x width, from the old W
//   -  barrier: what Adam shares for each tensor; steps advance
//   4  D^T h by tiles of classes x width, summed over all rows in registers and handed to Adam there
//
// The classes of all heads on the same features are numbered through, so that a tile may span many small heads. Tiles
// depend on shapes alone, a block takes every gridDim-th, and sums over tiles are added in their order: the same bits
// on every run and every GPU. Outputs and slopes [B, C] pass through memory (they stay in the second-level cache); the
// gradients of the heads do not.
#include <algorithm>

#include "cuda/block_product.h"
#include "cuda/grid_barrier.h"
#include "cuda/losses/loss_of_tile.h"
#include "cuda/step_heads.h"

namespace mtlbench::MTLBENCH_DEVICE {
namespace {

// The heads in the parameters of the launch. Ends count tiles, of each features or of each head, up to this one.
template <int64_t Capacity>
struct Table {
  Head heads[Capacity];
  TaskLoss tasks[Capacity];
  HeadFeatures features[Capacity];
  uint32_t output_ends[Capacity];
  uint32_t gradient_ends[Capacity];
  uint32_t update_ends[Capacity];
  uint32_t loss_ends[Capacity];
};
constexpr int64_t kFewHeads = 15;
static_assert(sizeof(Table<kMostHeads>) + sizeof(StepHeads) + kHeadBytes - 64 <= kParameterBytes);

template <class Number>
struct Workspace {
  double* sums;     // [loss tiles]
  int64_t* known;   // [loss tiles]: labelled positions
  double* factors;  // [heads]: w_t r_t
  double* reciprocals;
  AdamCoefficients<Number>* coefficients;  // [heads][2]: of matrix and bias
};

template <class Number>
Workspace<Number> lay_out(void* memory, int64_t tiles, int64_t heads) {
  auto* numbers = static_cast<double*>(memory);
  return {numbers, reinterpret_cast<int64_t*>(numbers + tiles), numbers + 2 * tiles, numbers + 2 * tiles + heads,
          reinterpret_cast<AdamCoefficients<Number>*>(numbers + 2 * (tiles + heads))};
}

// One launch; what its blocks share.
template <class Feature_, class Param_, class State_, class Table_>
struct Call {
  using Feature = Feature_;
  using Param = Param_;
  using State = State_;
  using Number = Computed<Param>;

  const StepHeads& work;
  const Table_& table;
  const Workspace<Number>& space;

  __device__ int heads() const { return static_cast<int>(work.losses.count); }
  __device__ int feature_count() const { return static_cast<int>(work.feature_count); }
};

MTLBENCH_FN int64_t sides(int64_t size) {
  return tiles_of(size, kSide);
}

// Calls visit(owner, tile of the owner) for this block's tiles.
template <class Visit>
__device__ void for_each_tile(const uint32_t* ends, int owners, const Visit& visit) {
  for (uint32_t tile = blockIdx.x; tile < ends[owners - 1]; tile += gridDim.x) {
    const int owner = tensor_of_tile(ends, owners, tile);
    visit(owner, static_cast<int64_t>(tile - (owner == 0 ? 0u : ends[owner - 1])));
  }
}

// --- Classes ------------------------------------------------------------------------------------------------------

// A class among those that share features.
struct Class {
  int head;         // -1 beyond the last
  int64_t number;   // in its head
  int64_t classes;  // of its head
};

template <class Call>
__device__ Class class_at(const Call& call, const HeadFeatures& features, int64_t number) {
  if (number >= features.classes) return {-1, 0, 0};
  int low = static_cast<int>(features.first_head), high = static_cast<int>(features.last_head) - 1;
  while (low < high) {  // the last head that begins at or before it
    const int middle = low + (high - low + 1) / 2;
    if (call.table.heads[middle].first_class <= number) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return {low, number - call.table.heads[low].first_class, call.table.heads[low].classes};
}

// kSide classes from `first` on, in shared memory; all threads call this, then wait.
template <class Call>
__device__ void find_classes(const Call& call, const HeadFeatures& features, int64_t first, Class* classes) {
  if (threadIdx.x < kSide) classes[threadIdx.x] = class_at(call, features, first + threadIdx.x);
  __syncthreads();
}

template <class Call>
__device__ typename Call::Number weight_at(const Call& call, const Class& row, int64_t column) {
  if (row.head < 0 || column >= call.work.width) return 0;
  const auto* matrix = static_cast<const typename Call::Param*>(call.table.heads[row.head].matrix.param);
  return computed(matrix[row.number * call.work.width + column]);
}

template <class Call>
__device__ typename Call::Number feature_at(const Call& call, const HeadFeatures& features, int64_t row,
                                            int64_t column) {
  if (row >= features.rows || column >= call.work.width) return 0;
  return computed(static_cast<const typename Call::Feature*>(features.features)[row * call.work.width + column]);
}

template <class Call>
__device__ typename Call::Number slope_at(const Call& call, const HeadFeatures& features, int64_t row,
                                          const Class& column) {
  if (row >= features.rows || column.head < 0) return 0;
  const auto* slopes = static_cast<const typename Call::Number*>(call.table.heads[column.head].outputs);
  return slopes[row * column.classes + column.number];
}

// --- 1: outputs, labels -------------------------------------------------------------------------------------------

template <class Call>
__device__ void count_labels(const Call& call) {
  for_each_tile(call.table.loss_ends, call.heads(), [&](int t, int64_t tile) {
    const TaskLoss& task = call.table.tasks[t];
    if (!is_counted(task)) return;
    const int64_t length = tile_positions(task);
    int64_t known = 0;
    for (int64_t p = tile * length + threadIdx.x; p < (tile + 1) * length && p < task.positions(); p += kThreads) {
      known += is_known(task, p, call.work.losses.ignore_index) ? 1 : 0;
    }
    known = block_sum(known);
    if (threadIdx.x == 0) call.space.known[(t == 0 ? 0u : call.table.loss_ends[t - 1]) + tile] = known;
  });
}

template <class Call>
__device__ void find_outputs(const Call& call) {
  using Number = typename Call::Number;
  __shared__ Class classes[kSide];
  for_each_tile(call.table.output_ends, call.feature_count(), [&](int g, int64_t tile) {
    const HeadFeatures& features = call.table.features[g];
    const int64_t row = tile / sides(features.classes) * kSide;
    __syncthreads();
    find_classes(call, features, tile % sides(features.classes) * kSide, classes);
    Number sums[kEach][kEach];
    multiply<Along::Length, Along::Length>(
        call.work.width, [](int64_t) {}, [&](int r, int64_t l) { return feature_at(call, features, row + r, l); },
        [&](int c, int64_t l) { return weight_at(call, classes[c], l); }, sums);
    for_each_sum(sums, [&](int r, int c, Number sum) {
      const Class& own = classes[c];
      if (row + r >= features.rows || own.head < 0) return;
      const Head& head = call.table.heads[own.head];
      const auto* bias = static_cast<const typename Call::Param*>(head.bias.param);
      if (bias != nullptr) sum += computed(bias[own.number]);
      static_cast<Number*>(head.outputs)[(row + r) * own.classes + own.number] = sum;
    });
  });
}

// The sum over the loss tiles of task t of what `numbers` holds for each, by one warp.
template <class Call, class T>
__device__ T sum_of_tiles(const Call& call, int t, const volatile T* numbers) {
  T sum = 0;
  const uint32_t first = t == 0 ? 0u : call.table.loss_ends[t - 1];
  for (uint32_t tile = first + threadIdx.x % 32; tile < call.table.loss_ends[t]; tile += 32) sum += numbers[tile];
  return group_sum(sum, 32);
}

// w_t r_t, by one block: a warp a task.
template <class Call>
__device__ void find_factors(const Call& call) {
  const TaskLosses& losses = call.work.losses;
  for (int t = static_cast<int>(threadIdx.x) / 32; t < call.heads(); t += kThreads / 32) {
    const TaskLoss& task = call.table.tasks[t];
    const int64_t known = is_counted(task) ? sum_of_tiles(call, t, call.space.known) : task.positions();
    const double r = reciprocal_of(known, losses.mean);
    if (threadIdx.x % 32 != 0) continue;
    call.space.reciprocals[t] = r;
    call.space.factors[t] = r * number_at(losses.weights, losses.dtype, t, 1.0);
  }
}

// --- 2: losses, D -------------------------------------------------------------------------------------------------

template <class Call>
__device__ void find_slopes(const Call& call) {
  for_each_tile(call.table.loss_ends, call.heads(), [&](int t, int64_t tile) {
    const volatile double* const factors = call.space.factors;  // written by another block in this launch
    const LossContext context{factors[t], call.work.losses.label_smoothing, call.work.losses.ignore_index};
    const double sum = block_sum(loss_of_tile<typename Call::Number>(call.table.tasks[t], context, tile));
    if (threadIdx.x == 0) call.space.sums[(t == 0 ? 0u : call.table.loss_ends[t - 1]) + tile] = sum;
  });
}

template <class Call>
__device__ void write_losses(const Call& call) {
  const volatile double* const reciprocals = call.space.reciprocals;
  for (int t = static_cast<int>(threadIdx.x) / 32; t < call.heads(); t += kThreads / 32) {
    const double sum = sum_of_tiles(call, t, call.space.sums);
    if (threadIdx.x % 32 == 0) {
      set_number(call.work.losses.losses, call.work.losses.dtype, t, sum * reciprocals[t]);
    }
  }
}

// --- 3: dh --------------------------------------------------------------------------------------------------------

template <class Call>
__device__ void find_feature_gradients(const Call& call) {
  using Number = typename Call::Number;
  __shared__ Class classes[kSide];
  const int64_t width = call.work.width;
  for_each_tile(call.table.gradient_ends, call.feature_count(), [&](int g, int64_t tile) {
    const HeadFeatures& features = call.table.features[g];
    const int64_t row = tile / sides(width) * kSide, column = tile % sides(width) * kSide;
    Number sums[kEach][kEach];
    multiply<Along::Length, Along::Side>(
        features.classes, [&](int64_t first) { find_classes(call, features, first, classes); },
        [&](int r, int64_t l) { return slope_at(call, features, row + r, classes[l % kDepth]); },
        [&](int c, int64_t l) { return weight_at(call, classes[l % kDepth], column + c); }, sums);
    for_each_sum(sums, [&](int r, int c, Number sum) {
      if (row + r >= features.rows || column + c >= width) return;
      static_cast<typename Call::Feature*>(features.gradient)[(row + r) * width + column + c] =
          stored<typename Call::Feature>(sum);
    });
  });
}

// --- 4: Adam ------------------------------------------------------------------------------------------------------

// By one block: a thread a tensor. Then all steps advance.
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

// A lane a class; the warps share the rows.
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

// --- Kernel and launch --------------------------------------------------------------------------------------------

template <class Feature, class Param, class State, class Table>
__global__ void __launch_bounds__(kThreads, 2)
    step_heads_kernel(const __grid_constant__ StepHeads work, const __grid_constant__ Table table,
                      const __grid_constant__ Workspace<Computed<Param>> space, unsigned ticket) {
  const Call<Feature, Param, State, Table> call{work, table, space};
  count_labels(call);
  find_outputs(call);
  grid_barrier(ticket, [&] { find_factors(call); });
  find_slopes(call);
  grid_barrier(ticket, [&] { write_losses(call); });
  find_feature_gradients(call);
  grid_barrier(ticket, [&] { find_coefficients(call); });
  update(call);
}

template <class Feature, class Param, class State, int64_t Capacity>
void launch_with_table(const StepHeads& work, void* stream) {
  Table<Capacity> table;
  uint32_t outputs = 0, gradients = 0, updates = 0, losses = 0;
  for (int64_t g = 0; g < work.feature_count; ++g) {
    const HeadFeatures& features = table.features[g] = work.features[g];
    table.output_ends[g] = outputs += static_cast<uint32_t>(sides(features.rows) * sides(features.classes));
    table.gradient_ends[g] = gradients += static_cast<uint32_t>(sides(features.rows) * sides(work.width));
    table.update_ends[g] = updates += static_cast<uint32_t>(sides(features.classes) * (sides(work.width) + 1));
  }
  for (int64_t t = 0; t < work.losses.count; ++t) {
    table.heads[t] = work.heads[t];
    const TaskLoss& task = table.tasks[t] = work.losses.tasks[t];
    table.loss_ends[t] = losses += static_cast<uint32_t>(tiles_of(task.positions(), tile_positions(task)));
  }
  auto* kernel = &step_heads_kernel<Feature, Param, State, Table<Capacity>>;
  const unsigned most = std::max({outputs, gradients, updates, losses, 1u});
  const unsigned blocks = std::min(most, resident_blocks(kernel, kThreads));
  launch("step_heads_", kernel,
         Grid{.blocks = blocks, .threads = kThreads, .cooperative = blocks > 1, .stream = stream}, work, table,
         lay_out<Computed<Param>>(work.losses.workspace, losses, work.losses.count), ticket_for(stream));
}

template <class Feature, class Param, class State>
void launch_for(const StepHeads& work, void* stream) {
  if (work.losses.count <= kFewHeads) {
    launch_with_table<Feature, Param, State, kFewHeads>(work, stream);
  } else {
    launch_with_table<Feature, Param, State, kMostHeads>(work, stream);
  }
}

}  // namespace

int64_t step_heads_workspace(const StepHeads& work) {
  int64_t tiles = 0;
  for (int64_t t = 0; t < work.losses.count; ++t) {
    const TaskLoss& task = work.losses.tasks[t];
    tiles += tiles_of(task.positions(), tile_positions(task));
  }
  return (2 * (tiles + work.losses.count)) * int64_t{sizeof(double)} +
         2 * work.losses.count * int64_t{sizeof(AdamCoefficients<double>)};
}

void step_heads(const StepHeads& work, void* stream) {
  if (work.param_dtype == DType::Float64) return launch_for<double, double, double>(work, stream);
  if (work.feature_dtype == DType::Float32) return launch_for<float, float, float>(work, stream);
  if (work.param_dtype == DType::Float32) return launch_for<BFloat16, float, float>(work, stream);
  launch_for<BFloat16, BFloat16, float>(work, stream);
}

}  // namespace mtlbench::MTLBENCH_DEVICE
