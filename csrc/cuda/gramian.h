#pragma once

#include "math/gramian.h"

namespace mtlbench::cuda {
void gramian(const Gramian& work, void* stream);
}
namespace mtlbench::emulated {
void gramian(const Gramian& work, void* stream);
}
