// One binary, every x86-64: a kernel body is compiled for AVX-512, AVX2 and the baseline, and chosen when it is called.
//
//   struct Scale {                                       // a kernel body: a static always-inlined function
//     static MTLBENCH_FN void run(float* x, int64_t n) { for (int64_t i = 0; i < n; ++i) x[i] *= 2.0f; }
//   };
//   cpu::dispatch<Scale>(x, n);
//
// The body is inlined into one function per instruction set and vectorised there, so it must call only MTLBENCH_FN
// functions: a function compiled apart keeps the baseline's instructions.
#pragma once

#include "math/number.h"

namespace mtlbench::cpu {

enum class Isa { Baseline, Avx2, Avx512 };

// The best instruction set of this machine, or a lesser one named by MTLBENCH_CPU = baseline | avx2 | avx512.
Isa isa();
const char* isa_name();

#if defined(__x86_64__)
#define MTLBENCH_TARGET_AVX2 __attribute__((target("avx2,fma,f16c,bmi,bmi2")))
#define MTLBENCH_TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,prefer-vector-width=512")))
#else
#define MTLBENCH_TARGET_AVX2
#define MTLBENCH_TARGET_AVX512
#endif

template <class Body, class... Arguments>
__attribute__((noinline)) void run_baseline(Arguments... arguments) {
  Body::run(arguments...);
}
template <class Body, class... Arguments>
__attribute__((noinline)) MTLBENCH_TARGET_AVX2 void run_avx2(Arguments... arguments) {
  Body::run(arguments...);
}
template <class Body, class... Arguments>
__attribute__((noinline)) MTLBENCH_TARGET_AVX512 void run_avx512(Arguments... arguments) {
  Body::run(arguments...);
}

template <class Body, class... Arguments>
inline void dispatch(Arguments... arguments) {
  switch (isa()) {
    case Isa::Avx512:
      return run_avx512<Body, Arguments...>(arguments...);
    case Isa::Avx2:
      return run_avx2<Body, Arguments...>(arguments...);
    case Isa::Baseline:
      return run_baseline<Body, Arguments...>(arguments...);
  }
}

}  // namespace mtlbench::cpu
