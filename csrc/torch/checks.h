// Checks of arguments. Messages name the operation, the argument and the task, and say what was expected and found.
#pragma once

#include <ATen/core/Tensor.h>

#include "math/number.h"

namespace mtlbench {

// TypeError for a wrong dtype, device or kind; ValueError for a wrong shape or number: as Python would have it.
#define MTLBENCH_CHECK_TYPE(condition, ...) TORCH_CHECK_TYPE(condition, __VA_ARGS__)
#define MTLBENCH_CHECK_VALUE(condition, ...) TORCH_CHECK_VALUE(condition, __VA_ARGS__)

inline DType dtype_of(c10::ScalarType type, const char* operation, const char* argument) {
  switch (type) {
    case at::kFloat:
      return DType::Float32;
    case at::kDouble:
      return DType::Float64;
    case at::kBFloat16:
      return DType::BFloat16;
    case at::kHalf:
      return DType::Float16;
    default:
      MTLBENCH_CHECK_TYPE(false, operation, ": expected ", argument,
                          " of dtype float32, bfloat16, float16 or float64, got ", type);
  }
}

// Lists of tensors are as long as the list of parameters; `name` says what they hold.
inline void check_length(size_t length, size_t expected, const char* operation, const char* name) {
  MTLBENCH_CHECK_VALUE(length == expected, operation, ": expected ", expected, " ", name, " as params, got ", length);
}

inline void check_device(const at::Tensor& tensor, c10::Device device, const char* operation, const char* argument,
                         int64_t index) {
  MTLBENCH_CHECK_TYPE(tensor.device() == device, operation, ": expected ", argument, "[", index, "] on ", device,
                      " as the others, got ", tensor.device());
}

}  // namespace mtlbench
