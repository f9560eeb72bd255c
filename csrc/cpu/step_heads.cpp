// Linear heads in two passes (formulas: math/step_heads.h).
//
//   rows      blocks of rows, shared by the threads: outputs, losses and their gradients D, then dh from the old W. A
//             block's outputs stay in the first-level cache until its D is found.
//   update    panels of W, shared by the threads: the gradient of a panel is summed over all rows in the first-level
//             cache, and Adam updates the panel from there.
//
// The heads of all tasks that share features are one matrix [C, width]: its rows, and its transpose, are packed once.
// Blocks and panels depend on shapes alone and sums are added in a fixed order: results do not depend on threads.
#include "cpu/step_heads.h"

#include "cpu/heads/call.h"
#include "cpu/heads/prepare.h"
#include "cpu/heads/rows.h"
#include "cpu/heads/update.h"
#include "cpu/losses/kernel.h"

namespace mtlbench::cpu {
namespace {

template <class Feature, class Param, class State>
LabelError run(const StepHeads& work) {
  HeadsCall<Feature, Param, State> call(work);
  if (const LabelError error = count_labels(call); error.task >= 0) return error;
  find_coefficients(call);
  const Scratch memory(lay_out(call, nullptr));
  lay_out(call, static_cast<Computed<Param>*>(memory.memory));
  call.share_out(call.packs, [&](int64_t g, int64_t panel) { pack(call, g, panel * kPanel); });
  call.share_out(call.blocks, [&](int64_t g, int64_t block) { work_on_rows(call, g, block * kBlockRows); });
  write_losses(call);
  call.share_out(call.panels, [&](int64_t g, int64_t panel) { update(call, g, panel); });
  advance_steps(work);
  return {};
}

}  // namespace

LabelError step_heads(const StepHeads& work) {
  if (work.param_dtype == DType::Float64) return run<double, double, double>(work);
  if (work.feature_dtype == DType::Float32) return run<float, float, float>(work);
  if (work.param_dtype == DType::Float32) return run<BFloat16, float, float>(work);
  return run<BFloat16, BFloat16, float>(work);
}

}  // namespace mtlbench::cpu
