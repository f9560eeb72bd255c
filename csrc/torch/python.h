// What the Python module holds besides the operations registered with torch.
#pragma once

#include <pybind11/pybind11.h>

namespace mtlbench {

void bind_adam(pybind11::module_& m);
void bind_losses(pybind11::module_& m);

}  // namespace mtlbench
