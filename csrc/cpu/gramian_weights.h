#pragma once

#include "math/gramian_weights.h"

namespace mtlbench::cpu {

void gramian_weights(const GramianWeights& work);

}  // namespace mtlbench::cpu
