"""task_losses as autograd and torch.compile see it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mtlbench.ops import backend
from mtlbench.ops.task_losses import codes_of, task_losses

from .loss_oracle import ALL_KINDS, KINDS, Options, Task, expected, grad_of, make_task, to

SHAPES = ((6, 3), (5,), (2, 3, 4))
needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)


def outputs_and_targets(device: torch.device, dtype: torch.dtype = torch.float32) -> Any:
    tasks = [to(make_task(kind, (6, 3), seed, dtype), device) for seed, kind in enumerate(KINDS)]
    return [task.output.requires_grad_() for task in tasks], [task.target for task in tasks]


def test_gradients_of_single_losses(form: str, device: torch.device) -> None:
    """Each task's own gradient, as methods that compare task gradients ask for it."""
    outputs, targets = outputs_and_targets(device)
    weights = torch.linspace(0, 3, len(KINDS), device=device)
    _, losses = task_losses(outputs, targets, KINDS, weights)
    for t, output in enumerate(outputs):
        gradients = torch.autograd.grad(losses[t], outputs, retain_graph=True)
        wanted = expected([Task(KINDS[t], output, targets[t])], None, Options())
        torch.testing.assert_close(gradients[t].double(), wanted.gradients[0], rtol=1e-5, atol=1e-7)
        assert not any(gradient.any() for u, gradient in enumerate(gradients) if u != t)


def test_total_and_losses_together(form: str, device: torch.device) -> None:
    outputs, targets = outputs_and_targets(device)
    weights = torch.linspace(-1, 1, len(KINDS), device=device)
    factors = torch.linspace(1, 2, len(KINDS), device=device)
    total, losses = task_losses(outputs, targets, KINDS, weights)
    found = torch.autograd.grad(3 * total + factors @ losses, outputs)
    plain = {KINDS.index("mse"): F.mse_loss, KINDS.index("l1"): F.l1_loss}
    for t, function in plain.items():
        loss = function(outputs[t], targets[t])
        (wanted,) = torch.autograd.grad((3 * weights[t] + factors[t]) * loss, outputs[t])
        torch.testing.assert_close(found[t], wanted)


def test_backward_twice_gives_the_same(form: str, device: torch.device) -> None:
    """What the first pass handed out, the second neither changes nor shares."""
    outputs, targets = outputs_and_targets(device)
    total, _ = task_losses(outputs, targets, KINDS)
    first = torch.autograd.grad(total, outputs, retain_graph=True)
    kept = [gradient.clone() for gradient in first]
    second = torch.autograd.grad(2 * total, outputs, retain_graph=True)
    third = torch.autograd.grad(total, outputs)
    for a, b, c, d in zip(first, second, third, kept, strict=True):
        assert torch.equal(a, d)
        assert torch.equal(c, d)
        assert torch.equal(b, 2 * d)


def test_float16_waits_for_the_loss_scale(form: str, device: torch.device) -> None:
    """Gradients too small for float16 survive when the loss is scaled."""
    task = make_task("mse", (300_000 if form != "emulated" else 70_000,), dtype=torch.float16)
    output = task.output.to(device).requires_grad_()
    total, _ = task_losses([output], [task.target.to(device)], ["mse"])
    (found,) = torch.autograd.grad(total * 65536, output)
    wanted = (output.detach().double() - task.target.to(device)) * 2 / output.numel() * 65536
    torch.testing.assert_close(found.double(), wanted, rtol=3e-3, atol=1e-7)


def test_mixture_of_what_requires_a_gradient(form: str, device: torch.device) -> None:
    tasks = [to(make_task(kind, (6, 3), seed), device) for seed, kind in enumerate(KINDS)]
    outputs = [task.output.requires_grad_(t % 2 == 0) for t, task in enumerate(tasks)]
    total, losses = task_losses(outputs, [task.target for task in tasks], KINDS)
    torch.autograd.backward(total)
    assert [output.grad is not None for output in outputs] == [t % 2 == 0 for t in range(len(outputs))]
    with torch.no_grad():
        again, _ = task_losses(outputs, [task.target for task in tasks], KINDS)
    assert torch.equal(again, total)
    assert not again.requires_grad
    with torch.inference_mode():
        assert torch.equal(task_losses(outputs, [task.target for task in tasks], KINDS)[1], losses)


def test_gradient_of_the_weights(form: str, device: torch.device) -> None:
    outputs, targets = outputs_and_targets(device)
    weights = torch.rand(len(KINDS), device=device, requires_grad=True)
    total, losses = task_losses(outputs, targets, KINDS, weights)
    torch.autograd.backward(2 * total)
    assert torch.equal(grad_of(weights), 2 * losses.detach())
    outputs = [output.detach() for output in outputs]
    total, _ = task_losses(outputs, targets, KINDS, weights)
    assert torch.autograd.grad(total, weights)[0].isfinite().all()


def test_gradcheck(form: str, device: torch.device) -> None:
    for kind in ALL_KINDS:
        task = to(make_task(kind, (4, 3, 2), 7, torch.float64), device)
        weights = torch.tensor([0.7], dtype=torch.float64, device=device, requires_grad=True)
        mask = torch.rand(4, device=device) < 0.7

        def function(output: Tensor, weights: Tensor, task: Task = task, mask: Tensor = mask) -> tuple[Tensor, Tensor]:
            total, losses = task_losses(
                [output], [task.target.double() if task.target.is_floating_point() else task.target], [task.kind],
                weights, label_smoothing=0.1, masks=[mask],
            )  # fmt: skip
            return total, losses

        assert torch.autograd.gradcheck(function, (task.output.requires_grad_(), weights))


@needs_kernels
def test_second_derivatives_are_refused(form: str, device: torch.device) -> None:
    if form == "reference":
        pytest.skip("torch has them")
    output = torch.randn(4, 3, device=device, requires_grad=True)
    total, _ = task_losses([output], [torch.zeros(4, dtype=torch.long, device=device)], ["cross_entropy"])
    with pytest.raises(NotImplementedError, match="second derivatives"):
        torch.autograd.grad(total, output, create_graph=True)


def arguments_of_operation(device: torch.device) -> Any:
    kinds = ["cross_entropy", "mse", "cosine"]
    tasks = [make_task(kind, shape, seed) for seed, (kind, shape) in enumerate(zip(kinds, SHAPES, strict=True), 1)]
    outputs = [to(task, device).output.requires_grad_() for task in tasks]
    targets = [to(task, device).target for task in tasks]
    return outputs, targets, codes_of("test", kinds), torch.rand(3, device=device, requires_grad=True)


@needs_kernels
@pytest.mark.parametrize("library", ["mtlbench", "mtlbench_emulated"])
def test_opcheck(library: str) -> None:
    if library == "mtlbench_emulated" and not backend.module.has_emulator:
        pytest.skip("built with MTLBENCH_EMULATOR=0")
    operations = getattr(torch.ops, library)
    outputs, targets, kinds, weights = arguments_of_operation(torch.device("cpu"))
    rest: tuple[Any, ...] = ([], [1.0], True, -100, 0.1)
    torch.library.opcheck(operations.task_losses.default, (outputs, targets, kinds, weights, *rest))
    detached = [output.detach() for output in outputs]
    forward = (
        detached,
        targets,
        kinds,
        weights.detach(),
        [torch.ones(6, dtype=torch.bool), None, None],
        *rest[1:],
        [1, 0, 1],
    )
    torch.library.opcheck(operations.task_losses_forward.default, forward)
    backward = (torch.ones(()), torch.rand(3), weights.detach(), torch.rand(3), detached)
    torch.library.opcheck(operations.task_losses_backward.default, backward)


def test_compiled_equals_eager(form: str, device: torch.device) -> None:
    outputs, targets, _, weights = arguments_of_operation(device)

    def function(outputs: list[Tensor], weights: Tensor) -> tuple[Tensor, Tensor]:
        total, losses = task_losses([2 * o for o in outputs], targets, ["cross_entropy", "mse", "cosine"], weights)
        return total + losses[1], losses

    torch.compiler.reset()
    total, losses = torch.compile(function, fullgraph=True, backend="aot_eager")(outputs, weights)
    found = torch.autograd.grad(total, [*outputs, weights])
    total_eager, losses_eager = function(outputs, weights)
    wanted = torch.autograd.grad(total_eager, [*outputs, weights])
    torch.testing.assert_close(losses, losses_eager)
    torch.testing.assert_close(found, wanted)
