// Kernels for one type that outputs are stored in, or for several.
#pragma once

#include <type_traits>

#include "cuda/device.h"
#include "math/number.h"

namespace mtlbench::MTLBENCH_DEVICE {

// The types that outputs may be stored in; a kernel for one of them takes fewer registers than one for all.
template <class... Stored>
struct Types {};
using AnyType = Types<float, BFloat16, Float16, double>;

// Calls run(Stored()) for the stored type of a task.
template <class First, class... Others, class Run>
__device__ void with_type(Types<First, Others...>, DType dtype, const Run& run) {
  constexpr DType kFirst = std::is_same_v<First, float>      ? DType::Float32
                           : std::is_same_v<First, double>   ? DType::Float64
                           : std::is_same_v<First, BFloat16> ? DType::BFloat16
                                                             : DType::Float16;
  if constexpr (sizeof...(Others) == 0) {
    run(First());
  } else {
    if (dtype == kFirst) return run(First());
    with_type(Types<Others...>(), dtype, run);
  }
}

}  // namespace mtlbench::MTLBENCH_DEVICE
