#pragma once

#include "math/weighted_adam.h"

namespace mtlbench::cpu {

void weighted_adam(const WeightedAdam& work);

}  // namespace mtlbench::cpu
