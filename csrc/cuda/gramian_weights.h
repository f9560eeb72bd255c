#pragma once

#include "math/gramian_weights.h"

namespace mtlbench::cuda {
void gramian_weights(const GramianWeights& work, void* stream);
}
namespace mtlbench::emulated {
void gramian_weights(const GramianWeights& work, void* stream);
}
