"""step_heads_ as a call: errors, limits, torch.library, torch.compile, and when it pays."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from mtlbench.ops import backend
from mtlbench.ops.step_heads import heads_win, step_heads_

from .heads_oracle import Case, check, flat

needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)


def broken(name: str) -> tuple[dict[str, Any], type[Exception], str]:
    made = Case(["cross_entropy 4", "mse 3"], 6, 5).made()
    matrix, bias = made["heads"][1]
    if name == "width":
        made["heads"][1] = (torch.randn(3, 4), bias)
        return made, ValueError, r"heads\[1\]\[0\] of shape \[C, 5\].*got \[3, 4\]"
    if name == "bias":
        made["heads"][1] = (matrix, torch.randn(4))
        return made, ValueError, r"heads\[1\]\[1\] of shape \[3\], got \[4\]"
    if name == "state shape":
        made["exp_avgs"][1] = (torch.zeros(3, 4), made["exp_avgs"][1][1])
        return made, ValueError, r"exp_avgs\[1\]\[0\] of shape \[3, 5\], got \[3, 4\]"
    if name == "state dtype":
        made["exp_avg_sqs"][1] = tuple(x.double() for x in made["exp_avg_sqs"][1])
        return made, TypeError, r"exp_avg_sqs\[1\]\[0\] of dtype Float, got Double"
    if name == "pairs":
        made["exp_avg_sqs"].pop()
        return made, ValueError, "expected 2 pairs of exp_avg_sqs, one per head, got 1"
    if name == "missing bias":
        made["exp_avgs"][0] = (made["exp_avgs"][0][0], None)
        return made, ValueError, r"exp_avgs\[0\]\[1\] to be a tensor, as the bias of head 0"
    if name == "features":
        made["features"] = [made["features"]] * 3
        return made, ValueError, "one tensor of features, or one for each of the 2 heads, got 3"
    if name == "features dims":
        made["features"] = torch.randn(6, 5, 1)
        return made, ValueError, r"features\[0\] of shape \[B, H\], got \[6, 5, 1\]"
    if name == "targets":
        made["targets"][0] = torch.zeros(7, dtype=torch.long)
        return made, ValueError, r"targets\[0\] of shape \[6\].*got \[7\]"
    if name == "label":
        made["targets"][0][4] = 4
        return made, IndexError, r"targets\[0\] with labels from 0 to 3 \(or ignore_index\), got 4 at element 4"
    if name == "kind":
        made["kinds"][0] = "hinge"
        return made, ValueError, "step_heads_: expected kinds among cross_entropy.*got 'hinge'"
    if name == "count":
        made["kinds"].pop()
        return made, ValueError, "expected 2 targets and kinds as heads, got 2 targets and 1 kinds"
    if name == "weights":
        made["weights"] = torch.ones(3)
        return made, ValueError, r"weights of shape \[2\], got \[3\]"
    if name == "step":
        made["step"] = torch.zeros(2)
        return made, ValueError, "step of one element, got shape"
    if name == "reduction":
        return made | {"reduction": "none"}, ValueError, "reduction 'mean' or 'sum', got 'none'"
    if name == "beta":
        return made | {"beta": 0.0}, ValueError, "step_heads_: expected beta > 0, got 0.0"
    if name == "label_smoothing":
        return made | {"label_smoothing": 1.5}, ValueError, "step_heads_: expected 0 <= label_smoothing <= 1, got 1.5"
    if name == "shared":
        made["heads"] = [(m[:3], None) for m, _ in [made["heads"][0]] * 2]
        made |= {key: [(x[:3], None) for x, _ in made[key]] for key in ("exp_avgs", "exp_avg_sqs")}
        made |= {"step": torch.zeros(()), "kinds": ["mse"] * 2, "targets": [torch.zeros(6, 3)] * 2}
        return made, ValueError, r"memory of their own, got heads\[1\] that overlaps heads\[0\]"
    made["exp_avgs"][0] = (torch.randn(4, 1).expand(4, 5), made["exp_avgs"][0][1])
    return made, RuntimeError, "single memory location"


BROKEN = ["width", "bias", "state shape", "state dtype", "pairs", "missing bias", "features", "features dims",
          "targets", "label", "kind", "count", "weights", "step", "reduction", "beta", "label_smoothing",
          "shared", "expanded"]  # fmt: skip


@needs_kernels
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("form", ["cpu", "emulated"], indirect=True)
def test_errors_name_argument_and_task_and_change_nothing(form: str, name: str) -> None:
    if name == "label" and form == "emulated":
        pytest.skip("CUDA makes the loss NaN")
    made, error, message = broken(name)
    before = copy.deepcopy(made)
    with pytest.raises(error, match=message):
        step_heads_(**made)
    for key in ("heads", "exp_avgs", "exp_avg_sqs"):
        assert all(map(torch.equal, flat(made[key]), flat(before[key])))


@needs_kernels
@pytest.mark.parametrize("form", ["emulated"], indirect=True)
def test_on_cuda_a_label_out_of_range_makes_a_loss_of_nan(form: str) -> None:
    made, _, _ = broken("label")
    losses, _ = step_heads_(**made)
    assert losses.isnan().tolist() == [True, False]


def test_more_heads_than_fit_a_launch(form: str, device: torch.device) -> None:
    made = Case(["mse 2"] * 129, 5, 4, device=device).made()
    if form == "emulated":
        with pytest.raises(ValueError, match="at most 128 heads on CUDA, got 129"):
            step_heads_(**made)
    else:
        check(Case(["mse 2"] * 129, 5, 4, device=device))
    check(Case(["mse 2"] * 128, 5, 4, device=device))


@needs_kernels
@pytest.mark.parametrize("library", ["mtlbench", "mtlbench_emulated"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_opcheck(library: str, amsgrad: bool) -> None:
    if not hasattr(getattr(torch.ops, library), "step_heads_"):
        pytest.skip("built with MTLBENCH_EMULATOR=0")
    made = Case(["cross_entropy 3", "mse 2"], 5, 4, biased="some", masked=0.5, amsgrad=amsgrad).made()
    lists = [flat(made[name]) for name in ("exp_avgs", "exp_avg_sqs")]
    lists += [flat(made["max_exp_avg_sqs"]) if amsgrad else [], flat(made["step"])]
    numbers = (1e-3, 0.9, 0.999, 1e-8, 0.0, False, False, True)
    torch.library.opcheck(
        getattr(torch.ops, library).step_heads_.default,
        ([made["features"]], [torch.empty(5, 4)], flat(made["heads"]), [1, 0], made["targets"], [0, 2], None,
         made["masks"], [1.0], True, -100, 0.0, *lists, None, *numbers),
    )  # fmt: skip


@needs_kernels
@pytest.mark.parametrize("per_task", [False, True], ids=["shared", "per task"])
def test_compiles_into_one_graph(per_task: Any) -> None:
    kinds = ["cross_entropy 3", "mse 2"]
    eager, compiled = (Case(kinds, 5, 4, per_task=per_task, weights=[1.0, 2.0]).made() for _ in range(2))

    def update(made: dict[str, Any]) -> Any:
        return step_heads_(**made, weight_decay=0.1)

    torch.compiler.reset()
    found = torch.compile(update, fullgraph=True, backend="aot_eager")(compiled)
    torch.testing.assert_close(found, update(eager), rtol=0, atol=0)
    for name in ("heads", "exp_avgs", "exp_avg_sqs", "step"):
        assert all(map(torch.equal, flat(eager[name]), flat(compiled[name])))


def test_autograd_notices_the_update(form: str, device: torch.device) -> None:
    if form == "reference":
        pytest.skip("torch's own operations")
    made = Case(["mse 2"], 5, 4, device=device).made()
    matrix = made["heads"][0][0].requires_grad_()
    loss = (matrix**2).sum()
    step_heads_(**made)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@needs_kernels
def test_when_it_pays() -> None:
    made = Case(["mse 3"] * 2, 4, 5).made()
    assert heads_win(made["features"], made["heads"])
    large = [(torch.empty(2**10, 2**10), None)]
    assert heads_win(torch.empty(2, 2**10), large)
    assert not heads_win(torch.empty(2, 2**10), large * 2)
    assert heads_win([torch.empty(2, 2**10)] * 2, large * 2)
    half = [(torch.empty(2, 4, dtype=torch.float16), None)]
    assert not heads_win(torch.empty(3, 4, dtype=torch.float16), half)


def test_without_kernels_it_never_pays(form: str) -> None:
    if form != "reference":
        pytest.skip("kernels are loaded")
    assert not heads_win(torch.empty(3, 4), [(torch.empty(2, 4), None)])
