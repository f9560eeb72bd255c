// Linear heads, their losses, gradients and Adam update in one launch.
#pragma once

#include "math/step_heads.h"

namespace mtlbench::cuda {
int64_t step_heads_workspace(const StepHeads& work);  // bytes
void step_heads(const StepHeads& work, void* stream);
}  // namespace mtlbench::cuda

namespace mtlbench::emulated {
int64_t step_heads_workspace(const StepHeads& work);
void step_heads(const StepHeads& work, void* stream);
}  // namespace mtlbench::emulated
