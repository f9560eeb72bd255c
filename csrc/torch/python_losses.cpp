// task_losses straight from Python's own lists: through torch.ops each tensor of a list is boxed, copied and counted,
// which costs more than a small loss. The call still goes through torch's dispatcher, so that modes, subclasses and
// autograd see it.
#include <pybind11/pybind11.h>
#include <torch/csrc/autograd/python_variable.h>

#include "torch/checks.h"
#include "torch/python.h"
#include "torch/task_losses.h"

namespace py = pybind11;

namespace mtlbench {
namespace {

const at::Tensor& tensor_in(PyObject* object, const char* argument) {
  MTLBENCH_CHECK_TYPE(THPVariable_Check(object), "task_losses: expected ", argument, " to be tensors, got ",
                      Py_TYPE(object)->tp_name);
  return THPVariable_Unpack(object);
}

// Calls visit(item) for each item of a list or tuple.
template <class Visit>
void for_each(py::handle sequence, const char* argument, const Visit& visit) {
  const auto fast = py::reinterpret_steal<py::object>(PySequence_Fast(sequence.ptr(), argument));
  if (!fast) throw py::error_already_set();
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.ptr()); ++i) visit(PySequence_Fast_GET_ITEM(fast.ptr(), i));
}

std::vector<at::Tensor> tensors_in(py::handle sequence, const char* argument) {
  std::vector<at::Tensor> tensors;
  for_each(sequence, argument, [&](PyObject* item) { tensors.push_back(tensor_in(item, argument)); });
  return tensors;
}

bool has_kernel(const at::Tensor& tensor) {
  return tensor.is_cpu() || (MTLBENCH_CUDA != 0 && tensor.is_cuda());
}

// (total, losses), or False for devices without a kernel.
py::object from_python(py::handle outputs, py::handle targets, py::handle kinds, py::handle weights, py::handle masks,
                       py::handle betas, bool mean, int64_t ignore_index, double label_smoothing) {
  const std::vector<at::Tensor> output_list = tensors_in(outputs, "outputs");
  if (output_list.empty() || !has_kernel(output_list[0])) return py::bool_(false);
  const std::vector<at::Tensor> target_list = tensors_in(targets, "targets");
  std::vector<int64_t> kind_list;
  for_each(kinds, "kinds", [&](PyObject* item) { kind_list.push_back(PyLong_AsLongLong(item)); });
  std::vector<double> beta_list;
  for_each(betas, "beta", [&](PyObject* item) { beta_list.push_back(PyFloat_AsDouble(item)); });
  Masks mask_list;
  for_each(masks, "masks", [&](PyObject* item) {
    mask_list.push_back(item == Py_None ? std::nullopt : std::optional<at::Tensor>(tensor_in(item, "masks")));
  });
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  std::optional<at::Tensor> weight_tensor;
  if (!weights.is_none()) weight_tensor = tensor_in(weights.ptr(), "weights");

  std::tuple<at::Tensor, at::Tensor> results;
  {
    const py::gil_scoped_release others_may_run;
    results = task_losses(output_list, target_list, kind_list, weight_tensor, mask_list, beta_list, mean, ignore_index,
                          label_smoothing);
  }
  return py::make_tuple(py::reinterpret_steal<py::object>(THPVariable_Wrap(std::move(std::get<0>(results)))),
                        py::reinterpret_steal<py::object>(THPVariable_Wrap(std::move(std::get<1>(results)))));
}

}  // namespace

void bind_losses(py::module_& m) {
  m.def("task_losses", &from_python, "mtlbench::task_losses, with kinds as numbers; False where there is no kernel");
}

}  // namespace mtlbench
