from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlbench.core.losses import LOSSES
from mtlbench.ops import backend
from mtlbench.ops.step_heads import step_heads_

from .heads_oracle import Case, check, flat

# Every loss with a number of outputs that suits it, "" for one without a dimension of its own.
OUTPUTS = {"classification": [" 10"], "binary": [""], "regression": [" 3", " 2", "", " 4"], "direction": [" 3"]}
KINDS = [name + (sizes := OUTPUTS[row.kind])[t % len(sizes)] for t, (name, row) in enumerate(LOSSES.items())]
KINDS.append("probabilities 4")
FORMULAS = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled": True},
    {"maximize": True, "betas": (0.0, 0.99), "eps": 1e-4},
    {"bias_correction": False, "lr": 0.05},
    {"lr": 0.0},
]
needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)


@pytest.mark.parametrize("rows", [0, 1, 3, 257])
@pytest.mark.parametrize("width", [1, 3, 64, 1000])
def test_shapes(form: str, device: torch.device, rows: int, width: int) -> None:
    check(Case(["cross_entropy 10", "bce_with_logits", "mse 3"], rows, width, device=device, seed=rows))


@pytest.mark.parametrize("classes", [1, 2, 15, 16, 17, 31, 33, 64, 65, 100])
def test_any_number_of_classes(form: str, device: torch.device, classes: int) -> None:
    check(Case([f"cross_entropy {classes}", f"mse {classes}"], 50, 19, device=device, seed=classes))


@pytest.mark.parametrize("tasks", [1, 2, 3, 8, 15, 16, 17])
@pytest.mark.parametrize("per_task", [False, True], ids=["shared", "per task"])
def test_any_number_and_mix_of_tasks(form: str, device: torch.device, tasks: int, per_task: Any) -> None:
    kinds = [KINDS[(t + tasks) % len(KINDS)] for t in range(tasks)]
    weights = torch.linspace(-1, 2, tasks).tolist()
    check(Case(kinds, 37, 21, per_task=per_task, biased="some", weights=weights, device=device, seed=tasks))


@pytest.mark.parametrize("options", FORMULAS, ids=str)
@pytest.mark.parametrize("amsgrad", [False, True], ids=["adam", "amsgrad"])
def test_formula(form: str, device: torch.device, options: dict[str, Any], amsgrad: bool) -> None:
    check(Case(["cross_entropy 5", "l1 2"], 40, 70, amsgrad=amsgrad, device=device), **options)


@pytest.mark.parametrize(
    ("dtype", "params"),
    [(torch.float64, None), (torch.bfloat16, None), (torch.bfloat16, torch.float32), (torch.float16, None)],
)
def test_dtypes(form: str, device: torch.device, dtype: torch.dtype, params: Any) -> None:
    for width in (16, 33):
        check(Case(KINDS, 67, width, dtype, params, amsgrad=True, shared_step=True, device=device), weight_decay=0.1)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("masked", [0.0, 0.5])
def test_masks_and_reductions(form: str, device: torch.device, reduction: str, masked: bool) -> None:
    case = Case(KINDS, 61, 24, masked=masked, weights=[0.5] * len(KINDS), device=device)
    check(case, reduction=reduction, label_smoothing=0.1, beta=[0.3 + t for t in range(len(KINDS))], slack=4)


def test_ignored_labels(form: str, device: torch.device) -> None:
    made = Case(["cross_entropy 4", "cross_entropy 40"], 30, 8, device=device).made()
    made["targets"][0][::3] = 2
    made["targets"][1][:] = -7
    before, plain = copy.deepcopy(made), copy.deepcopy(made)
    losses, d_features = step_heads_(**made, ignore_index=-7)
    assert losses[1] == 0  # nothing is labelled
    torch.testing.assert_close(made["exp_avgs"][1][0], 0.9 * before["exp_avgs"][1][0])
    plain["masks"] = [None, torch.zeros(30, dtype=torch.bool, device=device)]
    plain["targets"][1].zero_()
    again = step_heads_(**plain, ignore_index=None)[1]
    assert isinstance(again, Tensor)
    assert isinstance(d_features, Tensor)
    assert torch.equal(again, d_features)


def test_features_behind_a_mask_may_be_nan(form: str, device: torch.device) -> None:
    made = Case(["mse 3", "cross_entropy 4"], 20, 8, device=device).made()
    made["masks"] = [torch.arange(20, device=device) != 3] * 2
    losses, d_features = step_heads_(**made)
    made["features"][3] = 0
    assert losses.isfinite().all()
    assert (d_features[3] == 0).all()


def test_nan_in_one_task_stays_there(form: str, device: torch.device) -> None:
    made = Case(["cross_entropy 4", "mse 3", "l1"], 20, 8, per_task=True, device=device).made()
    made["features"][1][5, 2] = torch.nan
    losses, d_features = step_heads_(**made)
    assert losses.isnan().tolist() == [False, True, False]
    assert [bool(d.isnan().any()) for d in d_features] == [False, True, False]
    assert [bool(head[0].isnan().any()) for head in made["heads"]] == [False, True, False]


def test_a_weight_of_zero_multiplies(form: str, device: torch.device) -> None:
    made = Case(["mse 2", "mse 2"], 5, 4, weights=[0.0, 1.0], per_task=True, device=device).made()
    made["features"][0][0, 0] = torch.inf
    _, d_features = step_heads_(**made)
    assert made["heads"][0][0].isnan().any()
    assert not d_features[1].isnan().any()


@pytest.mark.parametrize("steps_done", [0, 10**6 - 1])
@pytest.mark.parametrize("shared_step", [False, True])
def test_first_and_millionth_step(form: str, device: torch.device, steps_done: int, shared_step: bool) -> None:
    check(Case(["cross_entropy 3", "mse"], 9, 5, steps_done=steps_done, shared_step=shared_step, device=device))


def test_each_tensor_has_its_own_step(form: str, device: torch.device) -> None:
    one, two = (Case(["mse 2", "l1"], 9, 5, device=device).made() for _ in range(2))
    for made, count in ((one, 0.0), (two, 50.0)):
        made["step"][1][1].fill_(count)
        step_heads_(**made)
    assert torch.equal(one["heads"][0][0], two["heads"][0][0])
    assert not torch.equal(one["heads"][1][1], two["heads"][1][1])
    assert [float(s) for s in flat(two["step"])] == [4, 4, 4, 51]


def test_lr_on_the_device(form: str, device: torch.device) -> None:
    one, two = (Case(["mse 2", "l1"], 9, 5, device=device).made() for _ in range(2))
    step_heads_(**one, lr=torch.tensor(0.25, device=device))
    step_heads_(**two, lr=0.25)
    torch.testing.assert_close(flat(one["heads"]), flat(two["heads"]), rtol=1e-6, atol=0)


def test_derivative_is_of_the_old_heads(form: str, device: torch.device) -> None:
    one, two = (Case(["mse 2", "cross_entropy 5"], 9, 5, device=device).made() for _ in range(2))
    derivatives: list[Any] = [step_heads_(**made, lr=lr)[1] for made, lr in ((one, 0.0), (two, 10.0))]
    assert torch.equal(*derivatives)


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second of a larger tensor."""
    wide = tensor.new_zeros(*tensor.shape[:-1], 2 * tensor.shape[-1])
    wide[..., ::2] = tensor
    return wide[..., ::2]


def test_memory_layouts(form: str, device: torch.device) -> None:
    plain, laid = (Case(["cross_entropy 5", "mse 3"], 11, 6, masked=0.7, device=device).made() for _ in range(2))
    for name in ("heads", "exp_avgs", "exp_avg_sqs"):
        laid[name] = [(matrix.T.contiguous().T, strided(bias)) for matrix, bias in laid[name]]
    laid["features"] = strided(laid["features"])
    laid["targets"] = [strided(target) for target in laid["targets"]]
    plain_losses, plain_d = step_heads_(**plain)
    laid_losses, laid_d = step_heads_(**laid)
    torch.testing.assert_close((laid_losses, laid_d), (plain_losses, plain_d))
    for name in ("heads", "exp_avgs", "exp_avg_sqs"):
        torch.testing.assert_close(flat(laid[name]), flat(plain[name]))


@pytest.mark.parametrize("form", ["reference", "cpu", "emulated"], indirect=True)
@pytest.mark.parametrize("decoupled", [False, True], ids=["adam", "adamw"])
def test_two_hundred_steps_equal_torch(form: str, decoupled: bool) -> None:
    torch.manual_seed(0)
    steps = 40 if form == "emulated" else 200
    made = Case(["cross_entropy 5", "mse 2", "bce_with_logits"], 24, 12, weights=[1.0, 0.5, 2.0], steps_done=0).made()
    for name in ("exp_avgs", "exp_avg_sqs"):
        for tensor in flat(made[name]):
            tensor.zero_()
    theirs = [torch.nn.Parameter(p.clone()) for p in flat(made["heads"])]
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind(theirs, lr=0.01, weight_decay=0.05)
    for _ in range(steps):
        made["features"] = torch.randn(24, 12)
        h = made["features"].clone().requires_grad_()
        ours, d_features = step_heads_(**made, lr=0.01, weight_decay=0.05, decoupled=decoupled)
        losses = torch.stack(torch_losses(h, theirs, made["targets"]))
        optimizer.zero_grad()
        (losses @ made["weights"]).backward()
        optimizer.step()
        torch.testing.assert_close(ours, losses.detach(), rtol=2e-4, atol=1e-5)
        torch.testing.assert_close(d_features, h.grad, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(flat(made["heads"]), [p.detach() for p in theirs], rtol=1e-3, atol=1e-4)


def torch_losses(h: Tensor, params: Any, targets: Any) -> list[Tensor]:
    outputs = [torch.nn.functional.linear(h, params[2 * t], params[2 * t + 1]) for t in range(3)]
    return [
        torch.nn.functional.cross_entropy(outputs[0], targets[0]),
        torch.nn.functional.mse_loss(outputs[1], targets[1]),
        torch.nn.functional.binary_cross_entropy_with_logits(outputs[2].squeeze(1), targets[2].reshape(-1)),
    ]


def results(case: Case) -> list[torch.Tensor]:
    made = case.made()
    losses, d_features = step_heads_(**made, weight_decay=0.01)
    d_features = [d_features] if isinstance(d_features, torch.Tensor) else d_features
    return [losses, *d_features, *flat(made["heads"]), *flat(made["exp_avgs"]), *flat(made["exp_avg_sqs"])]


@needs_kernels
def test_bits_do_not_depend_on_threads_or_runs(one_thread: None) -> None:
    for case in (Case(KINDS, 700, 200), Case(KINDS, 150, 130, per_task=True)):
        found = []
        for threads in (1, 2, 3, 1):
            torch.set_num_threads(threads)
            found.append(results(case))
        for other in found[1:]:
            assert all(map(torch.equal, found[0], other))


@needs_kernels
@pytest.mark.parametrize("blocks", [1, 2, 7])
@pytest.mark.parametrize("form", ["emulated"], indirect=True)
def test_bits_do_not_depend_on_the_size_of_the_gpu(form: str, blocks: int, request: pytest.FixtureRequest) -> None:
    from mtlbench import _C

    request.addfinalizer(lambda: _C.set_emulated_blocks(3))
    case = Case(KINDS, 70, 40, masked=0.5, shared_step=True)
    first = results(case)
    _C.set_emulated_blocks(blocks)
    assert all(map(torch.equal, first, results(case)))


@needs_kernels
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=9),
    rows=st.integers(0, 120),
    width=st.integers(1, 90),
    per_task=st.booleans(),
    masked=st.sampled_from([None, 0.5]),
    seed=st.integers(0, 1000),
)
@pytest.mark.parametrize("form", ["cpu", "emulated"], indirect=True)
def test_any_shapes(form: str, kinds: Any, rows: int, width: int, per_task: Any, masked: bool, seed: int) -> None:
    check(Case(kinds, rows, width, per_task=per_task, masked=masked, seed=seed), slack=4)
