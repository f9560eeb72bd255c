// Absolute error: L = |x - y|, dL/dx = sign(x - y), and 0 where x = y.
#pragma once

#include "math/losses/loss.h"
#include "math/number.h"

namespace mtlbench {

struct L1 {
  template <class T>
  MTLBENCH_FN static LossAndSlope<T> at(T x, T y, T /*beta*/) {
    const T difference = x - y;
    const T size = difference < T(0) ? -difference : difference;
    const T positive = difference > T(0) ? T(1) : T(0);
    return {size, difference < T(0) ? T(-1) : positive};
  }
};

}  // namespace mtlbench
