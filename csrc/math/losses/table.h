// The losses, one row each: the enum, the names that Python sees and the dispatch of all kernels derive from it.
// A new loss of single numbers is a header with its formula, included here, and a row. mtlbench/core/losses.py has the
// same names in the same order, which mtlbench/ops/backend.py checks when the module is loaded.
//
//   NUMBERS(name, Formula)   every number is a position: Formula::at(x, y, beta)
//   ROWS(name, Kind)         dimension 1 of the outputs belongs to one position; such a loss has kernels of its own, in
//                            cpu/losses/ and cuda/losses/, chosen in cpu/task_losses.cpp and cuda/losses/loss_of_tile.h
#pragma once

#include "math/losses/bce_with_logits.h"
#include "math/losses/huber.h"
#include "math/losses/l1.h"
#include "math/losses/mse.h"
#include "math/losses/smooth_l1.h"
#include "math/number.h"

#define MTLBENCH_LOSSES(NUMBERS, ROWS)    \
  ROWS(cross_entropy, CrossEntropy)       \
  NUMBERS(bce_with_logits, BceWithLogits) \
  NUMBERS(mse, Mse)                       \
  NUMBERS(l1, L1)                         \
  NUMBERS(smooth_l1, SmoothL1)            \
  NUMBERS(huber, Huber)                   \
  ROWS(cosine, Cosine)

#define MTLBENCH_NO_LOSS(name, Kind)  // for the rows of the table that a use skips

namespace mtlbench {

#define MTLBENCH_LOSS_KIND(name, Kind) Kind,
enum class LossKind : int32_t {
  MTLBENCH_LOSSES(MTLBENCH_LOSS_KIND, MTLBENCH_LOSS_KIND)
  // Without a name of its own: cross-entropy whose targets are floating-point numbers.
  CrossEntropyOfProbabilities,
};
#undef MTLBENCH_LOSS_KIND

#define MTLBENCH_LOSS_NAME(name, Kind) #name,
inline constexpr const char* kLossNames[] = {MTLBENCH_LOSSES(MTLBENCH_LOSS_NAME, MTLBENCH_LOSS_NAME)};
#undef MTLBENCH_LOSS_NAME

// Whether dimension 1 of the outputs belongs to one position.
MTLBENCH_FN bool spans_classes(LossKind kind) {
#define MTLBENCH_IS_KIND(name, Kind) || kind == LossKind::Kind
  return kind == LossKind::CrossEntropyOfProbabilities MTLBENCH_LOSSES(MTLBENCH_NO_LOSS, MTLBENCH_IS_KIND);
#undef MTLBENCH_IS_KIND
}

}  // namespace mtlbench
