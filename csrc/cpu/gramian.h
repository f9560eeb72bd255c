#pragma once

#include "math/gramian.h"

namespace mtlbench::cpu {

void gramian(const Gramian& work);

}  // namespace mtlbench::cpu
