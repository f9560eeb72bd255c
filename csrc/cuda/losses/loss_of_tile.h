// The losses of one tile of positions, of any kind, as the threads of a block share them. Each function returns this
// thread's part of the sum of losses and writes gradients where they are wanted.
#pragma once

#include "cuda/losses/cosine.h"
#include "cuda/losses/elements.h"
#include "cuda/losses/softmax.h"
#include "math/losses/table.h"

namespace mtlbench::MTLBENCH_DEVICE {

template <class Stored>
__device__ double loss_of_tile(const TaskLoss& task, const LossContext& context, int64_t tile) {
  switch (task.kind) {
    case LossKind::CrossEntropy:
    case LossKind::CrossEntropyOfProbabilities:
      if (task.inner > 1) return columns<Stored>(task, context, tile);
      return task.classes >= kLongRow ? long_row<Stored>(task, context, tile) : rows<Stored>(task, context, tile);
    case LossKind::Cosine:
      return angles<Stored>(task, context, tile);
#define MTLBENCH_CASE(name, Formula) \
  case LossKind::Formula:            \
    return elements<Stored, Formula>(task, context, tile);
      MTLBENCH_LOSSES(MTLBENCH_CASE, MTLBENCH_NO_LOSS)
#undef MTLBENCH_CASE
  }
  return 0;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
