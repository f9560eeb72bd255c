// The Python module mtlbench._C. Operations register themselves with torch when it is loaded; the attributes set here
// say how it was built, for `mtlbench doctor`.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "cpu/dispatch.h"
#if MTLBENCH_EMULATOR
#include "cuda/emulator/emulator.h"
#endif
#include "math/losses/table.h"
#include "torch/python.h"

namespace py = pybind11;

PYBIND11_MODULE(_C, m) {
  m.doc() = "The C++ and CUDA kernels of mtlbench.ops";
  m.attr("built") = MTLBENCH_BUILT;
  m.attr("cuda_architectures") = MTLBENCH_ARCHITECTURES;
  m.attr("has_cuda") = MTLBENCH_CUDA != 0;
  m.attr("has_emulator") = MTLBENCH_EMULATOR != 0;
  m.attr("cpu") = mtlbench::cpu::isa_name();
  m.attr("losses") =
      py::cast(std::vector<std::string>(std::begin(mtlbench::kLossNames), std::end(mtlbench::kLossNames)));
  mtlbench::bind_adam(m);
  mtlbench::bind_losses(m);
#if MTLBENCH_EMULATOR
  m.def("set_emulated_blocks", &mtlbench::emulator::set_resident_blocks, py::arg("blocks"),
        "How many blocks the emulated GPU runs at once.");
#endif
}
