// Work shared out over the threads that torch.set_num_threads allows (torch and this module use one OpenMP runtime).
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace mtlbench::cpu {

// Calls body(first, last) for contiguous parts of [0, count), at most one a thread and none smaller than `grain`
// (but for the last). Which thread does what must not show in the result: cut sums at fixed places, not at the parts.
// The body must not throw.
template <class Body>
void parallel(int64_t count, int64_t grain, const Body& body) {
  const int64_t wanted = (count + grain - 1) / std::max<int64_t>(grain, 1);
  const int threads = static_cast<int>(std::min<int64_t>(wanted, omp_in_parallel() ? 1 : omp_get_max_threads()));
  if (threads <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const int64_t team = omp_get_num_threads();
    const int64_t rank = omp_get_thread_num();
    const int64_t first = count * rank / team;
    const int64_t last = count * (rank + 1) / team;
    if (first < last) body(first, last);
  }
}

}  // namespace mtlbench::cpu
