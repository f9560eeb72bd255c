// Linear heads: forward, losses, gradients and their Adam update.
#pragma once

#include "math/step_heads.h"

namespace mtlbench::cpu {

// Where a label is out of range nothing changes, and the first one is returned.
LabelError step_heads(const StepHeads& work);

}  // namespace mtlbench::cpu
