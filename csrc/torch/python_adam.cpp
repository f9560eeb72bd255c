// weighted_adam_ straight from Python's own lists and dicts.
//
// Through torch's dispatcher each tensor of a list is boxed, copied and counted: 0.15 microseconds, a third of the
// whole update where tensors are small. Here the lists are read in place. Whatever is not plain (tensor subclasses,
// modes, functional transforms, other devices and dtypes) is left to the dispatcher: the functions below return False
// then.
#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <pybind11/pybind11.h>
#include <torch/csrc/autograd/python_variable.h>

#include "torch/adam_table.h"
#include "torch/checks.h"
#include "torch/python.h"

namespace py = pybind11;

namespace mtlbench {
namespace {

constexpr const char* kName = "weighted_adam_";
constexpr bool kHasCuda = MTLBENCH_CUDA != 0;

bool is_tensor(PyObject* object) {
  return PyType_IsSubtype(Py_TYPE(object), reinterpret_cast<PyTypeObject*>(THPVariableClass)) != 0;
}

// The tensor in a Python object; null for None.
const at::Tensor* tensor_or_null(PyObject* object, const char* name) {
  if (object == nullptr || object == Py_None) return nullptr;
  MTLBENCH_CHECK_TYPE(is_tensor(object), kName, ": expected ", name, " to be tensors, got ", Py_TYPE(object)->tp_name);
  return &THPVariable_Unpack(object);
}

const at::Tensor& tensor_in(PyObject* object, const char* name) {
  const at::Tensor* tensor = tensor_or_null(object, name);
  MTLBENCH_CHECK_TYPE(tensor != nullptr, kName, ": expected ", name, " to be tensors, got None");
  return *tensor;
}

std::optional<at::Tensor> optional_tensor(py::handle object, const char* name) {
  const at::Tensor* tensor = tensor_or_null(object.ptr(), name);
  return tensor != nullptr ? std::optional<at::Tensor>(*tensor) : std::nullopt;
}

// Memory that may be read and written as it stands. Sparse tensors go on to the checks, which say what is wrong.
bool is_plain(const at::Tensor* tensor) {
  return tensor == nullptr || tensor->layout() != c10::kStrided ||
         ((tensor->key_set() & at::kTensorSubclassLike).empty() && !tensor->is_neg() && !tensor->is_conj());
}

// A list of tensors lies scattered in memory, and reading it waits for each Python object, then for each tensor behind
// it. So both are asked for ahead of time: object i + 8 and, since its address is known by then, tensor i + 4.
void foresee(PyObject* const* objects, size_t count, size_t i) {
  if (i + 8 < count) __builtin_prefetch(objects[i + 8]);
  if (i + 4 >= count || objects[i + 4] == Py_None || !is_tensor(objects[i + 4])) return;
  const auto* memory = reinterpret_cast<const char*>(THPVariable_Unpack(objects[i + 4]).unsafeGetTensorImpl());
  for (size_t byte = 0; byte < sizeof(c10::TensorImpl); byte += 64) __builtin_prefetch(memory + byte);
}

bool has_kernel(const at::Tensor& param, const at::Tensor& state) {
  return (param.is_cpu() || (kHasCuda && param.is_cuda())) &&
         AdamTable::supports(param.scalar_type(), state.scalar_type());
}

// A list or tuple, read in place.
class Items {
 public:
  Items(py::handle object, const char* name)
      : fast_(py::reinterpret_steal<py::object>(PySequence_Fast(object.ptr(), name))) {
    if (!fast_) throw py::error_already_set();
  }
  size_t size() const { return static_cast<size_t>(PySequence_Fast_GET_SIZE(fast_.ptr())); }
  void foresee(size_t i) const { ::mtlbench::foresee(PySequence_Fast_ITEMS(fast_.ptr()), size(), i); }
  PyObject* operator[](size_t i) const {
    TORCH_CHECK_INDEX(i < size(), kName, ": a list changed its length while it was read");
    return PySequence_Fast_GET_ITEM(fast_.ptr(), static_cast<Py_ssize_t>(i));
  }

 private:
  py::object fast_;
};

std::vector<Items> lists_of(py::handle object) {
  const Items outer(object, "weighted_adam_: expected a sequence of gradients for each task");
  std::vector<Items> lists;
  for (size_t t = 0; t < outer.size(); ++t) {
    lists.emplace_back(outer[t], "weighted_adam_: expected a sequence of gradients for each task");
  }
  return lists;
}

// (losses, weights, lr, grad_scale, found_inf) and (beta1, beta2, eps, weight_decay, decoupled, maximize,
// bias_correction); `combined` as in AdamOptions.
AdamOptions options_from(const py::tuple& tensors, const py::tuple& numbers, bool combined) {
  const py::object lr = tensors[2];
  const bool on_device = is_tensor(lr.ptr());
  return {
      .losses = optional_tensor(tensors[0], "losses"),
      .weights = optional_tensor(tensors[1], "weights"),
      .lr_tensor = on_device ? optional_tensor(lr, "lr") : std::nullopt,
      .lr = on_device ? 0.0 : lr.cast<double>(),
      .beta1 = numbers[0].cast<double>(),
      .beta2 = numbers[1].cast<double>(),
      .eps = numbers[2].cast<double>(),
      .weight_decay = numbers[3].cast<double>(),
      .decoupled = numbers[4].cast<bool>(),
      .maximize = numbers[5].cast<bool>(),
      .bias_correction = numbers[6].cast<bool>(),
      .grad_scale = optional_tensor(tensors[3], "grad_scale"),
      .found_inf = optional_tensor(tensors[4], "found_inf"),
      .combined = combined,
  };
}

// Runs the tables; the first one that runs forms the total loss. None without losses.
py::object run(std::vector<AdamTable>& tables, AdamOptions options) {
  at::Tensor total;
  {
    const py::gil_scoped_release release;
    RECORD_FUNCTION("mtlbench::weighted_adam_", std::vector<c10::IValue>());
    for (AdamTable& table : tables) {
      if (options.losses) total = at::empty({}, options.losses->options().dtype(at::kFloat).device(table.device()));
#if MTLBENCH_CUDA
      if (table.device().is_cuda()) {
        table.run<Place::Cuda>(options, total);
      } else
#endif
      {
        table.run<Place::Cpu>(options, total);
      }
      options.losses.reset();
    }
  }
  return total.defined() ? py::reinterpret_steal<py::object>(THPVariable_Wrap(total)) : py::none();
}

py::object update(py::handle params_, py::handle gradients_, py::handle exp_avgs_, py::handle exp_avg_sqs_,
                  py::handle max_exp_avg_sqs_, py::handle steps_, const py::tuple& tensors, const py::tuple& numbers) {
  const Items params(params_, "weighted_adam_: expected a sequence of params");
  const Items exp_avgs(exp_avgs_, "weighted_adam_: expected a sequence of exp_avgs");
  const Items exp_avg_sqs(exp_avg_sqs_, "weighted_adam_: expected a sequence of exp_avg_sqs");
  const Items peaks(max_exp_avg_sqs_, "weighted_adam_: expected a sequence of max_exp_avg_sqs");
  const Items steps(steps_, "weighted_adam_: expected a sequence of steps");
  const std::vector<Items> gradients = lists_of(gradients_);
  const size_t n = params.size();
  const bool amsgrad = peaks.size() != 0;
  const bool shared_step = steps.size() == 1;
  check_length(exp_avgs.size(), n, kName, "exp_avgs");
  check_length(exp_avg_sqs.size(), n, kName, "exp_avg_sqs");
  if (amsgrad) check_length(peaks.size(), n, kName, "max_exp_avg_sqs");
  if (!shared_step) check_length(steps.size(), n, kName, "steps");
  for (const Items& of_task : gradients) check_length(of_task.size(), n, kName, "gradients of each task");
  if (n == 0 || c10::impl::dispatch_mode_enabled()) return py::bool_(false);
  const at::Tensor& first = tensor_in(params[0], "params");
  const at::Tensor& state = tensor_in(exp_avgs[0], "exp_avgs");
  if (!has_kernel(first, state)) return py::bool_(false);
  const auto tasks = static_cast<int64_t>(gradients.size());
  std::vector<AdamTable> tables;
  AdamTable& table = tables.emplace_back(first.device(), first.scalar_type(), state.scalar_type(), tasks, amsgrad, n);
  for (size_t i = 0; i < n; ++i) {
    for (const Items* list : {&params, &exp_avgs, &exp_avg_sqs, &steps}) list->foresee(i);
    for (const Items& of_task : gradients) of_task.foresee(i);
    const at::Tensor& param = tensor_in(params[i], "params");
    const at::Tensor& exp_avg = tensor_in(exp_avgs[i], "exp_avgs");
    const at::Tensor& exp_avg_sq = tensor_in(exp_avg_sqs[i], "exp_avg_sqs");
    if (!is_plain(&param) || !is_plain(&exp_avg) || !is_plain(&exp_avg_sq)) return py::bool_(false);
    table.add(param, exp_avg, exp_avg_sq, amsgrad ? &tensor_in(peaks[i], "max_exp_avg_sqs") : nullptr);
    for (const Items& of_task : gradients) {
      const at::Tensor* gradient = tensor_or_null(of_task[i], "gradients");
      if (!is_plain(gradient)) return py::bool_(false);
      table.gradient(gradient);
    }
    if (!shared_step) table.step(tensor_in(steps[i], "steps"));
  }
  if (shared_step) table.shared_step(tensor_in(steps[0], "steps"));
  return run(tables, options_from(tensors, numbers, /*combined=*/false));
}

// What torch.optim.Adam keeps for a parameter, under its own names.
struct State {
  PyObject* step = nullptr;
  PyObject* exp_avg = nullptr;
  PyObject* exp_avg_sq = nullptr;
  PyObject* max_exp_avg_sq = nullptr;

  bool complete(bool amsgrad) const { return step && exp_avg && exp_avg_sq && (!amsgrad || max_exp_avg_sq); }
};

// dict[key], or null. A dict subclass (defaultdict) is read as a dict: nothing is created.
PyObject* item_of(PyObject* dict, PyObject* key) {
  PyObject* item = PyDict_GetItemWithError(dict, key);
  if (item == nullptr && PyErr_Occurred()) throw py::error_already_set();
  return item;
}

// The values of a dict whose keys are tensors, each its own key by identity. A lookup calls Tensor.__hash__ in Python,
// about 100 ns each, so the dict is walked in its own order, which as a rule is that of the parameters; only what is
// not met that way, within four entries for each parameter, is looked up. Nothing may change the dict meanwhile.
class ByTensor {
 public:
  ByTensor(PyObject* dict, size_t lookups) : dict_(dict), skips_left_(4 * lookups) {}

  // The value, or null.
  PyObject* operator[](PyObject* tensor) {
    PyObject *key = nullptr, *value = nullptr;
    for (Py_ssize_t place = place_; skips_left_ > 0 && PyDict_Next(dict_, &place, &key, &value); --skips_left_) {
      if (key != tensor) continue;
      place_ = place;
      return value;
    }
    return item_of(dict_, tensor);
  }

 private:
  PyObject* dict_;
  Py_ssize_t place_ = 0;
  size_t skips_left_;
};

State state_of(ByTensor& all, PyObject* param) {
  static PyObject* const step = PyUnicode_InternFromString("step");
  static PyObject* const exp_avg = PyUnicode_InternFromString("exp_avg");
  static PyObject* const exp_avg_sq = PyUnicode_InternFromString("exp_avg_sq");
  static PyObject* const max_exp_avg_sq = PyUnicode_InternFromString("max_exp_avg_sq");
  PyObject* of_param = all[param];
  if (of_param == nullptr || !PyDict_Check(of_param)) return {};
  return {item_of(of_param, step), item_of(of_param, exp_avg), item_of(of_param, exp_avg_sq),
          item_of(of_param, max_exp_avg_sq)};
}

AdamTable& table_for(std::vector<AdamTable>& tables, const at::Tensor& param, const at::Tensor& state, int64_t tasks,
                     bool amsgrad, size_t rows) {
  for (AdamTable& table : tables) {
    if (table.holds(param, state)) return table;
  }
  return tables.emplace_back(param.device(), param.scalar_type(), state.scalar_type(), tasks, amsgrad, rows);
}

// Parameters with a gradient, and their state, as an optimizer holds them. Returns what `update` returns, or the
// indices of those parameters whose state is to be made first.
py::object update_from_state(const py::list& params, const py::dict& state, py::handle task_gradients, size_t offset,
                             bool amsgrad, const py::tuple& tensors, const py::tuple& numbers) {
  const bool by_task = !task_gradients.is_none();
  const std::vector<Items> gradients = by_task ? lists_of(task_gradients) : std::vector<Items>();
  const size_t tasks = by_task ? gradients.size() : 1;
  if (c10::impl::dispatch_mode_enabled()) return py::bool_(false);
  std::vector<AdamTable> tables;
  std::vector<const at::Tensor*> own(tasks);
  ByTensor states(state.ptr(), params.size());
  py::list missing;
  for (size_t i = 0; i < params.size(); ++i) {
    PyObject* object = PyList_GET_ITEM(params.ptr(), static_cast<Py_ssize_t>(i));
    foresee(PySequence_Fast_ITEMS(params.ptr()), params.size(), i);
    for (const Items& of_task : gradients) of_task.foresee(offset + i);
    const at::Tensor& param = tensor_in(object, "params");
    bool touched = false;
    for (size_t t = 0; t < tasks; ++t) {
      own[t] = by_task ? tensor_or_null(gradients[t][offset + i], "task_gradients") : &param.grad();
      if (own[t] != nullptr && !own[t]->defined()) own[t] = nullptr;
      if (!is_plain(own[t])) return py::bool_(false);
      touched = touched || own[t] != nullptr;
    }
    if (!touched) continue;
    const State kept = state_of(states, object);
    if (!kept.complete(amsgrad)) {
      missing.append(i);
      continue;
    }
    const at::Tensor& exp_avg = tensor_in(kept.exp_avg, "exp_avg");
    if (!is_plain(&param) || !is_plain(&exp_avg) || !has_kernel(param, exp_avg)) return py::bool_(false);
    AdamTable& table = table_for(tables, param, exp_avg, static_cast<int64_t>(tasks), amsgrad, params.size());
    table.add(param, exp_avg, tensor_in(kept.exp_avg_sq, "exp_avg_sq"),
              amsgrad ? &tensor_in(kept.max_exp_avg_sq, "max_exp_avg_sq") : nullptr);
    for (const at::Tensor* gradient : own) table.gradient(gradient);
    table.step(tensor_in(kept.step, "step"));
  }
  if (!missing.empty()) return missing;
  return run(tables, options_from(tensors, numbers, /*combined=*/!by_task));
}

}  // namespace

void bind_adam(py::module_& m) {
  m.def("weighted_adam_", &update, "weighted_adam_ on lists, or False where the dispatcher must do it.");
  m.def("weighted_adam_from_state_", &update_from_state,
        "weighted_adam_ on the parameters and the state of an optimizer: the total loss or None; the indices of "
        "parameters without state; or False where the dispatcher must do it.");
}

}  // namespace mtlbench
