// Which block finishes last? It may then use what all the others wrote: partial sums to add, counters to advance.
//
// Tickets lie in device memory that is zero when the module is loaded, and wrap to zero when the last block draws its
// own, so neither a memset nor an allocation is needed, and a CUDA graph can be replayed. Two launches that may overlap
// never share a ticket: launches of one stream follow each other and share the stream's; each captured launch, whose
// graph may later run beside any stream, takes one of its own for good.
#pragma once

#include <map>
#include <mutex>
#include <stdexcept>

#include "cuda/device.h"

namespace mtlbench::MTLBENCH_DEVICE {

constexpr unsigned kStreamTickets = 1024;
constexpr unsigned kTickets = 16384;

static __device__ unsigned tickets[kTickets];

inline bool is_captured([[maybe_unused]] void* stream) {
#if defined(MTLBENCH_EMULATED)
  return false;
#else
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(static_cast<cudaStream_t>(stream), &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
#endif
}

// The ticket of one launch on this stream, to be passed to the kernel.
inline unsigned ticket_for(void* stream) {
  static std::mutex mutex;
  static std::map<void*, unsigned> of_stream;
  static unsigned next_captured = kStreamTickets;
  const bool captured = is_captured(stream);
  const std::lock_guard<std::mutex> lock(mutex);
  if (captured) {
    if (next_captured == kTickets) throw std::runtime_error("tickets: too many kernels were captured in CUDA graphs");
    return next_captured++;
  }
  const auto found = of_stream.emplace(stream, static_cast<unsigned>(of_stream.size())).first;
  if (found->second >= kStreamTickets) throw std::runtime_error("tickets: kernels were launched on too many streams");
  return found->second;
}

// True in every thread of the block that calls this last; what other blocks wrote before is visible to it then.
// All threads of all blocks call this, once per launch.
__device__ inline bool is_last_block(unsigned ticket) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicInc(&tickets[ticket], gridDim.x - 1) == gridDim.x - 1;
  __syncthreads();
  if (last) __threadfence();
  return last;
}

}  // namespace mtlbench::MTLBENCH_DEVICE
