# make demo: from a clean machine to a report.  make test: the same environment, then the whole test suite.
# Needs Python >= 3.11, make and a C++ compiler; everything else goes into $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(wildcard setup.py csrc/*/*.cpp csrc/*/*.cu csrc/*/*.h csrc/*/*/*.cpp csrc/*/*/*.h)

.PHONY: demo test soak lint format docs sanitize clean
demo: $(VENV)/.built
	$(BIN)/mtlbench run bench/suites/quickstart.yaml

# All cores, a file to a worker, so that what a file computes once is computed once.
WORKERS ?= auto
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# The long tests of what a run survives: kills, damage, a cluster that comes and goes. One after another, since some
# take all of the machine.
soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak tests/system/faults

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@files="$$(git ls-files 'csrc/*.cpp' 'csrc/*.h' 'csrc/*.cu')"; \
	  [ -z "$$files" ] || $(BIN)/clang-format --dry-run -Werror $$files

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@files="$$(git ls-files 'csrc/*.cpp' 'csrc/*.h' 'csrc/*.cu')"; \
	  [ -z "$$files" ] || $(BIN)/clang-format -i $$files

# What is printed from the tables: the schema that the suites' first lines point editors to, and the page of methods.
docs: $(VENV)/.built
	$(BIN)/mtlbench schema > docs/suite.schema.json
	$(BIN)/python docs/make_methods.py > docs/methods.md

# The operations' tests with AddressSanitizer and UBSan in all C++, the emulated CUDA kernels included; in a copy of the
# tracked files, so that the build of this tree stays as it is. Tests that compile or take long say nothing new here, and
# long sums owe their precision to vector lanes, which instrumented code does not have.
SANITIZED := build/sanitized
TESTS ?= tests/ops
SANITIZERS = $$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)
sanitize: $(VENV)/.dev
	mkdir -p $(SANITIZED)
	git ls-files -z | xargs -0 cp -p --parents -t $(SANITIZED)
	cd $(SANITIZED) && NVCC=none MTLBENCH_SANITIZE=address,undefined $(abspath $(BIN))/python setup.py build_ext --inplace
	cd $(SANITIZED) && LD_PRELOAD="$(SANITIZERS)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
	  $(abspath $(BIN))/python -m pytest $(TESTS) -k "not compile and not graph and not 64_million and not keep_their_precision"

# Each stamp stands for one finished step, so that a second `make` starts at once.
$(VENV)/.made: ; @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mtlbench needs Python >= 3.11, found $$($(PYTHON) --version); try make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch first: building mtlbench needs it, and an isolated build environment would fetch another one.
$(VENV)/.torch: $(VENV)/.made constraints.txt
	$(PIP) install -q -c constraints.txt setuptools torch ninja pybind11
	@touch $@

$(VENV)/.built: $(VENV)/.torch pyproject.toml $(SOURCES)
	$(PIP) install -q -c constraints.txt --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.built
	$(PIP) install -q -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

clean:
	rm -rf build $(VENV) mtlbench.egg-info
