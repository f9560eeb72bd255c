// Numbers as they are stored, and as they are used in computations.
//
//   stored     float   double   BFloat16   Float16
//   computed   float   double   float      float
//
// One header for g++ (CPU kernels, emulated CUDA kernels) and nvcc.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#define MTLBENCH_FN __host__ __device__ __forceinline__
#else
#define MTLBENCH_FN inline __attribute__((always_inline))
#endif

namespace mtlbench {

enum class DType : int32_t { Float32, Float64, BFloat16, Float16 };

struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

template <class Stored>
struct ComputedAs {
  using type = float;
};
template <>
struct ComputedAs<double> {
  using type = double;
};
template <class Stored>
using Computed = typename ComputedAs<Stored>::type;

namespace detail {
template <class To, class From>
MTLBENCH_FN To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(static_cast<void*>(&to), &from, sizeof to);  // through void*: __half has constructors
  return to;
}
}  // namespace detail

MTLBENCH_FN float computed(float x) {
  return x;
}
MTLBENCH_FN double computed(double x) {
  return x;
}
MTLBENCH_FN float computed(BFloat16 x) {
  return detail::bits_as<float>(uint32_t{x.bits} << 16);
}

// Branch-free so that the compiler can vectorise it. NaN keeps its sign and becomes quiet.
MTLBENCH_FN BFloat16 round_to_bfloat16(float x) {
  const uint32_t bits = detail::bits_as<uint32_t>(x);
  const uint32_t nearest_even = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet_nan = (bits >> 16) | 0x40u;
  return {static_cast<uint16_t>(x != x ? quiet_nan : nearest_even)};
}

#if defined(__CUDACC__)
MTLBENCH_FN float computed(Float16 x) {
  return __half2float(detail::bits_as<__half>(x));
}
MTLBENCH_FN Float16 round_to_float16(float x) {
  return detail::bits_as<Float16>(__float2half_rn(x));
}
#else
MTLBENCH_FN float computed(Float16 x) {
  return static_cast<float>(detail::bits_as<_Float16>(x));
}
MTLBENCH_FN Float16 round_to_float16(float x) {
  return detail::bits_as<Float16>(static_cast<_Float16>(x));
}
#endif

namespace detail {
template <class Stored>
struct Rounded {
  MTLBENCH_FN static Stored from(Stored x) { return x; }
};
template <>
struct Rounded<BFloat16> {
  MTLBENCH_FN static BFloat16 from(float x) { return round_to_bfloat16(x); }
};
template <>
struct Rounded<Float16> {
  MTLBENCH_FN static Float16 from(float x) { return round_to_float16(x); }
};
}  // namespace detail

// x rounded to nearest, ties to even, as it is stored.
template <class Stored>
MTLBENCH_FN Stored stored(Computed<Stored> x) {
  return detail::Rounded<Stored>::from(x);
}

}  // namespace mtlbench
