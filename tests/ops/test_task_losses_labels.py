"""Missing and wrong labels, NaN and inf, and arguments that do not match."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtlbench.ops.task_losses import check_labels, task_losses

from .loss_oracle import ALL_KINDS, KINDS, SPANS_CLASSES, Options, check, make_task, run, shapes_of, to, with_mask


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_masks(form: str, device: torch.device, kind: str, share: float) -> None:
    for seed, shape in enumerate(shapes_of(kind)):
        for dims in range(len(shape) if kind in (*SPANS_CLASSES, "probabilities") else len(shape) + 1):
            task = with_mask(make_task(kind, shape, seed), share, dims, seed)
            check([to(task, device), to(make_task("mse", (3,)), device)], slack=4)


@pytest.mark.parametrize("ignore", [-100, -1, 2])
def test_ignore_index(form: str, device: torch.device, ignore: int) -> None:
    for shape in [(50, 3), (7, 40), (2, 4, 6, 5), (3, 3)]:
        task = make_task("cross_entropy", shape, 5)
        task.target[torch.rand(task.target.shape, generator=torch.Generator().manual_seed(1)) < 0.4] = ignore
        check([to(task, device)], options=Options(ignore_index=ignore))
        task.target[...] = ignore
        total, losses, gradients = run([to(task, device)], None, Options(ignore_index=ignore))
        assert float(total) == float(losses[0]) == 0
        assert not gradients[0].any()


def test_what_is_not_labelled_does_not_matter(form: str, device: torch.device) -> None:
    """NaN, inf and labels out of range behind a mask reach neither losses nor gradients."""
    for kind in ALL_KINDS:
        shape = (70, 40) if kind in SPANS_CLASSES else (70, 3)
        for wild in (float("nan"), float("inf")):
            task = with_mask(make_task(kind, shape, 1), 0.5, 1, 1)
            assert task.mask is not None
            clean = run([to(task, device)], None, Options())
            task.output[~task.mask] = wild
            task.target[~task.mask] = 77 if kind == "cross_entropy" else wild
            dirty = run([to(task, device)], None, Options())
            assert torch.equal(clean[1], dirty[1]), kind
            assert torch.equal(clean[2][0], dirty[2][0]), kind


def test_nan_and_inf_stay_with_their_task(form: str, device: torch.device) -> None:
    tasks = [to(make_task("cross_entropy", (70, 5), t), device) for t in range(3)]
    tasks.append(to(make_task("cross_entropy", (9, 50), 3), device))
    tasks[1].output[3, 2] = torch.nan
    tasks[3].output[4, 7] = torch.inf
    _, losses, gradients = run(tasks, None, Options())
    assert losses.isfinite().tolist() == [True, False, True, False]
    assert gradients[0].isfinite().all()
    assert gradients[2].isfinite().all()
    for t, row in ((1, 3), (3, 4)):
        assert not gradients[t][row].isfinite().any()
        assert gradients[t].isfinite().all(1).sum() == len(gradients[t]) - 1


def test_classes_ruled_out_by_infinity(form: str, device: torch.device) -> None:
    """A logit of -inf has probability 0; the loss is inf where it is the target's, finite elsewhere."""
    for classes in (4, 40, 2100):
        task = make_task("cross_entropy", (6, classes))
        task.output[:, 1] = -torch.inf
        task.target[:] = torch.tensor([0, 2, 3, 0, 2, 3])
        total, _, gradients = run([to(task, device)], None, Options())
        assert total.isfinite()
        assert not gradients[0][:, 1].any()
        task.target[2] = 1
        assert torch.isposinf(run([to(task, device)], None, Options())[0])


CASES_OF_ERRORS = [
    ({"kinds": ["cross_entropie"]}, ValueError, "kinds among .*got 'cross_entropie'"),
    ({"reduction": "none"}, ValueError, "reduction 'mean' or 'sum', got 'none'"),
    ({"outputs": []}, ValueError, "at least one task"),
    ({"targets": []}, ValueError, "1 targets and kinds as outputs, got 0 targets"),
    ({"kinds": []}, ValueError, "got 1 targets and 0 kinds"),
    ({"masks": [None, None]}, ValueError, "1 masks as outputs, got 2"),
    ({"beta": [1.0, 2.0]}, ValueError, "one beta, or 1, got 2"),
    ({"beta": 0.0}, ValueError, "expected beta > 0, got 0.0"),
    ({"beta": [-1]}, ValueError, "expected beta > 0, got -1"),
    ({"beta": float("nan")}, ValueError, "expected beta > 0, got nan"),
    ({"label_smoothing": -0.1}, ValueError, "0 <= label_smoothing <= 1, got -0.1"),
    ({"label_smoothing": 1.1}, ValueError, "0 <= label_smoothing <= 1, got 1.1"),
    ({"label_smoothing": float("nan")}, ValueError, "0 <= label_smoothing <= 1, got nan"),
    ({"weights": torch.ones(2)}, ValueError, r"weights of shape \[1\], got \[2\]"),
    ({"outputs": [torch.ones(3)]}, ValueError, r"outputs\[0\] of shape \[N, C, \.\.\.\], got \[3\]"),
    ({"outputs": [torch.ones(3, 2, dtype=torch.long)]}, TypeError, "outputs of .*dtype"),
    ({"targets": [torch.zeros(4, dtype=torch.long)]}, ValueError, r"targets\[0\] of shape \[3\].*got \[4\]"),
    ({"targets": [torch.ones(3, 4)]}, ValueError, r"targets\[0\] of shape \[3, 2\].*got \[3, 4\]"),
    ({"kinds": ["mse"]}, ValueError, r"targets\[0\] of shape \[3, 2\].*got \[3\]"),
    ({"targets": [torch.zeros(3, dtype=torch.bool)]}, TypeError, r"targets\[0\] of integers"),
    ({"masks": [torch.ones(3)]}, TypeError, r"masks\[0\] of dtype bool"),
    ({"masks": [torch.ones(2, dtype=torch.bool)]}, ValueError, r"masks\[0\] of shape \[3\].*got \[2\]"),
]


@pytest.mark.parametrize(("change", "error", "message"), CASES_OF_ERRORS)
def test_errors(form: str, device: torch.device, change: Any, error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "outputs": [torch.ones(3, 2)],
        "targets": [torch.zeros(3, dtype=torch.long)],
        "kinds": KINDS[:1],
    }
    arguments |= change
    moved: dict[str, Any] = {
        name: [v.to(device) if isinstance(v, Tensor) else v for v in value]
        if name in ("outputs", "targets", "masks")
        else (value.to(device) if isinstance(value, Tensor) else value)
        for name, value in arguments.items()
    }
    with pytest.raises(error, match=message):
        task_losses(**moved)


@pytest.mark.parametrize("label", [3, -1, 2**40])
@pytest.mark.parametrize("classes", [3, 40])
def test_labels_out_of_range(form: str, device: torch.device, label: int, classes: int) -> None:
    """Refused on the CPU; on CUDA the task's loss is NaN, and asking names the label."""
    tasks = [to(make_task("cross_entropy", (9, classes), t), device) for t in range(3)]
    label = classes if label == 3 else label
    tasks[1].target[4] = label
    message = rf"targets\[1\] with labels from 0 to {classes - 1} .*got {label} at element 4"
    if form in ("emulated", "cuda"):
        _, losses, gradients = run(tasks, None, Options())
        assert losses.isnan().tolist() == [False, True, False]
        assert not gradients[1][4].any()
    else:
        with pytest.raises(IndexError, match=message):
            run(tasks, None, Options())
    with pytest.raises(IndexError, match=message):
        check_labels([task.output for task in tasks], [task.target for task in tasks], ["cross_entropy"] * 3)
    mask = torch.ones(9, dtype=torch.bool, device=device)
    mask[4] = False
    check_labels([tasks[1].output], [tasks[1].target], ["cross_entropy"], masks=[mask])
    assert run([replace(tasks[1], mask=mask)], None, Options())[0].isfinite()
