// A tiny CUDA machine on the host, so that kernels run, and fail, where there is no GPU.
//
// A block is an OS thread, its CUDA threads are fibers of it: __shared__ becomes `static thread_local`, a barrier is
// a switch to the next fiber, and blocks run truly concurrently. Between two barriers the fibers run in a shuffled
// order (seeded by the launch), so that a kernel that lacks a barrier gives wrong results here too. Memory is the
// host's: AddressSanitizer sees every access. Left out: memory spaces, timing, textures, 2-d blocks, everything unused.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local
#define __align__(n) alignas(n)

namespace mtlbench::emulator {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

// What the running fiber may ask. One per OS thread: the scheduler changes it at each switch.
struct Here {
  Index thread, block, block_size, grid_size;
};
Here& here();

void run(unsigned blocks, unsigned threads, size_t shared_bytes, bool cooperative, const std::function<void()>& kernel);
unsigned resident_blocks();
void set_resident_blocks(unsigned blocks);
unsigned char* dynamic_shared();

void wait_for_block();
void wait_for_warp(unsigned mask);
uint64_t exchange(unsigned mask, uint64_t value, unsigned source_lane);

template <class T>
T shuffle(unsigned mask, T value, unsigned source_lane) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source_lane);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline unsigned lane() {
  return here().thread.x % 32;
}

}  // namespace mtlbench::emulator

#define threadIdx (::mtlbench::emulator::here().thread)
#define blockIdx (::mtlbench::emulator::here().block)
#define blockDim (::mtlbench::emulator::here().block_size)
#define gridDim (::mtlbench::emulator::here().grid_size)

inline void __syncthreads() {
  ::mtlbench::emulator::wait_for_block();
}
inline void __syncwarp(unsigned mask = 0xffffffffu) {
  ::mtlbench::emulator::wait_for_warp(mask);
}
inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __nanosleep(unsigned nanoseconds);

template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
  return ::mtlbench::emulator::shuffle(mask, value, static_cast<unsigned>(source) % 32);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return ::mtlbench::emulator::shuffle(mask, value, ::mtlbench::emulator::lane() ^ static_cast<unsigned>(lanes));
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes) {
  const unsigned source = ::mtlbench::emulator::lane() + lanes;
  return ::mtlbench::emulator::shuffle(mask, value, source < 32 ? source : ::mtlbench::emulator::lane());
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned ballot = 0;
  for (unsigned source = 0; source < 32; ++source) {
    const int other = ::mtlbench::emulator::shuffle(mask, predicate, source);
    if ((mask >> source) & 1u) ballot |= (other != 0 ? 1u : 0u) << source;
  }
  return ballot;
}

template <class T>
T atomicAdd(T* where, T what) {
  T old, fresh;
  __atomic_load(where, &old, __ATOMIC_SEQ_CST);
  do {
    fresh = old + what;
  } while (!__atomic_compare_exchange(where, &old, &fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  return old;
}
inline unsigned atomicInc(unsigned* where, unsigned last) {
  unsigned old = __atomic_load_n(where, __ATOMIC_SEQ_CST);
  while (!__atomic_compare_exchange_n(where, &old, old >= last ? 0u : old + 1u, false, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST)) {
  }
  return old;
}
template <class T>
T atomicOr(T* where, T what) {
  return __atomic_fetch_or(where, what, __ATOMIC_SEQ_CST);
}
template <class T>
T atomicExch(T* where, T what) {
  return __atomic_exchange_n(where, what, __ATOMIC_SEQ_CST);
}
template <class T>
T atomicMax(T* where, T what) {
  T old = __atomic_load_n(where, __ATOMIC_SEQ_CST);
  while (old < what && !__atomic_compare_exchange_n(where, &old, what, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return old;
}
