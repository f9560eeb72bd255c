"""Builds mtlbench._C, the kernels: C++ always, CUDA whenever nvcc is found, with one ninja graph for both.

Environment variables
  MTLBENCH_BUILD=0              install without kernels; everything runs on the torch reference
  MTLBENCH_EMULATOR=0           leave out the CUDA kernels compiled for the host (the tests run them)
  MTLBENCH_SANITIZE=address,undefined   instrument the C++; Python then runs with ASAN_OPTIONS=detect_leaks=0 and
                                LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libubsan.so)"
  MTLBENCH_DEBUG=1              -O1 and assertions, for debuggers
  TORCH_CUDA_ARCH_LIST          "9.0", "8.0;9.0+PTX" …; default: those of this machine's GPUs, else 8.0;9.0+PTX
  CXX, NVCC, MAX_JOBS           the compilers, and how many run at once
Every .cpp under csrc/cpu and csrc/torch and every .cu in csrc/cuda is compiled: a new operation needs no line here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CSRC = ROOT / "csrc"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]


def flag(name: str, default: str) -> bool:
    """Whether an environment variable is set, and not to 0."""
    return os.environ.get(name, default) not in ("", "0")


def find_program(variable: str, *names: str) -> str | None:
    """The program the environment names, or the first of ``names`` on the PATH."""
    named = os.environ.get(variable)
    return next((path for name in ([named] if named else names) if (path := shutil.which(name))), None)


def output_of(*command: str) -> str:
    """What a program prints; nothing if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""


def cuda_home(nvcc: str) -> Path:
    """nvcc may be a wrapper script: it knows itself where it lives."""
    said = re.search(r"^#\$ TOP=(.*)$", output_of(nvcc, "--dryrun", "-c", "nothing.cu"), re.MULTILINE)
    return Path(said[1] if said else Path(nvcc).resolve().parent.parent).resolve()


def cuda_architectures() -> list[str]:
    """As in TORCH_CUDA_ARCH_LIST; without it this machine's own, else Ampere, Hopper and what follows."""
    named = os.environ.get("TORCH_CUDA_ARCH_LIST", "").replace(" ", ";")
    if not named:
        seen = output_of("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")
        named = ";".join(sorted(set(re.findall(r"^\d+\.\d+$", seen, re.MULTILINE)))) or "8.0;9.0+PTX"
    return [name for name in named.split(";") if name]


def gencode(architectures: list[str]) -> list[str]:
    """The flags of nvcc for these architectures."""
    flags = []
    for name in architectures:
        number = name.removesuffix("+PTX").replace(".", "")
        flags.append(f"-gencode=arch=compute_{number},code=sm_{number}")
        if name.endswith("+PTX"):
            flags.append(f"-gencode=arch=compute_{number},code=compute_{number}")
    return flags


class Graph:
    """The ninja file: compile rules, one edge a source, one link."""

    def __init__(self, cxx: str, nvcc: str | None, work: Path) -> None:
        from torch.utils import cpp_extension

        self.cxx, self.nvcc, self.work = cxx, nvcc, work
        self.torch_includes = [*cpp_extension.include_paths(), sysconfig.get_path("include")]
        self.torch_libraries = cpp_extension.library_paths()
        self.architectures = cuda_architectures() if nvcc else []
        self.emulator = flag("MTLBENCH_EMULATOR", "1")
        self.edges: list[str] = []
        self.objects: list[str] = []

    def compile(self, rule: str, source: Path, suffix: str = "") -> None:
        """One more object."""
        target = self.work / source.relative_to(CSRC).with_suffix(f"{suffix}.o")
        self.edges.append(f"build {target}: {rule} {source}")
        self.objects.append(str(target))

    def flags(self) -> dict[str, str]:
        """The flags of each rule."""
        sanitize = os.environ.get("MTLBENCH_SANITIZE")
        instrument = ["-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitize}"] if sanitize else []
        debug = flag("MTLBENCH_DEBUG", "0") or bool(sanitize)
        optimise = ["-O1", "-g"] if debug else ["-O2", "-DNDEBUG"]
        define = [f"-DMTLBENCH_EMULATOR={int(self.emulator)}", f"-DMTLBENCH_CUDA={int(self.nvcc is not None)}"]
        built = f"{Path(self.cxx).name} {output_of(self.cxx, '-dumpfullversion').strip()}"
        if self.nvcc:
            release = re.search(r"release (\S+),", output_of(self.nvcc, "--version"))
            built += f", nvcc {release[1] if release else '?'}"
        define += [f"-DMTLBENCH_BUILT='\"{built}\"'", f"-DMTLBENCH_ARCHITECTURES='\"{' '.join(self.architectures)}\"'"]
        common = ["-std=c++20", "-fPIC", "-fvisibility=hidden", "-pthread", f"-I{CSRC}", *instrument]
        torch = [*define, *(f"-isystem {path}" for path in self.torch_includes), "-DTORCH_EXTENSION_NAME=_C"]
        # For vector code: sqrt without errno, selects without traps. Values stay IEEE's, NaN and inf included.
        kernels = ["-O3" if not debug else "-O1", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"]
        link = [f"-L{path} -Wl,-rpath,{path}" for path in self.torch_libraries]
        link += ["-lc10", "-ltorch_cpu", "-ltorch", "-ltorch_python", "-fopenmp", *instrument]
        if self.nvcc:
            home = cuda_home(self.nvcc)
            roots = [home / "targets" / "x86_64-linux" / "lib", home / "lib64", home / "lib"]
            link += [*(f"-L{path}" for path in roots if path.is_dir()), "-lcudart_static", "-ldl", "-lrt", "-lpthread"]
        return {
            "torch": " ".join([*WARNINGS, *common, *optimise, *torch]),
            "cpu": " ".join([*WARNINGS, *common, *optimise, *kernels]),
            "emulated": " ".join([*WARNINGS, *common, *optimise, "-DMTLBENCH_EMULATED=1 -U_FORTIFY_SOURCE -x c++"]),
            "cuda": " ".join(self.nvcc_flags(debug)),
            "link": " ".join(link),
        }

    def nvcc_flags(self, debug: bool) -> list[str]:
        """No --use_fast_math: it flushes small numbers to zero, and Adam's second moments are small."""
        host = ["-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"]
        lines = [] if debug else ["-DNDEBUG"]
        report = ["-Werror", "all-warnings", "-Xptxas", "-v"]
        return [
            "-std=c++20",
            "-O3",
            *lines,
            *gencode(self.architectures),
            *report,
            f"-Xcompiler {','.join(host)}",
            f"-I{CSRC}",
        ]

    def write(self, module: Path) -> Path:
        """Write build.ninja; ninja compiles again what changed, flags included."""
        for source in sorted((CSRC / "torch").rglob("*.cpp")):
            self.compile("torch", source)
        for source in sorted((CSRC / "cpu").rglob("*.cpp")):
            self.compile("cpu", source)
        for source in sorted((CSRC / "cuda").glob("*.cu")):
            if self.nvcc:
                self.compile("cuda", source, ".cuda")
            if self.emulator:
                self.compile("emulated", source, ".emulated")
        if self.emulator:
            for source in sorted((CSRC / "cuda").rglob("*.cpp")):
                self.compile("emulated", source, ".emulated")
        depfile = "  depfile = $out.d\n  deps = gcc\n"
        rules = "".join(
            f"rule {rule}\n  command = {self.cxx} -MD -MF $out.d ${rule}_flags -c $in -o $out\n"
            f"  description = {rule} $in\n{depfile}"
            for rule in ("torch", "cpu", "emulated")
        )
        rules += (  # ptxas says how many registers each kernel takes: kept for csrc/check_ptxas.py
            f"rule cuda\n  command = {self.nvcc} -MD -MF $out.d $cuda_flags -c $in -o $out > $out.ptxas 2>&1"
            f" || {{ cat $out.ptxas; exit 1; }}\n  description = cuda $in\n{depfile}"
        )
        rules += f"rule link\n  command = {self.cxx} -shared -o $out $in $link_flags\n  description = link $out\n"
        variables = "".join(f"{name}_flags = {value}\n" for name, value in self.flags().items())
        self.edges.append(f"build {module}: link {' '.join(self.objects)}\ndefault {module}")
        path = self.work / "build.ninja"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"ninja_required_version = 1.5\nbuilddir = {self.work}\n"
            + variables
            + rules
            + "\n".join(self.edges)
            + "\n",
            encoding="utf-8",
        )
        return path


def ninja() -> list[str]:
    """The ninja on the PATH, or the one that pip installed."""
    program = shutil.which("ninja")
    return [program] if program else [sys.executable, "-m", "ninja"]


class BuildKernels(build_ext):  # type: ignore[misc]  # setuptools has no annotations
    """Compile what can be compiled here, and say plainly what was left out."""

    def build_extension(self, ext: Extension) -> None:
        """Run ninja, unless there is no compiler."""
        cxx = find_program("CXX", "g++", "clang++", "c++")
        if cxx is None or not flag("MTLBENCH_BUILD", "1"):
            why = "MTLBENCH_BUILD=0" if cxx else "no C++ compiler was found (install g++, or set CXX)"
            print(f"mtlbench: kernels NOT built: {why}; operations run on the torch reference.", file=sys.stderr)
            return
        nvcc = find_program("NVCC", "nvcc", "/usr/local/cuda/bin/nvcc")
        module = Path(self.get_ext_fullpath(ext.name)).resolve()
        module.parent.mkdir(parents=True, exist_ok=True)
        variant = "sanitized" if os.environ.get("MTLBENCH_SANITIZE") else "kernels"
        # Not setuptools' temporary folder: pip would throw it away, and ninja compile everything again.
        graph = Graph(cxx, nvcc, ROOT / "build" / f"{variant}-{sys.implementation.cache_tag}")
        path = graph.write(module)
        jobs = ["-j", os.environ["MAX_JOBS"]] if "MAX_JOBS" in os.environ else []
        done = subprocess.run([*ninja(), "-f", str(path), *jobs], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit("mtlbench: the kernels did not compile (see above). MTLBENCH_BUILD=0 installs without them.")
        what = f"CUDA {' '.join(graph.architectures)}" if nvcc else "no CUDA (nvcc not found)"
        print(f"mtlbench: kernels built: C++, {what}", file=sys.stderr)

    def get_outputs(self) -> list[str]:
        """Only what was really built is installed."""
        return [path for path in super().get_outputs() if Path(path).exists()]

    def copy_extensions_to_source(self) -> None:
        """An editable install without a compiler has nothing to copy."""
        built = [Path(self.build_lib, self.get_ext_filename(ext.name)) for ext in self.extensions]
        if all(path.exists() for path in built):
            super().copy_extensions_to_source()


setup(ext_modules=[Extension("mtlbench._C", sources=[])], cmdclass={"build_ext": BuildKernels})
