// Smooth absolute error with knee beta >= 0, d = x - y:
//   |d| <  beta:  L = d^2 / (2 beta),     dL/dx = d / beta
//   |d| >= beta:  L = |d| - beta / 2,     dL/dx = sign(d)
// beta = 0 is the absolute error.
#pragma once

#include "math/losses/loss.h"
#include "math/number.h"

namespace mtlbench {

struct SmoothL1 {
  template <class T>
  MTLBENCH_FN static LossAndSlope<T> at(T x, T y, T beta) {
    const T difference = x - y;
    const T size = difference < T(0) ? -difference : difference;
    const T ratio = difference / beta;  // not selected where beta = 0
    const T sign = difference < T(0) ? T(-1) : T(1);
    const bool near = size < beta;
    const T inner = T(0.5) * difference * ratio;
    const T outer = size - T(0.5) * beta;
    return {near ? inner : outer, near ? ratio : (size == T(0) ? T(0) : sign)};
  }
};

}  // namespace mtlbench
