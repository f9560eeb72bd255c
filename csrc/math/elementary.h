// exp and log for the losses, in forms that a compiler turns into vector code: no tables, no branches, no calls.
//
// float on the host: error below 1.1 ulp for exp_nonpositive (all of [-87.33, 0] checked), below 1.0 ulp for
// log_positive; on the device, and for double, the library's own functions.
#pragma once

#include <cmath>
#include <limits>

#include "math/number.h"

namespace mtlbench {

// exp(x) for x <= 0; below -87.33, where the result would be denormal, 0. NaN stays NaN.
//
// x = n log 2 + r with |r| <= log(2) / 2, log 2 in two parts so that n log 2 is exact; a polynomial for exp(r); n is
// added to the exponent. Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
MTLBENCH_FN float exp_nonpositive(float x) {
#if defined(__CUDA_ARCH__)
  return expf(x);
#else
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693145751953125f) - n * 1.428606765330187e-06f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const uint32_t scaled = detail::bits_as<uint32_t>(p) + (detail::bits_as<uint32_t>(shifted) << 23);
  return x < -87.33f ? 0.0f : detail::bits_as<float>(scaled);
#endif
}

MTLBENCH_FN double exp_nonpositive(double x) {
  return exp(x);
}

// log(x) for normal x > 0; inf and NaN stay what they are.
//
// x = 2^n m with m in [sqrt(1/2), sqrt(2)), f = m - 1, and a polynomial for log(1 + f).
MTLBENCH_FN float log_positive(float x) {
#if defined(__CUDA_ARCH__)
  return logf(x);
#else
  const uint32_t bits = detail::bits_as<uint32_t>(x);
  const int32_t n = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
  const float f = detail::bits_as<float>(bits - (static_cast<uint32_t>(n) << 23)) - 1.0f;
  const float exponent = static_cast<float>(n);
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float square = f * f;
  const float tail = p * square * f + exponent * -2.12194440e-4f - 0.5f * square;
  const float result = exponent * 0.693359375f + (f + tail);
  return x < std::numeric_limits<float>::infinity() ? result : x;
#endif
}

MTLBENCH_FN double log_positive(double x) {
  return log(x);
}

// log(1 + x) for x in [0, 1]: what 1 + x loses by rounding comes back divided by 1 + x.
template <class T>
MTLBENCH_FN T log_one_plus(T x) {
  const T sum = T(1) + x;
  return log_positive(sum) + (x - (sum - T(1))) / sum;
}

}  // namespace mtlbench
