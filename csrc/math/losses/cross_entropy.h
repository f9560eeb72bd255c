// Cross-entropy of C logits x against target probabilities q:
//   L = sum_c q_c (log sum_k exp x_k - x_c),   dL/dx_c = Q p_c - q_c,   p = softmax(x),  Q = sum_c q_c
// With label smoothing e, a class index y means q_c = (1 - e) [c = y] + e / C, and given probabilities y_c mean
// q_c = (1 - e) y_c + e / C (which need not sum to 1).
//
// The largest logit is taken off first: top = max x, sum = sum_c exp(x_c - top), gap_c = top - x_c >= 0.
#pragma once

#include "math/elementary.h"
#include "math/number.h"

namespace mtlbench {

template <class T>
struct CrossEntropy {
  T kept;    // 1 - e
  T spread;  // e / C

  MTLBENCH_FN CrossEntropy(T smoothing, T classes) : kept(T(1) - smoothing), spread(smoothing / classes) {}

  // L for a class index: gap of the target class, sum of all gaps (used only where labels are smoothed).
  MTLBENCH_FN T index_loss(T sum, T target_gap, T gaps) const {
    const T smoothed = spread == T(0) ? T(0) : spread * gaps;  // a logit of -inf elsewhere must not make a NaN
    return log_positive(sum) + kept * target_gap + smoothed;
  }

  // q_c for one class of given probabilities.
  MTLBENCH_FN T smoothed(T probability) const { return kept * probability + spread; }

  // L for probabilities: total = sum_c q_c, gaps = sum_c q_c gap_c.
  MTLBENCH_FN static T probability_loss(T sum, T total, T gaps) { return total * log_positive(sum) + gaps; }
};

}  // namespace mtlbench
