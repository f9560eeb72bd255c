// The losses of one tile of positions, of any kind, as the threads of a block share them. Each function returns this
// thread's part of the sum of losses and writes gradients where they are wanted.
#pragma once

#include "cuda/losses/cosine.h"
#include "cuda/losses/elements.h"
#include "cuda/losses/softmax.h"
#include "math/losses/bce_with_logits.h"
#include "math/losses/huber.h"
#include "math/losses/l1.h"
#include "math/losses/mse.h"
#include "math/losses/smooth_l1.h"

namespace mtlbench::MTLBENCH_DEVICE {

template <class Stored>
__device__ double loss_of_tile(const TaskLoss& task, const LossContext& context, int64_t tile) {
  switch (task.kind) {
    case LossKind::CrossEntropy:
    case LossKind::CrossEntropyOfProbabilities:
      if (task.inner > 1) return columns<Stored>(task, context, tile);
      return task.classes >= kLongRow ? long_row<Stored>(task, context, tile) : rows<Stored>(task, context, tile);
    case LossKind::BceWithLogits:
      return elements<Stored, BceWithLogits>(task, context, tile);
    case LossKind::Mse:
      return elements<Stored, Mse>(task, context, tile);
    case LossKind::L1:
      return elements<Stored, L1>(task, context, tile);
    case LossKind::SmoothL1:
      return elements<Stored, SmoothL1>(task, context, tile);
    case LossKind::Huber:
      return elements<Stored, Huber>(task, context, tile);
    case LossKind::Cosine:
      return angles<Stored>(task, context, tile);
  }
  return 0;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
