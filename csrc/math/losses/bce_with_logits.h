// Binary cross-entropy of a logit x against a probability y:
//   L = max(x, 0) - x y + log(1 + exp(-|x|)),   dL/dx = sigmoid(x) - y
// Only exp(-|x|) is taken, so nothing overflows.
#pragma once

#include "math/elementary.h"
#include "math/losses/loss.h"
#include "math/number.h"

namespace mtlbench {

struct BceWithLogits {
  template <class T>
  MTLBENCH_FN static LossAndSlope<T> at(T x, T y, T /*beta*/) {
    const bool negative = x < T(0);
    const T tail = exp_nonpositive(negative ? x : -x);  // a NaN logit passes through
    const T sigmoid = (negative ? tail : T(1)) / (T(1) + tail);
    const T positive_part = negative ? T(0) : x;
    return {positive_part - x * y + log_one_plus(tail), sigmoid - y};
  }
};

}  // namespace mtlbench
