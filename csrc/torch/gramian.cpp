// mtlbench::gramian: all norms and dot products of the task gradients in one launch.
#include "math/gramian.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include "cpu/gramian.h"
#include "cuda/gramian.h"
#include "torch/checks.h"
#include "torch/operation.h"

// gradients[k] is that of tensor places[k] / tasks for task places[k] % tasks; what has no place counts as zero.
namespace mtlbench {
namespace {

constexpr int64_t kMaxTasks = 256;

// The memory of a gradient in the layout of the tensor's other gradients, `like`: dense, and the same strides.
const void* memory_of(const at::Tensor& gradient, at::Tensor& like, std::vector<at::Tensor>& copies, int64_t task,
                      int64_t tensor) {
  MTLBENCH_CHECK_VALUE(gradient.layout() == c10::kStrided, "gramian: expected a dense gradients[", task, "][", tensor,
                       "], got layout ", gradient.layout());
  if (!like.defined()) {
    like = gradient.is_non_overlapping_and_dense() ? gradient : copies.emplace_back(gradient.contiguous());
    return like.const_data_ptr();
  }
  MTLBENCH_CHECK_VALUE(gradient.sizes() == like.sizes(), "gramian: expected gradients[", task, "][", tensor,
                       "] of shape ", like.sizes(), " as that of the other tasks, got ", gradient.sizes());
  if (gradient.strides() == like.strides()) return gradient.const_data_ptr();
  return copies.emplace_back(at::empty_strided(like.sizes(), like.strides(), like.options()).copy_(gradient))
      .const_data_ptr();
}

}  // namespace

template <Place place>
at::Tensor gramian(at::TensorList gradients, at::IntArrayRef places, int64_t tensors, int64_t tasks) {
  MTLBENCH_CHECK_VALUE(tasks >= 1 && tasks <= kMaxTasks, "gramian: expected 1 to ", kMaxTasks, " tasks, got ", tasks);
  MTLBENCH_CHECK_VALUE(gradients.size() == places.size() && !gradients.empty(),
                       "gramian: expected a place for each of ", gradients.size(), " gradients, one at least, got ",
                       places.size(), " places");
  std::vector<int64_t> sizes(static_cast<size_t>(tensors));
  std::vector<const void*> pointers(static_cast<size_t>(tensors * tasks));
  std::vector<at::Tensor> copies;
  std::vector<at::Tensor> like(static_cast<size_t>(tensors));
  const at::Tensor& any = gradients[0];
  for (size_t k = 0; k < gradients.size(); ++k) {
    MTLBENCH_CHECK_VALUE(places[k] >= 0 && places[k] < tensors * tasks, "gramian: expected places below ",
                         tensors * tasks, ", got ", places[k]);
    const int64_t i = places[k] / tasks;
    pointers[places[k]] = memory_of(gradients[k], like[i], copies, places[k] % tasks, i);
    sizes[i] = gradients[k].numel();
    MTLBENCH_CHECK_TYPE(gradients[k].scalar_type() == any.scalar_type() && gradients[k].device() == any.device(),
                        "gramian: expected gradients of one dtype on one device, got ", gradients[k].scalar_type(),
                        " on ", gradients[k].device(), " beside ", any.scalar_type(), " on ", any.device());
  }
  const Site<place> site(any.device());
  const auto options = any.options().dtype(any.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  at::Tensor result = at::empty({tasks, tasks}, options);
  Gramian work{dtype_of(any.scalar_type(), "gramian", "gradients"),
               tensors,
               tasks,
               sizes.data(),
               pointers.data(),
               result.mutable_data_ptr(),
               nullptr};
  MTLBENCH_CHECK_TYPE(work.dtype != DType::Float16,
                      "gramian: expected gradients of dtype float32, float64 or bfloat16, ", "got float16");
  if constexpr (place == Place::Cpu) {
    cpu::gramian(work);
  } else {
#if MTLBENCH_CUDA || MTLBENCH_EMULATOR
    const at::Tensor workspace = at::empty({kGramianWorkspace + tasks * tasks}, options.dtype(at::kDouble));
    work.workspace = static_cast<double*>(workspace.mutable_data_ptr());
#endif
#if MTLBENCH_CUDA
    if constexpr (place == Place::Cuda) cuda::gramian(work, site.stream());
#endif
#if MTLBENCH_EMULATOR
    if constexpr (place == Place::Emulated) emulated::gramian(work, site.stream());
#endif
  }
  return result;
}

MTLBENCH_OPERATION(gramian, "(Tensor[] gradients, int[] places, int tensors, int tasks) -> Tensor")

}  // namespace mtlbench
