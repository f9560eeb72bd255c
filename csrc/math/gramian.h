// The Gramian of the task gradients: all their norms and dot products.
//
//   G[t, u] = sum_i <g_t^i, g_u^i>          g_t^i: gradient of task t for tensor i; a missing one counts as zero
#pragma once

#include "math/number.h"

namespace mtlbench {

constexpr int64_t kGramianBlocks = 1024;  // CUDA: partial sums at most, each of 8 x 8 numbers
constexpr int64_t kGramianWorkspace = kGramianBlocks * 64;

// One call: n tensors, T tasks. Pointers to memory are on the device that runs it, those to pointers on the host.
struct Gramian {
  DType dtype = DType::Float32;
  int64_t tensors = 0;
  int64_t tasks = 0;
  const int64_t* sizes = nullptr;          // [n]
  const void* const* gradients = nullptr;  // [n][T]; null where the task does not touch the tensor
  void* gramian = nullptr;                 // [T][T]; double for double gradients, else float
  double* workspace = nullptr;             // CUDA: kGramianWorkspace + T T numbers
};

}  // namespace mtlbench
