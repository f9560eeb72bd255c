// The value of a loss at one element, and its derivative with respect to the network's output.
#pragma once

namespace mtlbench {

template <class T>
struct LossAndSlope {
  T value;  // L(x, y)
  T slope;  // dL/dx
};

}  // namespace mtlbench
