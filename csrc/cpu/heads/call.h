// One call of step_heads_: what its passes share, and how they divide their parts among the threads.
#pragma once

#include <algorithm>
#include <vector>

#include "cpu/heads/product.h"
#include "cpu/parallel.h"
#include "math/step_heads.h"
#include "math/tiles.h"

namespace mtlbench::cpu {

inline constexpr int64_t kBlockRows = 48;                     // a multiple of kRows
inline constexpr int64_t kGradientRows = 4 * kRows;           // classes of a panel of W
inline constexpr int64_t kThreadProducts = int64_t{1} << 17;  // fewer do not pay for waking a thread

// Features and heads as the products need them: in the type of the computation, rows padded with zeros.
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

template <class Feature_, class Param_, class State_>
struct HeadsCall {
  using Feature = Feature_;
  using Param = Param_;
  using State = State_;
  using Number = Computed<Param>;

  explicit HeadsCall(const StepHeads& call)
      : work(call), width(call.width), padded_width(padded(call.width)), heads(call.losses.count) {}

  int64_t column_panels() const { return tiles_of(width, kPanel); }

  // Calls run(g, part) for the parts of all features; ends[g + 1] counts those up to g.
  template <class Run>
  void share_out(const std::vector<int64_t>& ends, const Run& run) const {
    const int64_t grain = std::max<int64_t>(1, ends.back() * kThreadProducts / std::max(products, kThreadProducts));
    parallel(ends.back(), grain, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        const int g = tensor_of_tile(ends.data() + 1, static_cast<int>(work.feature_count), part);
        run(g, part - ends[g]);
      }
    });
  }

  // Calls visit(t, from, to) for the heads that own classes [first, last), with those that each owns.
  template <class Visit>
  void for_each_head(int64_t g, int64_t first, int64_t last, const Visit& visit) const {
    for (int64_t t = work.features[g].first_head; t < work.features[g].last_head; ++t) {
      const Head& head = work.heads[t];
      const int64_t from = std::max(first, head.first_class);
      const int64_t to = std::min(last, head.first_class + head.classes);
      if (from < to) visit(t, from, to);
    }
  }

  const StepHeads& work;
  const int64_t width, padded_width, heads;
  int64_t products = 0;      // multiplications of one of the three products
  int64_t loss_scratch = 0;  // doubles
  std::vector<Packed<Number>> packed;
  std::vector<int64_t> packs, blocks, panels;  // up to each of the features: panels of classes, of rows, of updates
  std::vector<double> reciprocals, factors;    // r_t, w_t r_t
  std::vector<AdamCoefficients<Number>> coefficients;  // [2 heads]
  std::vector<int64_t> first_sums;
  std::vector<double> sums;  // of the losses, a block of rows each, task by task
};

}  // namespace mtlbench::cpu
