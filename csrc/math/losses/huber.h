// Huber's loss with knee beta > 0 (torch calls it delta), d = x - y:
//   |d| <= beta:  L = d^2 / 2,                 dL/dx = d
//   |d| >  beta:  L = beta (|d| - beta / 2),   dL/dx = beta sign(d)
// It is beta times the smooth absolute error.
#pragma once

#include "math/losses/loss.h"
#include "math/number.h"

namespace mtlbench {

struct Huber {
  template <class T>
  MTLBENCH_FN static LossAndSlope<T> at(T x, T y, T beta) {
    const T difference = x - y;
    const T size = difference < T(0) ? -difference : difference;
    const T edge = difference < T(0) ? -beta : beta;
    const T inner = T(0.5) * difference * difference;
    const T outer = beta * (size - T(0.5) * beta);
    const bool near = size <= beta;
    return {near ? inner : outer, near ? difference : edge};
  }
};

}  // namespace mtlbench
