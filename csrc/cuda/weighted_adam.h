#pragma once

#include "math/weighted_adam.h"

namespace mtlbench::cuda {
void weighted_adam(const WeightedAdam& work, void* stream);
}
namespace mtlbench::emulated {
void weighted_adam(const WeightedAdam& work, void* stream);
}
