// Squared error: L = (x - y)^2, dL/dx = 2 (x - y).
#pragma once

#include "math/losses/loss.h"
#include "math/number.h"

namespace mtlbench {

struct Mse {
  template <class T>
  MTLBENCH_FN static LossAndSlope<T> at(T x, T y, T /*beta*/) {
    const T difference = x - y;
    return {difference * difference, T(2) * difference};
  }
};

}  // namespace mtlbench
