// How an operation enters torch: one function template over the place where it runs, registered for each place.
//
//   template <Place place>
//   at::Tensor twice(const at::Tensor& x) {
//     const Site<place> site(x.device());
//     …
//     if constexpr (place == Place::Cpu) cpu::twice(work);
//     #if MTLBENCH_CUDA
//     if constexpr (place == Place::Cuda) cuda::twice(work, site.stream());
//     #endif
//     #if MTLBENCH_EMULATOR
//     if constexpr (place == Place::Emulated) emulated::twice(work, site.stream());
//     #endif
//     …
//   }
//   MTLBENCH_OPERATION(twice, "(Tensor x) -> Tensor")
//
// defines mtlbench::twice for CPU and, where nvcc was found, CUDA tensors, and mtlbench_emulated::twice, which runs the
// CUDA kernel on the host for CPU tensors (built unless MTLBENCH_EMULATOR=0).
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/library.h>

namespace mtlbench {

enum class Place { Cpu, Cuda, Emulated };

// The current stream of torch for this device, as the CUDA runtime wants it. Through c10's virtual interface, so that
// one source compiles against torch with and without CUDA.
inline void* current_stream(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

// Where the kernels of this call run: the device guard, and the stream to launch on.
template <Place place>
class Site {
 public:
  explicit Site(c10::Device device) : guard_(place == Place::Cuda ? std::optional<c10::Device>(device) : std::nullopt) {
    if constexpr (place == Place::Cuda) stream_ = current_stream(device);
  }
  void* stream() const { return stream_; }

 private:
  c10::OptionalDeviceGuard guard_;
  void* stream_ = nullptr;
};

}  // namespace mtlbench

#define MTLBENCH_OPERATION_CPU(name, schema)                  \
  TORCH_LIBRARY_FRAGMENT(mtlbench, m) {                       \
    m.def(#name schema);                                      \
  }                                                           \
  TORCH_LIBRARY_IMPL(mtlbench, CPU, m) {                      \
    m.impl(#name, &::mtlbench::name<::mtlbench::Place::Cpu>); \
  }

#if MTLBENCH_CUDA
#define MTLBENCH_OPERATION_CUDA(name)                          \
  TORCH_LIBRARY_IMPL(mtlbench, CUDA, m) {                      \
    m.impl(#name, &::mtlbench::name<::mtlbench::Place::Cuda>); \
  }
#else
#define MTLBENCH_OPERATION_CUDA(name)
#endif

#if MTLBENCH_EMULATOR
#define MTLBENCH_OPERATION_EMULATED(name, schema)                  \
  TORCH_LIBRARY_FRAGMENT(mtlbench_emulated, m) {                   \
    m.def(#name schema);                                           \
  }                                                                \
  TORCH_LIBRARY_IMPL(mtlbench_emulated, CPU, m) {                  \
    m.impl(#name, &::mtlbench::name<::mtlbench::Place::Emulated>); \
  }
#else
#define MTLBENCH_OPERATION_EMULATED(name, schema)
#endif

#define MTLBENCH_OPERATION(name, schema) \
  MTLBENCH_OPERATION_CPU(name, schema)   \
  MTLBENCH_OPERATION_CUDA(name)          \
  MTLBENCH_OPERATION_EMULATED(name, schema)
