// Work divided among the threads that torch.set_num_threads allows (torch and this module use one OpenMP runtime).
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace mtlbench::cpu {

// Calls body(first, last) for consecutive parts of [0, count), each of `grain` or more (but for the last), as threads
// come free: large parts first, small ones at the end, so that uneven work and busy cores even out. Which thread gets
// which part changes from run to run, so a result must not depend on it: cut sums at fixed places, not at the parts.
// The body must not throw.
template <class Body>
void parallel(int64_t count, int64_t grain, const Body& body) {
  const int64_t parts = (count + grain - 1) / grain;
  const int team = static_cast<int>(std::min<int64_t>(parts, omp_in_parallel() ? 1 : omp_get_max_threads()));
  if (team <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(team)
  {
    int64_t first = next.load(std::memory_order_relaxed);
    while (first < count) {
      const int64_t last = std::min(count, first + std::max(grain, (count - first) / (2 * team)));
      if (next.compare_exchange_weak(first, last, std::memory_order_relaxed)) {
        body(first, last);
        first = next.load(std::memory_order_relaxed);
      }
    }
  }
}

}  // namespace mtlbench::cpu
