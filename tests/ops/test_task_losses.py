from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbench.core.losses import LOSSES
from mtlbench.ops import backend
from mtlbench.ops.task_losses import task_losses

from .loss_oracle import (
    ALL_KINDS,
    EPSILON,
    SPANS_CLASSES,
    Options,
    Task,
    check,
    make_task,
    run,
    shapes_of,
    to,
    with_mask,
)

kernels = backend.module  # the fixture `form` hides it where the operation must not find it
needs_kernels = pytest.mark.skipif(kernels is None, reason=backend.backend().reason)


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_shapes(form: str, device: torch.device, kind: str, reduction: Any) -> None:
    for seed, shape in enumerate(shapes_of(kind)):
        check([to(make_task(kind, shape, seed), device)], options=Options(reduction), slack=4)


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(form: str, device: torch.device, kind: str, dtype: torch.dtype) -> None:
    for seed, shape in enumerate(shapes_of(kind)):
        check([to(make_task(kind, shape, seed, dtype), device)])


@pytest.mark.parametrize("tasks", [*range(1, 9), 16, 17, 50])
def test_any_number_and_mix_of_tasks(form: str, device: torch.device, tasks: int) -> None:
    dtypes = [torch.float32, torch.float32, torch.bfloat16, torch.float16, torch.float64]
    made = []
    for t in range(tasks):
        kind = ALL_KINDS[(t + tasks) % len(ALL_KINDS)]
        shapes = shapes_of(kind)
        made.append(to(make_task(kind, shapes[t % len(shapes)], t, dtypes[t % (tasks % 5 + 1)]), device))
    weights = torch.linspace(-1, 2, tasks, device=device)
    check(made, weights)


@pytest.mark.parametrize("weight", [0.0, -2.5, 1.0, 1e-30, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_of_any_size(form: str, device: torch.device, weight: float, dtype: torch.dtype) -> None:
    tasks = [to(make_task("cross_entropy", (20, 4), 1, dtype), device), to(make_task("mse", (9,), 2, dtype), device)]
    check(tasks, torch.tensor([weight, 0.5], device=device))


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_label_smoothing(form: str, device: torch.device, smoothing: float) -> None:
    for kind in ("cross_entropy", "probabilities"):
        for seed, shape in enumerate(shapes_of(kind)):
            check([to(make_task(kind, shape, seed), device)], options=Options(label_smoothing=smoothing), slack=4)


@pytest.mark.parametrize("beta", [0.3, 2.0])
def test_beta(form: str, device: torch.device, beta: float) -> None:
    kinds = [name for name, row in LOSSES.items() if row.parameter and row.parameter.admits(beta)]
    tasks = [replace(make_task(kind, (70,), 3), beta=beta) for kind in kinds]
    assert tasks
    for task in tasks:
        task.output[:5] = task.target[:5]  # the kink
    check([to(task, device) for task in tasks])


def test_extreme_logits(form: str, device: torch.device) -> None:
    rows = torch.tensor([[1e4, -1e4, 0.0], [88.0, 89.0, -200.0], [-1e30, 1e30, 0.0], [0.0, 1e-38, -1e-38]])
    check([to(Task("cross_entropy", rows, torch.tensor([0, 1, 1, 2])), device)], slack=4)
    logits = torch.tensor([1e4, -1e4, 88.8, -103.9, 1e-38, 0.0, -0.0])
    check([to(Task("bce_with_logits", logits, torch.tensor([1.0, 0, 1, 0, 1, 0, 0.5])), device)], slack=4)


def test_cosine_of_nothing(form: str, device: torch.device) -> None:
    task = Task("cosine", torch.tensor([[0.0, 0, 0], [1, 2, 2]]), torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
    total, _, gradients = run([to(task, device)], None, Options())
    assert float(total) == 1
    assert gradients[0].isfinite().all()


def test_memory_layouts(form: str, device: torch.device) -> None:
    wide = torch.randn(40, 12, device=device)
    labels = torch.randint(0, 6, (80,), device=device)
    image = torch.randn(2, 6, 8, 5, device=device)
    volume = torch.randn(2, 3, 4, 3, 2, device=device)
    pixels = torch.randint(0, 6, (2, 5, 8), device=device).transpose(1, 2)
    tasks = [
        Task("cross_entropy", wide[:, ::2], labels[::2]),
        Task("cross_entropy", wide.T[:6], labels[:6]),
        Task("cross_entropy", image.to(memory_format=torch.channels_last), pixels),
        Task("cosine", image.to(memory_format=torch.channels_last), torch.randn_like(image)),
        Task("mse", image.to(memory_format=torch.channels_last), torch.randn_like(image)),
        Task("cross_entropy", volume.to(memory_format=torch.channels_last_3d), torch.randint(0, 3, (2, 4, 3, 2))),
        Task("l1", torch.randn(1, 5, device=device).expand(7, 5), torch.randn(5, 7, device=device).T),
        Task("bce_with_logits", torch.randn(1001, device=device)[1:], torch.rand(1001, device=device)[1:]),
        Task("cross_entropy", wide[:, 1:11], torch.rand(40, 10, device=device).softmax(1)),
    ]
    tasks = [to(task, device) for task in tasks]
    tasks[2] = replace(tasks[2], mask=torch.rand(2, 8, device=device) < 0.5)
    check(tasks)


def test_gradient_keeps_the_memory_format(form: str, device: torch.device) -> None:
    image = torch.randn(2, 6, 8, 5, device=device).to(memory_format=torch.channels_last).requires_grad_()
    total, _ = task_losses([image], [torch.zeros(2, 8, 5, dtype=torch.long, device=device)], ["cross_entropy"])
    (gradient,) = torch.autograd.grad(total, [image])
    assert gradient.is_contiguous(memory_format=torch.channels_last) or form == "reference"


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.int16])
def test_other_integers_as_labels(form: str, device: torch.device, dtype: torch.dtype) -> None:
    task = make_task("cross_entropy", (20, 6))
    check([to(replace(task, target=task.target.to(dtype)), device)])


def test_targets_of_other_dtypes(form: str, device: torch.device) -> None:
    task = make_task("bce_with_logits", (20,))
    check([to(replace(task, target=task.target > 0.5), device)])
    task = make_task("mse", (20,), dtype=torch.bfloat16)
    check([to(replace(task, target=task.target.bfloat16()), device), to(make_task("mse", (3,)), device)])


def shape_strategy(kind: str) -> st.SearchStrategy[tuple[int, ...]]:
    sizes = st.integers(0, 70)
    if kind in (*SPANS_CLASSES, "probabilities"):
        return st.tuples(sizes, st.integers(1, 70)) | st.tuples(
            st.integers(0, 3), st.integers(1, 40), st.integers(0, 70)
        )
    return st.lists(st.integers(0, 20), max_size=3).map(tuple)


@needs_kernels
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_shapes(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(ALL_KINDS), min_size=1, max_size=5))
    tasks = []
    for seed, kind in enumerate(kinds):
        task = make_task(
            kind, data.draw(shape_strategy(kind)), seed, data.draw(st.sampled_from(sorted(EPSILON, key=str)))
        )
        if data.draw(st.booleans()):
            dims = task.output.ndim - (task.kind in SPANS_CLASSES)
            task = with_mask(task, 0.6, data.draw(st.integers(0, dims)), seed)
        tasks.append(task)
    check(tasks, torch.linspace(-1, 1, len(tasks)), Options(data.draw(st.sampled_from(["mean", "sum"]))), slack=4)


@needs_kernels
def test_bits_do_not_depend_on_threads_or_runs(one_thread: None) -> None:
    tasks = [
        make_task("cross_entropy", (3000, 40)),
        make_task("cross_entropy", (2, 5, 90, 70)),
        make_task("mse", (99_999,)),
    ]
    results = []
    for threads in (1, 2, 3, 1):
        torch.set_num_threads(threads)
        results.append(run(tasks, None, Options()))
    for total, losses, gradients in results[1:]:
        assert torch.equal(total, results[0][0])
        assert torch.equal(losses, results[0][1])
        assert all(torch.equal(a, b) for a, b in zip(gradients, results[0][2], strict=True))


@needs_kernels
@pytest.mark.parametrize("form", ["emulated"], indirect=True)
@pytest.mark.parametrize("blocks", [1, 2, 7, 40])
def test_any_number_of_blocks(form: str, blocks: int) -> None:
    tasks = [make_task(kind, shape, 3) for kind in ALL_KINDS for shape in shapes_of(kind)[3:6]]
    tasks = [with_mask(task, 0.7, 1, t) if t % 2 else task for t, task in enumerate(tasks)]
    kernels.set_emulated_blocks(blocks)
    try:
        check(tasks, torch.linspace(-1, 1, len(tasks)), slack=4)
        assert torch.equal(run(tasks, None, Options())[0], run(tasks, None, Options())[0])
    finally:
        kernels.set_emulated_blocks(3)


@needs_kernels
@pytest.mark.parametrize("form", ["emulated"], indirect=True)
def test_more_tasks_than_fit_one_launch(form: str) -> None:
    tasks = [make_task("cross_entropy" if t % 3 else "mse", (2, 3), t) for t in range(900)]
    check(tasks, torch.linspace(-1, 1, 900))
