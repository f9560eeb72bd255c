// All blocks wait for each other in the middle of a cooperative launch, and the last to come does what is to be done
// between the two halves, for instance adding partial sums in their order.
//
// A barrier is two counters in device memory, zero when the module is loaded: the blocks that have come, which wraps to
// zero with the last one, and the times it has opened, which only changes. Nothing must be reset between launches, and
// graphs can replay it. Counters are shared out as tickets are (cuda/ticket.h).
#pragma once

#include "cuda/ticket.h"

namespace mtlbench::MTLBENCH_DEVICE {

struct BarrierCounters {
  unsigned arrived;
  unsigned opened;
};

static __device__ BarrierCounters barriers[kTickets];

// Every thread of every block calls this; the block that comes last calls between(), all its threads together. What
// any block wrote before is visible to between(), and what that wrote is visible to all blocks afterwards.
template <class Between>
__device__ void grid_barrier(unsigned ticket, const Between& between) {
  __shared__ bool last;
  __shared__ unsigned before;
  BarrierCounters& counters = barriers[ticket];
  volatile unsigned* const opened = &counters.opened;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    before = *opened;  // read first: it cannot change until this block has come
    __threadfence();
    last = atomicInc(&counters.arrived, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last) {
    __threadfence();
    between();
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd(&counters.opened, 1u);
  } else if (threadIdx.x == 0) {
    while (*opened == before) __nanosleep(64);
    __threadfence();
  }
  __syncthreads();
}

}  // namespace mtlbench::MTLBENCH_DEVICE
