"""Linear heads in one launch: outputs, losses, gradients and their Adam update."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import backend
from .eager_losses import Reduction
from .task_losses import NOTHING_IGNORED, SPANNING_CODES, checked_betas, codes_of
from .task_losses import reference as losses_reference
from .weighted_adam import AdamNumbers, update_one_

Head = tuple[Tensor, Tensor | None]  # a matrix [C, H] and a bias [C] or None; or their states, in the same form

_MOST_HEADS_ON_CUDA = 128
_MOST_NUMBERS = 2**20  # of all heads on the same features; see heads_win


@torch.no_grad()
def step_heads_(
    features: Tensor | Sequence[Tensor],
    heads: Sequence[Head],
    targets: Sequence[Tensor],
    kinds: Sequence[str],
    weights: Tensor | None,
    exp_avgs: Sequence[Head],
    exp_avg_sqs: Sequence[Head],
    step: Tensor | Sequence[Head],
    *,
    lr: float | Tensor = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    max_exp_avg_sqs: Sequence[Head] = (),
    maximize: bool = False,
    bias_correction: bool = True,
    reduction: Reduction = "mean",
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    masks: Sequence[Tensor | None] | None = None,
    beta: float | Sequence[float] = 1.0,
) -> tuple[Tensor, Tensor | list[Tensor]]:
    r"""Update linear heads in place by one Adam step; return the losses L [T] and the gradient of their weighted sum
    with respect to the features.

    .. math::
        X_t = h_t W_t^\top + b_t, \qquad L_t = \text{loss}_t(X_t, y_t), \qquad D_t = λ_t\, ∂L_t / ∂X_t \\
        \frac{∂}{∂h} \sum_t λ_t L_t = \sum_t D_t W_t, \qquad
        W_t ← \text{Adam}(W_t, D_t^\top h_t), \qquad b_t ← \text{Adam}(b_t, \textstyle\sum_B D_t)

    ``features`` h: one [B, H] for all tasks, or one [B_t, H] for each; ``heads``: a pair (W_t [C_t, H], b_t [C_t] or
    None) for each task. The gradient has the form of ``features`` and is taken before the heads are updated, so that
    ``h.backward(d_features)`` continues the step. The heads' gradients are never written to memory.

    Losses are those of ``task_losses`` on outputs X_t [B, C_t] (or [B], where C_t = 1 and the targets of a loss of
    numbers are [B]): ``targets``, ``kinds``, ``weights`` (λ, default 1), ``reduction``, ``ignore_index``,
    ``label_smoothing``, ``masks`` and ``beta`` mean what they mean there. The update is that of ``weighted_adam_``;
    ``exp_avgs``, ``exp_avg_sqs`` and ``max_exp_avg_sqs`` (which makes it AMSGrad) are pairs like ``heads``; ``step`` is
    one counter for all, or pairs of counters. ``maximize`` reverses the update, not the returned gradient.

    The call changes the heads, so it cannot be used inside modules, nor with checkpointing, gradient accumulation or
    clipping. Every call updates each head, with a gradient of zero where no row is labelled or there are no rows.
    Outputs, D and the heads' gradients stay in float32 (float64 for float64) where torch rounds them to bfloat16.

    Kernels exist for float32 and float64, and for bfloat16 features with bfloat16 or float32 heads and float32 states;
    on CUDA for at most 128 heads. Everything else runs on the torch reference. ``heads_win`` says when it pays.

    Raises: ValueError for lengths, shapes or names that do not match, for beta <= 0, for a label_smoothing outside
    [0, 1] and for heads or states that share memory, TypeError for dtypes or devices that do not match, IndexError for
    a class index out of range (as in ``task_losses``, on CUDA such an index makes its task's loss NaN, and with it
    everything computed from that loss).
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"step_heads_: expected reduction 'mean' or 'sum', got {reduction!r}")
    one = isinstance(features, Tensor)
    inputs = [features] if isinstance(features, Tensor) else list(features)
    if not heads or not inputs:
        raise ValueError(f"step_heads_: expected at least one head, got {len(heads)} on {len(inputs)} features")
    knees = checked_betas("step_heads_", beta, label_smoothing)
    ignored = NOTHING_IGNORED if ignore_index is None else ignore_index
    numbers = AdamNumbers(*betas, eps, weight_decay, decoupled, maximize, bias_correction)
    lr_value, lr_tensor = (0.0, lr) if isinstance(lr, Tensor) else (lr, None)
    kernels = backend.library(inputs[0].device) if has_kernel(inputs[0], heads, exp_avgs) else None
    update = reference if kernels is None else kernels.step_heads_
    d_features = [h.new_empty(h.shape) for h in inputs]
    losses = update(
        inputs,
        d_features,
        _flat(heads, heads, "heads"),
        [int(bias is not None) for _, bias in heads],
        list(targets),
        codes_of("step_heads_", kinds),
        weights,
        masks or (),
        knees,
        reduction == "mean",
        ignored,
        label_smoothing,
        _flat(exp_avgs, heads, "exp_avgs"),
        _flat(exp_avg_sqs, heads, "exp_avg_sqs"),
        _flat(max_exp_avg_sqs, heads, "max_exp_avg_sqs") if max_exp_avg_sqs else [],
        [step] if isinstance(step, Tensor) else _flat(step, heads, "step"),
        lr_tensor,
        lr_value,
        *numbers,
    )
    return losses, d_features[0] if one else d_features


def heads_win(features: Tensor | Sequence[Tensor], heads: Sequence[Head]) -> bool:
    """Whether step_heads_ pays: a kernel exists, and the heads on the same features have at most 2^20 weights.

    Speedup over torch's linear layers with ``task_losses``, autograd and ``weighted_adam_``, interleaved, as a ratio of
    medians, on one shared core of an AMD EPYC with AVX-512 (B x H, heads x C):
    256 x 128, 4 x 10: 2.3. 256 x 128, 40 x 2: 4.9. 4096 x 256, 4 x 10: 3.5. 1024 x 256, 4 x 100: 2.2.
    512 x 512, 1 x 1000: 1.8. 256 x 1024, 2 x 1000: 1.3. 256 x 4096, 1 x 1000: 0.97, where a matrix library wins.
    No times have been measured on CUDA yet, so there the answer is no.
    """
    inputs = [features] if isinstance(features, Tensor) else features
    if inputs[0].device.type != "cpu" or backend.module is None or not has_kernel(inputs[0], heads):
        return False
    sizes = [matrix.numel() for matrix, _ in heads]
    return (sum(sizes) if len(inputs) == 1 else max(sizes)) <= _MOST_NUMBERS


def _flat(pairs: Sequence[Head], heads: Sequence[Head], name: str) -> list[Tensor]:
    """For each head in turn, its matrix and, where it has one, its bias."""
    if len(pairs) != len(heads):
        raise ValueError(f"step_heads_: expected {len(heads)} pairs of {name}, one per head, got {len(pairs)}")
    for t, (pair, head) in enumerate(zip(pairs, heads, strict=True)):
        if (pair[1] is None) != (head[1] is None):
            wanted = "None" if head[1] is None else "a tensor"
            raise ValueError(f"step_heads_: expected {name}[{t}][1] to be {wanted}, as the bias of head {t}")
    return [tensor for tensor in chain.from_iterable(pairs) if tensor is not None]


def has_kernel(features: Tensor, heads: Sequence[Head], states: Sequence[Head] = ()) -> bool:
    """Whether a kernel exists for these dtypes; without ``states``, assuming states of the usual dtype."""
    if features.device.type == "cuda" and len(heads) > _MOST_HEADS_ON_CUDA:
        return False
    param = heads[0][0].dtype
    usual = torch.promote_types(param, torch.float32)
    if states and states[0][0].dtype != usual:
        return False
    if features.dtype == torch.bfloat16:
        return param in (torch.bfloat16, torch.float32)
    return features.dtype in (torch.float32, torch.float64) and features.dtype == param


def reference(
    features: Sequence[Tensor],
    d_features: Sequence[Tensor],
    params: Sequence[Tensor],
    biased: Sequence[int],
    targets: Sequence[Tensor],
    codes: Sequence[int],
    weights: Tensor | None,
    masks: Sequence[Tensor | None],
    knees: Sequence[float],
    mean: bool,
    ignore_index: int,
    label_smoothing: float,
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    max_exp_avg_sqs: Sequence[Tensor],
    steps: Sequence[Tensor],
    lr_tensor: Tensor | None,
    lr: float,
    *numbers: Any,
) -> Tensor:
    """The same in torch, with the arguments of the compiled operation."""
    n = AdamNumbers(*numbers)
    number = torch.promote_types(params[0].dtype, torch.float32)
    with torch.enable_grad():
        inputs = [h.detach().to(number).requires_grad_() for h in features]
        leaves = [p.detach().to(number).requires_grad_() for p in params]
        outputs = _outputs(inputs, leaves, biased, targets, codes)
        total, losses = losses_reference(
            outputs, targets, codes, weights, masks, knees, mean, ignore_index, label_smoothing
        )
        gradients = torch.autograd.grad(total, [*inputs, *leaves])
    rate = lr if lr_tensor is None else lr_tensor.double()
    for i, (p, g) in enumerate(zip(params, gradients[len(inputs) :], strict=True)):
        step = steps[0] if len(steps) == 1 else steps[i]
        peak = max_exp_avg_sqs[i] if max_exp_avg_sqs else None
        grad = -g if n.maximize else g
        update_one_(p, grad, exp_avgs[i], exp_avg_sqs[i], peak, step.double() + 1, rate, n)
    for step in steps:
        step.add_(1)
    for d, g in zip(d_features, gradients, strict=False):
        d.copy_(g)
    return losses.detach()


def _outputs(
    features: Sequence[Tensor],
    params: Sequence[Tensor],
    biased: Sequence[int],
    targets: Sequence[Tensor],
    codes: Sequence[int],
) -> list[Tensor]:
    """X_t: [B, C], or [B] where the targets of a loss of numbers are [B]."""
    rest, outputs = iter(params), []
    for t, (bias, target, code) in enumerate(zip(biased, targets, codes, strict=True)):
        x = F.linear(features[0 if len(features) == 1 else t], next(rest), next(rest) if bias else None)
        flat = x.shape[1] == 1 and target.ndim == 1 and code not in SPANNING_CODES
        outputs.append(x.squeeze(1) if flat else x)
    return outputs


@backend.register_fake("step_heads_")
def _fake(features: Any, d_features: Any, params: Sequence[Tensor], biased: Sequence[int], *_: Any) -> Tensor:
    return params[0].new_empty(len(biased), dtype=torch.promote_types(params[0].dtype, torch.float32))
