// The kernel of a task's loss, for operations that iterate over the positions themselves.
#pragma once

#include <cstdlib>

#include "cpu/losses/piece.h"

namespace mtlbench::cpu {

using LossKernel = void (*)(Piece*);

LossKernel loss_kernel(const TaskLoss& task);

// The number of labelled positions; `error` names the first label out of range.
int64_t count_known(const TaskLoss& task, int64_t ignore_index, LabelError* error);

// Memory aligned to a cache line.
struct Scratch {
  explicit Scratch(int64_t doubles) : memory(std::aligned_alloc(64, static_cast<size_t>((doubles + 7) / 8 * 64))) {}
  ~Scratch() { std::free(memory); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* memory;
};

}  // namespace mtlbench::cpu
