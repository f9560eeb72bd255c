// Element-wise losses: one vector of kVector numbers per thread.
#pragma once

#include "cuda/losses/positions.h"

namespace mtlbench::MTLBENCH_DEVICE {

template <class Stored, class Formula>
__device__ double elements(const TaskLoss& task, const LossContext& context, int64_t tile) {
  using T = Computed<Stored>;
  const int64_t first = tile * kTile + threadIdx.x * kVector;
  const int64_t count = task.positions() - first;
  if (count <= 0) return 0;
  const auto* outputs = static_cast<const Stored*>(task.outputs) + first;
  const auto* targets = static_cast<const T*>(task.targets) + first;
  T x[kVector], y[kVector];
  load(outputs, count, reinterpret_cast<uintptr_t>(outputs) % sizeof(Vector<Stored>) == 0, x);
  load(targets, count, reinterpret_cast<uintptr_t>(targets) % sizeof(Vector<T>) == 0, y);
  T sum = 0;
#pragma unroll
  for (int i = 0; i < kVector; ++i) {
    const bool known = i < count && (task.mask == nullptr || task.mask[(first + i) / task.mask_span]);
    const auto loss = Formula::at(x[i], y[i], static_cast<T>(task.beta));
    sum += known ? loss.value : T(0);
    x[i] = known ? loss.slope * static_cast<T>(context.factor) : T(0);
  }
  if (task.gradients != nullptr) {
    auto* gradients = static_cast<Stored*>(task.gradients) + first;
    store(gradients, count, reinterpret_cast<uintptr_t>(gradients) % sizeof(Vector<Stored>) == 0, x);
  }
  return static_cast<double>(sum);
}

}  // namespace mtlbench::MTLBENCH_DEVICE
