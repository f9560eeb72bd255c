"""All task losses of one step, of different kinds and sizes, and their weighted total."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ..core.losses import LOSSES
from . import backend
from .eager_losses import Reduction, per_task_losses, spread

_NAMES = tuple(LOSSES)
_CODES = {kind: code for code, kind in enumerate(_NAMES)}
SPANNING_CODES = tuple(_CODES[kind] for kind, row in LOSSES.items() if row.spans_classes)
NOTHING_IGNORED = -(2**63)  # stands for None in the compiled operation: no label equals it


def task_losses(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    kinds: Sequence[str],
    weights: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    masks: Sequence[Tensor | None] | None = None,
    beta: float | Sequence[float] = 1.0,
) -> tuple[Tensor, Tensor]:
    r"""The weighted total loss (a scalar) and the task losses L [T]; the same pass computes the outputs' gradients.

    .. math:: L = \sum_t λ_t L_t, \qquad L_t = \frac{1}{N_t} \sum_{p\ \text{labelled}} \ell_t(x_p, y_p)

    Kinds are the losses of torch.nn.functional: ``cross_entropy`` (outputs [N, C, ...]; targets: class indices
    [N, ...], or probabilities in the shape of the outputs), ``bce_with_logits``, ``mse``, ``l1``, ``smooth_l1`` and
    ``huber`` with ``beta`` (one, or one per task; huber's delta), targets in the shape of the outputs; ``cosine`` is
    1 - cos over dimension 1 of outputs and targets [N, C, ...], for surface normals. ``weights`` is λ [T], default 1.

    A position p is a row of classes, a vector of ``cosine``, or one number of the other kinds; N_t counts the labelled
    ones (with ``reduction="sum"`` it is 1). ``masks``: bool, True where the label is known, in the shape of the
    positions or of their first dimensions; None where all are. A class index equal to ``ignore_index`` is not labelled
    either (None: every index is a label). A task with no labelled position has L_t = 0 and zero gradient, where
    torch's mean is NaN. ``label_smoothing`` applies to cross-entropy alone. A weight of 0 still multiplies: 0 times NaN
    is NaN, as in torch.

    Outputs are float32, float64, bfloat16 or float16, computed in float32 or float64; the results are float32, or
    float64 if any output is. Differentiable once, with respect to outputs and weights (dL/dλ_t = L_t).

    Raises: ValueError for lengths, shapes or names that do not match, for beta <= 0 and for a label_smoothing outside
    [0, 1], TypeError for dtypes or devices that do not match, IndexError for a class index out of range. On CUDA the
    host never waits for the device: there such an index makes its task's loss NaN, and ``check_labels`` finds it.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"task_losses: expected reduction 'mean' or 'sum', got {reduction!r}")
    betas = checked_betas("task_losses", beta, label_smoothing)
    ignored = NOTHING_IGNORED if ignore_index is None else ignore_index
    rest = (codes_of("task_losses", kinds), weights, masks or (), betas, reduction == "mean", ignored, label_smoothing)
    if backend.module is not None and not torch.compiler.is_compiling():
        done: tuple[Tensor, Tensor] | Literal[False] = backend.module.task_losses(outputs, targets, *rest)
        if done is not False:
            return done
    kernels = backend.library(outputs[0].device) if len(outputs) else None
    form = reference if kernels is None else kernels.task_losses
    result: tuple[Tensor, Tensor] = form(list(outputs), list(targets), *rest)
    return result


def check_labels(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    kinds: Sequence[str],
    *,
    ignore_index: int | None = -100,
    masks: Sequence[Tensor | None] | None = None,
) -> None:
    """Wait for the device and raise IndexError for the first class index out of range, naming task and element."""
    ignored = NOTHING_IGNORED if ignore_index is None else ignore_index
    _check_labels(outputs, targets, codes_of("task_losses", kinds), masks or (), ignored)


def checked_betas(operation: str, beta: float | Sequence[float], label_smoothing: float) -> tuple[float, ...]:
    """``beta`` as one, or one per task. Raises ValueError where a loss is not defined; NaN is in no range."""
    betas = (float(beta),) if isinstance(beta, float | int) else tuple(beta)
    for value in betas:
        if not value > 0.0:
            raise ValueError(f"{operation}: expected beta > 0, got {value}")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"{operation}: expected 0 <= label_smoothing <= 1, got {label_smoothing}")
    return betas


def codes_of(operation: str, kinds: Sequence[str]) -> list[int]:
    """The codes by which the compiled operations know the kinds."""
    try:
        return [_CODES[kind] for kind in kinds]
    except KeyError as error:
        raise ValueError(f"{operation}: expected kinds among {', '.join(_NAMES)}, got {error.args[0]!r}") from None


def _check_labels(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    codes: Sequence[int],
    masks: Sequence[Tensor | None],
    ignore_index: int,
) -> None:
    for t, (output, target, code) in enumerate(zip(outputs, targets, codes, strict=True)):
        if code != _CODES["cross_entropy"] or target.is_floating_point():
            continue
        wrong = ((target < 0) | (target >= output.shape[1])) & (target != ignore_index)
        if len(masks) and (mask := masks[t]) is not None:
            wrong &= spread(mask, target.shape)
        if wrong.any():
            element = int(wrong.flatten().nonzero()[0])
            raise IndexError(
                f"task_losses: expected targets[{t}] with labels from 0 to {output.shape[1] - 1} (or ignore_index), "
                f"got {int(target.flatten()[element])} at element {element}"
            )


def reference(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    codes: Sequence[int],
    weights: Tensor | None,
    masks: Sequence[Tensor | None],
    betas: Sequence[float],
    mean: bool,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[Tensor, Tensor]:
    """The same in torch, task by task, with the arguments of the compiled operation.

    One difference: without a mask, NaN logits in a row at ``ignore_index`` reach the gradient, as in torch.
    """
    _check(outputs, targets, codes, weights, masks, betas)
    if not torch.compiler.is_compiling() and outputs[0].device.type == "cpu":
        _check_labels(outputs, targets, codes, masks, ignore_index)
    per_task = per_task_losses(
        [output.to(torch.promote_types(output.dtype, torch.float32)) for output in outputs],
        [target if target.is_floating_point() else target.long() for target in targets],
        [_NAMES[code] for code in codes],
        reduction="mean" if mean else "sum",
        ignore_index=None if ignore_index == NOTHING_IGNORED else ignore_index,
        label_smoothing=label_smoothing,
        masks=masks,
        betas=betas,
    )
    return (per_task.sum() if weights is None else torch.dot(per_task, weights.to(per_task.dtype))), per_task


def _check(
    outputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    codes: Sequence[int],
    weights: Tensor | None,
    masks: Sequence[Tensor | None],
    betas: Sequence[float],
) -> None:
    """The checks of torch/loss_table.cpp."""
    count = len(outputs)
    if count == 0:
        raise ValueError("task_losses: expected at least one task, got none")
    if len(targets) != count or len(codes) != count:
        raise ValueError(
            f"task_losses: expected {count} targets and kinds as outputs, got {len(targets)} targets and "
            f"{len(codes)} kinds"
        )
    if len(masks) not in (0, count):
        raise ValueError(f"task_losses: expected {count} masks as outputs, got {len(masks)}")
    if len(betas) not in (1, count):
        raise ValueError(f"task_losses: expected one beta, or {count}, got {len(betas)}")
    if weights is not None and weights.shape != (count,):
        raise ValueError(f"task_losses: expected weights of shape [{count}], got {list(weights.shape)}")
    for t, (output, target, code) in enumerate(zip(outputs, targets, codes, strict=True)):
        _check_task(t, output, target, code, masks[t] if len(masks) else None)


def _check_task(t: int, output: Tensor, target: Tensor, code: int, mask: Tensor | None) -> None:
    shape = output.shape
    if code in SPANNING_CODES and (output.ndim < 2 or shape[1] == 0):
        raise ValueError(f"task_losses: expected outputs[{t}] of shape [N, C, ...], got {list(shape)}")
    positions = shape[:1] + shape[2:] if code in SPANNING_CODES else shape
    indices = code == _CODES["cross_entropy"] and not target.is_floating_point()
    if target.shape != (positions if indices else shape):
        wanted = list(positions if indices else shape)
        raise ValueError(f"task_losses: expected targets[{t}] of shape {wanted}, got {list(target.shape)}")
    if not output.is_floating_point():
        raise TypeError(f"task_losses: expected outputs of a floating-point dtype, got {output.dtype}")
    if indices and target.dtype == torch.bool:
        raise TypeError(f"task_losses: expected targets[{t}] of integers, got {target.dtype}")
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise TypeError(f"task_losses: expected masks[{t}] of dtype bool, got {mask.dtype}")
    if mask.shape != positions[: mask.ndim]:
        raise ValueError(
            f"task_losses: expected masks[{t}] of shape {list(positions)} or of its first dimensions, "
            f"got {list(mask.shape)}"
        )


def _gradient_like(output: Tensor, code: int) -> Tensor:
    """Like LossTable::make_gradient: contiguous in the memory format of the outputs."""
    formats = [torch.contiguous_format]
    if code in SPANNING_CODES and output.ndim == 4:
        formats.append(torch.channels_last)
    if code in SPANNING_CODES and output.ndim == 5:
        formats.append(torch.channels_last_3d)
    memory_format = next(
        (form for form in formats if output.is_contiguous(memory_format=form)), torch.contiguous_format
    )
    return torch.empty_like(output, memory_format=memory_format)


@backend.register_fake("task_losses_forward")
def _fake_forward(
    outputs: Sequence[Tensor], targets: Any, codes: Sequence[int], weights: Any, masks: Any, betas: Any, *rest: Any
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    differentiated = rest[-1]
    dtype = torch.float64 if any(output.dtype == torch.float64 for output in outputs) else torch.float32
    total = outputs[0].new_empty((), dtype=dtype)
    losses, reciprocals = (outputs[0].new_empty(len(outputs), dtype=dtype) for _ in range(2))
    gradients = [
        _gradient_like(output, code) if wanted else output.new_empty(0)
        for output, code, wanted in zip(outputs, codes, differentiated, strict=True)
    ]
    return total, losses, reciprocals, gradients


@backend.register_fake("task_losses_backward")
def _fake_backward(
    of_total: Any, of_losses: Any, weights: Any, reciprocals: Any, gradients: Sequence[Tensor]
) -> list[Tensor]:
    return [torch.empty_like(gradient) for gradient in gradients]
