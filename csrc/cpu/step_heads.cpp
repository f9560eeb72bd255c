// Linear heads in two passes (formulas: math/step_heads.h).
//
//   rows      blocks of rows, shared by the threads: outputs, losses and their gradients D, then dh from the old W. A
//             block's outputs stay in the first-level cache until its D is found.
//   columns   panels of W, shared by the threads: the gradient of a panel is summed over all rows in the first-level
//             cache, and Adam updates the panel from there.
//
// The heads of all tasks that share features are one matrix [C, width]: its rows, and its transpose, are packed once.
// Blocks and panels depend on shapes alone and sums are added in a fixed order: results do not depend on threads.
#include "cpu/step_heads.h"

#include <numeric>
#include <type_traits>
#include <vector>

#include "cpu/dispatch.h"
#include "cpu/heads/adam_row.h"
#include "cpu/heads/product.h"
#include "cpu/losses/kernel.h"
#include "cpu/parallel.h"
#include "math/tiles.h"

namespace mtlbench::cpu {
namespace {

constexpr int64_t kBlockRows = 48;                     // a multiple of kRows
constexpr int64_t kGradientRows = 4 * kRows;           // classes of a panel of W
constexpr int64_t kSummedRows = 128;                   // rows of h whose products are added in registers
constexpr int64_t kThreadProducts = int64_t{1} << 17;  // fewer do not pay for waking a thread

// Features and heads as the products want them: numbers that are computed with, rows filled up with zeros.
template <class Number>
struct Packed {
  const Number* features;  // [rows][feature_step]
  int64_t feature_step;
  Number* own_features;  // null where the features can be read as they are
  Number* matrix;        // [classes][padded width]
  Number* turned;        // panels of kPanel classes: [width][classes of the panel]
  Number* bias;          // [padded classes]
  Number* slopes;        // D: [rows][padded classes]
};

template <class Feature, class Param, class State>
class Call {
  using Number = Computed<Param>;

 public:
  explicit Call(const StepHeads& work)
      : work_(work), width_(work.width), padded_width_(padded(work.width)), heads_(work.losses.count) {}

  LabelError run() {
    if (const LabelError error = count_labels(); error.task >= 0) return error;
    find_coefficients();
    const Scratch memory(lay_out(nullptr));
    lay_out(static_cast<Number*>(memory.memory));
    share_out(packs_, [&](int64_t g, int64_t panel) { pack(g, panel * kPanel); });
    share_out(blocks_, [&](int64_t g, int64_t block) { work_on_rows(g, block * kBlockRows); });
    write_losses();
    share_out(panels_, [&](int64_t g, int64_t panel) { update(g, panel); });
    advance_steps();
    return {};
  }

 private:
  // --- Preparation ----------------------------------------------------------------------------------------------

  LabelError count_labels() {
    for (int64_t t = 0; t < heads_; ++t) {
      const TaskLoss& task = work_.losses.tasks[t];
      LabelError error;
      reciprocals_.push_back(reciprocal_of(count_known(task, work_.losses.ignore_index, &error), work_.losses.mean));
      if (error.task >= 0) return {t, error.position, error.label};
      factors_.push_back(reciprocals_[t] * number_at(work_.losses.weights, work_.losses.dtype, t, 1.0));
      loss_scratch_ = std::max(loss_scratch_, scratch_numbers(task));
    }
    return {};
  }

  void find_coefficients() {
    const double lr = work_.lr_on_device != nullptr ? static_cast<double>(*work_.lr_on_device) : work_.lr;
    const float* known = nullptr;
    for (int64_t t = 0; t < heads_; ++t) {
      for (const HeadTensor* tensor : {&work_.heads[t].matrix, &work_.heads[t].bias}) {
        if (tensor->param == nullptr || (known != nullptr && *tensor->step == *known)) {
          coefficients_.push_back(coefficients_.empty() ? AdamCoefficients<Number>{} : coefficients_.back());
          continue;
        }
        known = tensor->step;
        coefficients_.push_back(adam_coefficients<Number>(lr, work_.beta1, work_.beta2, work_.eps, work_.weight_decay,
                                                          !work_.couples_decay(), work_.bias_correction,
                                                          static_cast<double>(*known) + 1.0));
      }
    }
  }

  // Places all that is packed, from `memory` on; returns how many doubles it takes.
  int64_t lay_out(Number* memory) {
    int64_t used = 0;
    const auto take = [&](int64_t numbers) {
      Number* const place = memory + used;
      used += rounded_up(numbers, 64 / static_cast<int64_t>(sizeof(Number)));
      return place;
    };
    packed_.assign(work_.feature_count, {});
    blocks_.assign(1, 0);
    packs_.assign(1, 0);
    panels_.assign(1, 0);
    first_sums_.assign(1, 0);
    products_ = 0;
    for (int64_t g = 0; g < work_.feature_count; ++g) {
      const HeadFeatures& features = work_.features[g];
      Packed<Number>& packed = packed_[g];
      const int64_t classes = features.classes;
      const bool as_it_is = std::is_same_v<Feature, Number> && width_ == padded_width_;
      packed.own_features = as_it_is ? nullptr : take(features.rows * padded_width_);
      packed.feature_step = as_it_is ? width_ : padded_width_;
      packed.features = as_it_is ? static_cast<const Number*>(features.features) : packed.own_features;
      packed.matrix = take(classes * padded_width_);
      packed.turned = take(padded(classes) * width_);
      packed.bias = take(padded(classes));
      packed.slopes = take(features.rows * padded(classes));
      blocks_.push_back(blocks_.back() + tiles_of(features.rows, kBlockRows));
      packs_.push_back(packs_.back() + tiles_of(classes, kPanel));
      panels_.push_back(panels_.back() + (column_panels() + 1) * tiles_of(classes, kGradientRows));
      products_ += features.rows * classes * width_;
      for (int64_t t = features.first_head; t < features.last_head; ++t) {
        first_sums_.push_back(first_sums_.back() + tiles_of(features.rows, kBlockRows));
      }
    }
    sums_.resize(first_sums_.back());
    return used * static_cast<int64_t>(sizeof(Number)) / 8;
  }

  int64_t column_panels() const { return tiles_of(width_, kPanel); }

  // Calls work(g, part) for the parts of all features; ends[g + 1] counts those up to g.
  template <class Work>
  void share_out(const std::vector<int64_t>& ends, const Work& work) const {
    const int64_t grain = std::max<int64_t>(1, ends.back() * kThreadProducts / std::max(products_, kThreadProducts));
    parallel(ends.back(), grain, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        const int g = tensor_of_tile(ends.data() + 1, static_cast<int>(work_.feature_count), part);
        work(g, part - ends[g]);
      }
    });
  }

  // Calls visit(t, from, to) for the heads that own classes [first, last), with those that each owns.
  template <class Visit>
  void for_each_head(int64_t g, int64_t first, int64_t last, const Visit& visit) const {
    for (int64_t t = work_.features[g].first_head; t < work_.features[g].last_head; ++t) {
      const Head& head = work_.heads[t];
      const int64_t from = std::max(first, head.first_class);
      const int64_t to = std::min(last, head.first_class + head.classes);
      if (from < to) visit(t, from, to);
    }
  }

  // kPanel classes: their rows, transposed rows and biases.
  void pack(int64_t g, int64_t first) {
    const Packed<Number>& packed = packed_[g];
    const int64_t classes = work_.features[g].classes;
    const int64_t columns = std::min(kPanel, padded(classes) - first), own = std::min(columns, classes - first);
    std::fill(packed.bias + first, packed.bias + first + columns, Number(0));
    for_each_head(g, first, first + own, [&](int64_t t, int64_t from, int64_t to) {
      const Head& head = work_.heads[t];
      const auto* const matrix = static_cast<const Param*>(head.matrix.param);
      const auto* const bias = static_cast<const Param*>(head.bias.param);
      for (int64_t c = from; c < to; ++c) {
        fill_row(matrix + (c - head.first_class) * width_, packed.matrix + c * padded_width_);
        if (bias != nullptr) packed.bias[c] = computed(bias[c - head.first_class]);
      }
    });
    Number* to = packed.turned + first * width_;
    for (int64_t k = 0; k < width_; ++k, to += columns) {
      const Number* from = packed.matrix + first * padded_width_ + k;
      for (int64_t c = 0; c < own; ++c, from += padded_width_) to[c] = *from;
      std::fill(to + own, to + columns, Number(0));
    }
  }

  template <class Stored>
  void fill_row(const Stored* from, Number* to) const {
    for (int64_t k = 0; k < width_; ++k) to[k] = computed(from[k]);
    std::fill(to + width_, to + padded_width_, Number(0));
  }

  // --- Rows: outputs, losses, D, dh -----------------------------------------------------------------------------

  void work_on_rows(int64_t g, int64_t row) {
    const HeadFeatures& features = work_.features[g];
    const int64_t rows = std::min(kBlockRows, features.rows - row);
    const Scratch loss(loss_scratch_);
    alignas(64) Number sums[kBlockRows * kPanel];
    if (packed_[g].own_features != nullptr) {
      const auto* const from = static_cast<const Feature*>(features.features);
      for (int64_t r = row; r < row + rows; ++r) {
        fill_row(from + r * width_, packed_[g].own_features + r * padded_width_);
      }
    }
    find_outputs(g, row, rows, sums);
    for (int64_t t = features.first_head; t < features.last_head; ++t) find_slopes(g, t, row, rows, loss.memory);
    find_feature_gradients(g, row, rows, sums);
  }

  void find_outputs(int64_t g, int64_t row, int64_t rows, Number* sums) {
    const Packed<Number>& packed = packed_[g];
    const int64_t classes = work_.features[g].classes;
    for (int64_t first = 0; first < classes; first += kPanel) {
      const int64_t columns = std::min(kPanel, padded(classes) - first);
      multiply<Number>({packed.features + row * packed.feature_step, packed.feature_step, 1,
                        packed.turned + first * width_, columns, width_, rows, columns, sums});
      for_each_head(g, first, first + columns, [&](int64_t t, int64_t from, int64_t to) {
        const Head& head = work_.heads[t];
        auto* output = static_cast<Number*>(head.outputs) + row * head.classes + from - head.first_class;
        const Number *sum = sums + from - first, *const bias = packed.bias + from;
        for (int64_t r = 0; r < rows; ++r, output += head.classes, sum += kPanel) {
          for (int64_t c = 0; c < to - from; ++c) output[c] = sum[c] + bias[c];
        }
      });
    }
  }

  // The losses of some rows of a task; its outputs become D.
  void find_slopes(int64_t g, int64_t t, int64_t row, int64_t rows, void* scratch) {
    const TaskLoss& task = work_.losses.tasks[t];
    const Head& head = work_.heads[t];
    const Packed<Number>& packed = packed_[g];
    const int64_t each = spans_classes(task.kind) ? 1 : head.classes;  // positions of a row
    Piece piece{
        &task,   row * each, (row + rows) * each, factors_[t], work_.losses.label_smoothing, work_.losses.ignore_index,
        scratch, 0.0};
    loss_kernel(task)(&piece);
    sums_[first_sums_[t] + row / kBlockRows] = piece.sum;
    const auto* from = static_cast<const Number*>(head.outputs) + row * head.classes;
    const int64_t step = padded(work_.features[g].classes);
    Number* to = packed.slopes + row * step + head.first_class;
    for (int64_t r = 0; r < rows; ++r, from += head.classes, to += step) std::copy(from, from + head.classes, to);
    if (t + 1 < work_.features[g].last_head) return;
    for (int64_t r = row; r < row + rows; ++r) {
      std::fill(packed.slopes + r * step + work_.features[g].classes, packed.slopes + (r + 1) * step, Number(0));
    }
  }

  void find_feature_gradients(int64_t g, int64_t row, int64_t rows, Number* sums) {
    const HeadFeatures& features = work_.features[g];
    const Packed<Number>& packed = packed_[g];
    const int64_t step = padded(features.classes);
    for (int64_t first = 0; first < width_; first += kPanel) {
      const int64_t columns = std::min(kPanel, padded_width_ - first), own = std::min(columns, width_ - first);
      multiply<Number>({packed.slopes + row * step, step, 1, packed.matrix + first, padded_width_, features.classes,
                        rows, columns, sums});
      auto* to = static_cast<Feature*>(features.gradient) + row * width_ + first;
      for (int64_t r = 0; r < rows; ++r, to += width_) {
        for (int64_t k = 0; k < own; ++k) to[k] = stored<Feature>(sums[r * kPanel + k]);
      }
    }
  }

  void write_losses() {
    const TaskLosses& losses = work_.losses;
    for (int64_t t = 0; t < heads_; ++t) {
      const double sum = std::accumulate(sums_.begin() + first_sums_[t], sums_.begin() + first_sums_[t + 1], 0.0);
      set_number(losses.losses, losses.dtype, t, sum * reciprocals_[t]);
    }
  }

  // --- Columns: gradients of the heads, Adam --------------------------------------------------------------------

  // A panel of kGradientRows classes: of some columns of the matrices, or, the last of them, of the biases.
  void update(int64_t g, int64_t panel) {
    const int64_t first = panel / (column_panels() + 1) * kGradientRows;
    const int64_t last = std::min(first + kGradientRows, work_.features[g].classes);
    if (panel % (column_panels() + 1) < column_panels()) {
      update_matrices(g, first, last, panel % (column_panels() + 1) * kPanel);
    } else {
      update_biases(g, first, last);
    }
  }

  void update_matrices(int64_t g, int64_t first, int64_t last, int64_t column) {
    const Packed<Number>& packed = packed_[g];
    const int64_t step = padded(work_.features[g].classes);
    alignas(64) Number gradient[kGradientRows * kPanel] = {};
    add_over_rows(g,
                  {packed.slopes + first, 1, step, packed.features + column, packed.feature_step, 0, last - first,
                   std::min(kPanel, padded_width_ - column), nullptr},
                  gradient);
    for_each_head(g, first, last, [&](int64_t t, int64_t from, int64_t to) {
      const int64_t skipped = (from - work_.heads[t].first_class) * width_ + column;
      for (int64_t c = from; c < to; ++c) {
        update_row(work_.heads[t].matrix, coefficients_[2 * t], skipped + (c - from) * width_,
                   std::min(kPanel, width_ - column), gradient + (c - first) * kPanel);
      }
    });
  }

  void update_biases(int64_t g, int64_t first, int64_t last) {
    const Packed<Number>& packed = packed_[g];
    const Number one = 1;
    const int64_t start = first / kWidth * kWidth;  // kGradientRows is no multiple of it
    alignas(64) Number gradient[kRows * kPanel] = {};
    add_over_rows(
        g, {&one, 0, 0, packed.slopes + start, padded(work_.features[g].classes), 0, 1, padded(last - start), nullptr},
        gradient);
    for_each_head(g, first, last, [&](int64_t t, int64_t from, int64_t to) {
      const Head& head = work_.heads[t];
      if (head.bias.param == nullptr) return;
      update_row(head.bias, coefficients_[2 * t + 1], from - head.first_class, to - from, gradient + from - start);
    });
  }

  // Adds a product over all rows of the features to `gradient`, kSummedRows at a time.
  void add_over_rows(int64_t g, Product<Number> product, Number* gradient) const {
    alignas(64) Number sums[kGradientRows * kPanel];
    product.to = sums;
    for (int64_t row = 0; row < work_.features[g].rows; row += kSummedRows) {
      product.length = std::min(kSummedRows, work_.features[g].rows - row);
      multiply(product);
      for (int64_t r = 0; r < product.rows; ++r) {
        for (int64_t k = 0; k < product.columns; ++k) gradient[r * kPanel + k] += sums[r * kPanel + k];
      }
      product.left += product.length * product.left_step;
      product.right += product.length * product.right_step;
    }
  }

  void update_row(const HeadTensor& tensor, const AdamCoefficients<Number>& coefficients, int64_t offset, int64_t size,
                  const Number* gradient) const {
    auto* const peak = static_cast<State*>(tensor.max_exp_avg_sq);
    cpu::update_row<Param, State>(
        {size, static_cast<Param*>(tensor.param) + offset, static_cast<State*>(tensor.exp_avg) + offset,
         static_cast<State*>(tensor.exp_avg_sq) + offset, peak != nullptr ? peak + offset : nullptr, gradient,
         Number(work_.maximize ? -1 : 1), coefficients},
        work_.couples_decay());
  }

  void advance_steps() const {
    if (work_.shared_step) {
      *work_.heads[0].matrix.step += 1.0f;
      return;
    }
    for (int64_t t = 0; t < heads_; ++t) {
      *work_.heads[t].matrix.step += 1.0f;
      if (work_.heads[t].bias.param != nullptr) *work_.heads[t].bias.step += 1.0f;
    }
  }

  const StepHeads& work_;
  const int64_t width_, padded_width_, heads_;
  int64_t products_ = 0;      // multiplications of one of the three products
  int64_t loss_scratch_ = 0;  // doubles
  std::vector<Packed<Number>> packed_;
  std::vector<int64_t> packs_, blocks_, panels_;  // up to each of the features: panels of classes, of rows, of updates
  std::vector<double> reciprocals_, factors_;     // r_t, w_t r_t
  std::vector<AdamCoefficients<Number>> coefficients_;  // [2 heads]
  std::vector<int64_t> first_sums_;
  std::vector<double> sums_;  // of the losses, a block of rows each, task by task
};

}  // namespace

LabelError step_heads(const StepHeads& work) {
  if (work.param_dtype == DType::Float64) return Call<double, double, double>(work).run();
  if (work.feature_dtype == DType::Float32) return Call<float, float, float>(work).run();
  if (work.param_dtype == DType::Float32) return Call<BFloat16, float, float>(work).run();
  return Call<BFloat16, BFloat16, float>(work).run();
}

}  // namespace mtlbench::cpu
