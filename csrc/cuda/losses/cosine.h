// Cosine: one thread per position.
#pragma once

#include "cuda/losses/positions.h"
#include "cuda/losses/row.h"
#include "math/losses/cosine.h"

namespace mtlbench::MTLBENCH_DEVICE {

template <class Stored>
__device__ double angles(const TaskLoss& task, const LossContext& context, int64_t tile) {
  using T = Computed<Stored>;
  const int64_t position = tile * kThreads + threadIdx.x;
  if (position >= task.positions()) return 0;
  const bool known = is_known(task, position, context.ignore_index);
  const auto row = row_at<Stored>(task, position, true, 0, 1);
  T product = 0, output_square = 0, target_square = 0;
  for (int64_t c = 0; c < row.classes; ++c) {
    const T x = computed(row.x[c * row.stride]), y = row.q[c * row.stride];
    product += x * y;
    output_square += x * x;
    target_square += y * y;
  }
  const Cosine<T> angle(product, output_square, target_square);
  for (int64_t c = 0; c < row.classes && row.gradient != nullptr; ++c) {
    const T slope = angle.slope(computed(row.x[c * row.stride]), row.q[c * row.stride]);
    row.gradient[c * row.stride] = stored<Stored>(known ? static_cast<T>(context.factor) * slope : T(0));
  }
  return known ? static_cast<double>(angle.loss()) : 0.0;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
