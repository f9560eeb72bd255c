#!/usr/bin/env bash
# Everything that needs a GPU, in one command: build, tests, kernels beside their peers, whole trainings by every engine.
# The limits of its steps add up to nine minutes. Needs Python with torch (CUDA), nvcc, and the packages that
# `mtlbench doctor` looks for; no network. Ends with a short table; everything it saw lies in one folder.
#
#   bench/gpu.sh [FOLDER]          default: results/reference/<the GPU's name>; PYTHON=… chooses the interpreter
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
gpu=$("$python" -c 'import torch; print(torch.cuda.get_device_name().lower().replace(" ", "-"))') ||
  { echo "bench/gpu.sh: expected a GPU that torch can use, got none (see above)" >&2; exit 2; }
out=${1:-results/reference/$gpu}
mkdir -p "$out"
declare -A ended=()

# step NAME SECONDS COMMAND…: its output goes to NAME.log; a failure is told at the end and stops nothing.
step() {
  local name=$1 limit=$2 start=$SECONDS
  shift 2
  timeout "$limit" "$@" >"$out/$name.log" 2>&1
  ended[$name]=$?
  printf '%-18s %s in %d s\n' "$name" "$([ "${ended[$name]}" = 0 ] && echo ok || echo "FAILED (${ended[$name]})")" $((SECONDS - start))
}

suite() {  # NAME SECONDS: a suite of bench/suites under its profile cuda
  step "$1" "$2" "$python" -m mtlbench run "bench/suites/$1.yaml" --profile cuda --executor serial --out "$out/$1"
}

step environment 20 bash -c "nvidia-smi; nvcc --version; '$python' -m torch.utils.collect_env"
step build 120 env MTLBENCH_EMULATOR=0 "$python" setup.py build_ext --inplace
step doctor 30 "$python" -m mtlbench doctor
step registers 20 "$python" csrc/check_ptxas.py
step tests 80 "$python" -m pytest -q -p no:cacheprovider -k cuda tests/ops tests/engine
if command -v compute-sanitizer >/dev/null; then
  step sanitizer 40 compute-sanitizer --error-exitcode 1 "$python" -m pytest -q -p no:cacheprovider -k cuda -x \
    tests/ops/test_gramian.py tests/ops/test_task_losses_labels.py
fi
suite kernels 160
suite engines 70

printf '\n== %s: ours against the best other contender\n' "$gpu"
cat "$out/kernels/tables/kernels.md" 2>/dev/null
printf '\n== %s: whole trainings\n' "$gpu"
cat "$out/engines/tables/throughput.md" 2>/dev/null
for code in "${ended[@]}"; do [ "$code" = 0 ] || { printf '\nWhat failed says so in %s/*.log\n' "$out"; exit 1; }; done
