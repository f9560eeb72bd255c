#include "cpu/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace mtlbench::cpu {
namespace {

Isa best_of_machine() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return Isa::Avx512;
  if (avx2) return Isa::Avx2;
#endif
  return Isa::Baseline;
}

Isa choose() {
  const Isa best = best_of_machine();
  const char* named = std::getenv("MTLBENCH_CPU");
  if (named == nullptr) return best;
  const std::string_view name = named;
  if (name == "baseline") return Isa::Baseline;
  if (name == "avx2") return std::min(best, Isa::Avx2);
  return best;
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const char* isa_name() {
  constexpr const char* names[] = {"baseline", "avx2", "avx512"};
  return names[static_cast<int>(isa())];
}

}  // namespace mtlbench::cpu
