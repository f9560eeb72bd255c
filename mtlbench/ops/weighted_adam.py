"""One launch over all parameters: total weighted loss, combination of the task gradients, Adam or AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import backend

TaskGradients = Sequence[Sequence[Tensor | None]]  # [t][i]: task t's gradient for parameter i, None where it has none


@torch.no_grad()
def weighted_adam_(
    params: Sequence[Tensor],
    gradients: TaskGradients,
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    step: Tensor | Sequence[Tensor],
    losses: Tensor | None = None,
    weights: Tensor | None = None,
    *,
    lr: float | Tensor = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    max_exp_avg_sqs: Sequence[Tensor] = (),
    maximize: bool = False,
    bias_correction: bool = True,
    grad_scale: Tensor | None = None,
    found_inf: Tensor | None = None,
) -> Tensor | None:
    r"""Update the parameters in place by one Adam step on the weighted task gradients.

    .. math::
        L &= \sum_t λ_t L_t, \qquad g = \pm\frac{1}{s} \sum_t λ_t g_t \\
        p &← p (1 - η d) \text{ (decoupled)} \quad\text{or}\quad g ← g + d p \\
        m &← m + (1-β_1)(g - m), \qquad v ← β_2 v + (1-β_2) g^2 \\
        p &← p - \frac{η}{1-β_1^k}\, m \,/\, (\sqrt{v / (1-β_2^k)} + ε)

    Shapes: n ``params``, as many ``exp_avgs`` (m) and ``exp_avg_sqs`` (v) of the same shapes; ``gradients`` is T lists
    of n gradients or None; ``losses`` and ``weights`` (λ, default 1) are [T]. With one list of gradients and several
    weights the gradients are taken as already weighted. ``step`` holds the number k - 1 of updates so far, float32: one
    for all, advanced by a call that updates any parameter, or one for each, advanced when its parameter is updated.
    ``max_exp_avg_sqs`` makes it AMSGrad: the running maximum of v replaces v. ``grad_scale`` is s; if ``found_inf`` is
    not 0, nothing is updated. Returns L (float32, not differentiable), or None without ``losses``.

    A parameter without a gradient of any task stays unchanged. A weight of 0 still multiplies: 0 times NaN is NaN, as
    in torch; to leave a task out, pass None. Kernels exist for float32, float64 and bfloat16 parameters (bfloat16 with
    float32 or bfloat16 states) and at most 1024 tasks; everything else runs on the torch reference. On CUDA, one launch
    holds some 600 tensors with one task, or 80 with 16; more take several.

    Raises: ValueError for lengths or shapes that do not match, TypeError for dtypes or devices that do not.
    Source: Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2; Reddi et al. 2018, algorithm 2.
    """
    steps = [step] if isinstance(step, Tensor) else step
    numbers = AdamNumbers(*betas, eps, weight_decay, decoupled, maximize, bias_correction)
    scalars = (losses, weights, lr, grad_scale, found_inf)
    if backend.module is not None and not torch.compiler.is_compiling():
        done = backend.module.weighted_adam_(
            params, gradients, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, scalars, numbers
        )
        if done is not False:
            loss: Tensor | None = done
            return loss
    where, state = (params[0], exp_avgs[0]) if len(params) else (steps[0], steps[0])
    kernels = backend.library(where.device) if has_kernel(where, state) else None
    update = reference if kernels is None else kernels.weighted_adam_
    flat = [gradient for of_task in gradients for gradient in of_task]
    tensors = (params, flat, len(gradients), exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, losses, weights)
    lr_value, lr_tensor = (0.0, lr) if isinstance(lr, Tensor) else (lr, None)
    total: Tensor = update(*tensors, lr_tensor, grad_scale, found_inf, lr_value, *numbers)
    return None if losses is None else total


def has_kernel(param: Tensor, state: Tensor) -> bool:
    """Whether a kernel exists for a parameter and a state of these dtypes."""
    if param.dtype == torch.bfloat16:
        return state.dtype in (torch.bfloat16, torch.float32)
    return param.dtype == state.dtype and param.dtype in (torch.float32, torch.float64)


class AdamNumbers(NamedTuple):
    """The scalar settings of an update, in the order of the compiled operation."""

    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    decoupled: bool
    maximize: bool
    bias_correction: bool


def reference(
    params: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    tasks: int,
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    max_exp_avg_sqs: Sequence[Tensor],
    steps: Sequence[Tensor],
    losses: Tensor | None,
    weights: Tensor | None,
    lr_tensor: Tensor | None,
    grad_scale: Tensor | None,
    found_inf: Tensor | None,
    lr: float,
    *numbers: Any,
) -> Tensor:
    """The same in torch, tensor by tensor, with the arguments of the compiled operation."""
    n = AdamNumbers(*numbers)
    factors = _factors(weights, tasks, grad_scale, -1.0 if n.maximize else 1.0)
    total = steps[0].new_empty(0) if losses is None else total_loss(losses, weights)
    if found_inf is not None and bool(found_inf != 0):
        return total
    touched = False
    for i, (p, m, v) in enumerate(zip(params, exp_avgs, exp_avg_sqs, strict=True)):
        present = [(t, g) for t in range(tasks) if (g := gradients[t * len(params) + i]) is not None]
        if not present:
            continue
        number = torch.promote_types(p.dtype, torch.float32)
        grad = reduce(torch.add, [factors[t] * g.to(number) for t, g in present]).to(number)
        step = steps[0] if len(steps) == 1 else steps[i]
        peak = max_exp_avg_sqs[i] if max_exp_avg_sqs else None
        update_one_(p, grad, m, v, peak, step.double() + 1, lr if lr_tensor is None else lr_tensor.double(), n)
        touched = True
        if len(steps) > 1:
            step.add_(1)
    if touched and len(steps) == 1:
        steps[0].add_(1)
    return total


def total_loss(losses: Tensor, weights: Tensor | None) -> Tensor:
    """sum_t λ_t L_t, summed in float64 and returned as float32."""
    weighted = losses.double() if weights is None else losses.double() * weights
    return weighted.sum().float()


def _factors(weights: Tensor | None, tasks: int, grad_scale: Tensor | None, sign: float) -> Sequence[float | Tensor]:
    """What multiplies the gradients of each task."""
    scale = sign if grad_scale is None else sign / grad_scale.double()
    if weights is None or weights.numel() != tasks:
        return [scale] * tasks
    return [scale * weight for weight in weights.double().unbind()]


def update_one_(
    p: Tensor, grad: Any, m: Tensor, v: Tensor, peak: Tensor | None, step: Tensor, lr: Any, n: AdamNumbers
) -> None:
    """Adam for one tensor, computed in float32 or float64 and rounded once to the stored dtype."""
    number = torch.promote_types(p.dtype, torch.float32)
    new = p.to(number)
    if n.decoupled:
        new = new * (1 - lr * n.weight_decay)
    elif n.weight_decay:
        grad = grad + n.weight_decay * new
    m_new = m.to(number).lerp(grad, 1 - n.beta1)
    v_new = n.beta2 * v.to(number) + (1 - n.beta2) * grad * grad
    m.copy_(m_new)
    v.copy_(v_new)
    if peak is not None:
        v_new = torch.maximum(peak.to(number), v_new)
        peak.copy_(v_new)
    correction1, correction2 = (1 - n.beta1**step, 1 - n.beta2**step) if n.bias_correction else (1.0, 1.0)
    p.copy_(new - lr / correction1 * (m_new / (v_new.sqrt() / correction2**0.5 + n.eps)))


@backend.register_fake("weighted_adam_")
def _fake(params: Any, gradients: Any, tasks: Any, *rest: Any) -> Tensor:
    steps, losses = rest[3], rest[4]
    empty: Tensor = steps[0].new_empty(() if losses is not None else (0,))
    return empty


def weighted_adam_from_state_(
    params: list[Tensor],
    state: dict[Tensor, dict[str, Tensor]],
    gradients: TaskGradients | None,
    offset: int,
    amsgrad: bool,
    scalars: tuple[Any, ...],
    numbers: AdamNumbers,
) -> Tensor | list[int] | bool | None:
    """weighted_adam_ on an optimizer's own parameters and state, read in C++ so that no tensor costs time in Python.

    ``gradients[t][offset + i]`` belongs to ``params[i]``; None takes each parameter's ``grad``, already weighted.
    ``scalars`` are losses, weights, lr, grad_scale, found_inf. Returns the total loss or None when done, the indices of
    parameters whose state must be created first, or False where this call is unsupported and weighted_adam_ is needed.
    """
    if backend.module is None or torch.compiler.is_compiling():
        return False
    done: Tensor | list[int] | bool | None = backend.module.weighted_adam_from_state_(
        params, state, gradients, offset, amsgrad, scalars, numbers
    )
    return done
