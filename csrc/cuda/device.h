// What a .cu file needs beside CUDA itself: a launch, the size of a persistent grid, and errors as exceptions.
//
// A .cu file is compiled twice: by nvcc into namespace mtlbench::cuda, and by g++ with MTLBENCH_EMULATED into
// mtlbench::emulated, where emulator/emulator.h runs every CUDA thread as a fiber on the host. So kernels start through
// launch(…), never through <<<…>>>; all else is plain CUDA: __shared__, __syncthreads, shuffles, atomics.
#pragma once

#include <cstddef>

#if defined(MTLBENCH_EMULATED)

#include "cuda/emulator/emulator.h"
#define MTLBENCH_DEVICE emulated

#else

#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#define MTLBENCH_DEVICE cuda

#endif

namespace mtlbench::MTLBENCH_DEVICE {

struct Grid {
  unsigned blocks;
  unsigned threads;          // a multiple of 32
  size_t shared_bytes = 0;   // dynamic shared memory, read through dynamic_shared()
  bool cooperative = false;  // all blocks at once: the kernel waits for other blocks
  void* stream = nullptr;
};

#if defined(MTLBENCH_EMULATED)

template <class... Parameters, class... Arguments>
void launch(const char*, void (*kernel)(Parameters...), const Grid& grid, const Arguments&... arguments) {
  ::mtlbench::emulator::run(grid.blocks, grid.threads, grid.shared_bytes, grid.cooperative,
                            [&] { kernel(static_cast<Parameters>(arguments)...); });
}

template <class... Parameters>
unsigned resident_blocks(void (*)(Parameters...), unsigned, size_t = 0) {
  return ::mtlbench::emulator::resident_blocks();
}

__device__ inline unsigned char* dynamic_shared() {
  return ::mtlbench::emulator::dynamic_shared();
}

#else

inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")");
}

template <class... Parameters, class... Arguments>
void launch(const char* what, void (*kernel)(Parameters...), const Grid& grid, Arguments&&... arguments) {
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(grid.blocks);
  config.blockDim = dim3(grid.threads);
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = static_cast<cudaStream_t>(grid.stream);
  config.attrs = &attribute;
  config.numAttrs = grid.cooperative ? 1 : 0;
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)..., nullptr};
        check(cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), pointers), what);
      },
      values);
}

// How many blocks of this kernel the current device runs at once: the grid of a persistent kernel. Asking the driver
// takes microseconds, so the answer is cached. Raises the limit on dynamic shared memory where the kernel needs it.
template <class... Parameters>
unsigned resident_blocks(void (*kernel)(Parameters...), unsigned threads, size_t shared_bytes = 0) {
  const void* entry = reinterpret_cast<const void*>(kernel);
  static std::mutex mutex;
  static std::map<std::tuple<const void*, int, unsigned, size_t>, unsigned> known;
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  const std::lock_guard<std::mutex> lock(mutex);
  unsigned& blocks = known[{entry, device, threads, shared_bytes}];
  if (blocks == 0) {
    if (shared_bytes > 48 * 1024) {
      check(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
            "shared memory");
    }
    int each = 0;
    int processors = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, entry, static_cast<int>(threads), shared_bytes),
          "occupancy");
    check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device), "multiprocessors");
    blocks = static_cast<unsigned>(each * processors);
  }
  return blocks;
}

__device__ inline unsigned char* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char mtlbench_dynamic_shared[];
  return mtlbench_dynamic_shared;
}

#endif

}  // namespace mtlbench::MTLBENCH_DEVICE
