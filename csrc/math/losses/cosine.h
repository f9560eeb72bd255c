// Cosine distance of two vectors over the class dimension (surface normals):
//   L = 1 - cos,   cos = <x, y> / (|x| |y|),   dL/dx_c = cos x_c / |x|^2 - y_c / (|x| |y|)
// Norms are at least 1e-8, as in torch; where |x| is cut off there, it counts as a constant.
#pragma once

#include <cmath>

#include "math/number.h"

namespace mtlbench {

template <class T>
struct Cosine {
  T cosine;
  T along_output;  // cos / |x|^2
  T along_target;  // 1 / (|x| |y|)

  // From <x, y>, |x|^2 and |y|^2.
  MTLBENCH_FN Cosine(T product, T output_square, T target_square) {
    const T least = T(1e-8);
    const T output_norm = sqrt(output_square), target_norm = sqrt(target_square);
    const bool cut = output_norm < least;
    const T x = cut ? least : output_norm;
    const T y = target_norm < least ? least : target_norm;
    along_target = T(1) / (x * y);
    cosine = product * along_target;
    along_output = cut ? T(0) : cosine / (x * x);
  }

  MTLBENCH_FN T loss() const { return T(1) - cosine; }
  MTLBENCH_FN T slope(T x, T y) const { return along_output * x - along_target * y; }
};

}  // namespace mtlbench
