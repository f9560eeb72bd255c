"""Adam and AdamW in one launch for all parameters, a drop-in for torch.optim.Adam and torch.optim.AdamW."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .ops.weighted_adam import AdamNumbers, TaskGradients, total_loss, weighted_adam_, weighted_adam_from_state_


class FusedAdam(Optimizer):
    r"""Adam (Kingma and Ba 2015) or, with ``decoupled``, AdamW (Loshchilov and Hutter 2019), fused over all parameters.

    .. math::
        m ← β_1 m + (1-β_1) g, \quad v ← β_2 v + (1-β_2) g^2, \quad
        p ← p - η \frac{m / (1-β_1^k)}{\sqrt{v / (1-β_2^k)} + ε}

    Everything torch's optimizers have works: parameter groups, schedulers, hooks, closures, GradScaler, pickling, and
    ``state_dict`` goes to and from torch.optim.Adam and AdamW. ``bias_correction=False`` leaves out both denominators
    1 - β^k. The step count lies on the parameters' device, so a step can always be captured in a CUDA graph;
    ``capturable`` is kept for torch's sake alone. An lr on a CUDA device is read there.

    Deviations from torch: states of bfloat16 and float16 parameters are float32; with a GradScaler ``.grad`` stays
    scaled; complex and sparse gradients are refused; there is no ``differentiable``.

    Raises: ValueError for numbers out of range, TypeError for parameters that are not real floating-point numbers.
    """

    _step_supports_amp_scaling = True  # GradScaler hands over grad_scale and found_inf instead of unscaling itself

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled: bool = False,
        amsgrad: bool = False,
        maximize: bool = False,
        bias_correction: bool = True,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled,  # torch's names from here on
            "amsgrad": amsgrad,
            "maximize": maximize,
            "bias_correction": bias_correction,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with their own settings, checked as the first ones are."""
        super().add_param_group(param_group)
        try:
            _check_group(self.param_groups[-1])
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state of this class, of torch.optim.Adam or of AdamW, old ones included."""
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in _DEFAULTS.items():
                group.setdefault(name, value)
            for param in group["params"]:
                stored = self.state.get(param)
                if stored:  # torch keeps the count on the CPU, and before 1.12 as a number
                    stored["step"] = torch.as_tensor(stored["step"], dtype=torch.float32, device=param.device)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state_dict of this class, of torch.optim.Adam or of AdamW; float32 states stay float32."""
        super().load_state_dict(state_dict)
        names = [name for group in state_dict["param_groups"] for name in group["params"]]
        for name, param in zip(names, self._parameters(), strict=True):
            for key, value in state_dict["state"].get(name, {}).items():
                loaded = self.state[param].get(key)
                if isinstance(value, Tensor) and value.dtype == torch.float32 != loaded.dtype:
                    self.state[param][key] = value.to(param.device, copy=True)  # torch rounded it to the parameter's

    @torch.no_grad()
    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        task_gradients: TaskGradients | None = None,
        task_weights: Tensor | Sequence[float] | None = None,
        task_losses: Tensor | Sequence[Tensor] | None = None,
    ) -> Any:
        """Update the parameters, by their ``.grad`` or by weighted gradients of several tasks.

        ``task_gradients[t][i]`` is task t's gradient for parameter i, counted over all groups in order, or None. With
        it the gradients are weighted by ``task_weights`` [T] (default 1); without it ``.grad`` counts as weighted
        already. Given ``task_losses`` [T] the result is the total weighted loss, else that of the closure.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        device = next((param.device for param in self._parameters()), torch.device("cpu"))
        losses, weights = _vector(task_losses, device), _vector(task_weights, device)
        if task_gradients is not None:
            self._check_lengths(task_gradients)
        total, offset = None, 0
        for group in self.param_groups:
            formed = self._update(group, task_gradients, offset, losses if total is None else None, weights)
            total = formed if total is None else total
            offset += len(group["params"])
        if losses is not None and total is None:
            total = total_loss(losses, weights)
        return loss if total is None else total

    def _update(
        self,
        group: dict[str, Any],
        gradients: TaskGradients | None,
        offset: int,
        losses: Tensor | None,
        weights: Tensor | None,
    ) -> Tensor | None:
        beta1, beta2 = group["betas"]
        decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
        numbers = AdamNumbers(beta1, beta2, group["eps"], decay, decoupled, group["maximize"], group["bias_correction"])
        lr = group["lr"]
        if isinstance(lr, Tensor) and lr.is_cpu and not torch.compiler.is_compiling():
            lr = lr.item()
        scalars = (losses, weights, lr, getattr(self, "grad_scale", None), getattr(self, "found_inf", None))
        update = (group["params"], self.state, gradients, offset, group["amsgrad"], scalars, numbers)
        done = weighted_adam_from_state_(*update)
        if isinstance(done, list):
            for i in done:
                self._start_state(group["params"][i], group["amsgrad"])
            done = weighted_adam_from_state_(*update)
        return self._update_lists(*update) if isinstance(done, bool | list) else done

    def _update_lists(
        self,
        params: list[Tensor],
        state: dict[Tensor, dict[str, Tensor]],
        gradients: TaskGradients | None,
        offset: int,
        amsgrad: bool,
        scalars: tuple[Any, ...],
        numbers: AdamNumbers,
    ) -> Tensor | None:
        """The same through weighted_adam_, once for each device and dtype."""
        losses, weights, lr, grad_scale, found_inf = scalars
        buckets: dict[Any, list[tuple[Tensor, list[Tensor | None]]]] = defaultdict(list)
        for i, p in enumerate(params):
            own = [p.grad] if gradients is None else [of_task[offset + i] for of_task in gradients]
            if any(g is not None for g in own):
                self._start_state(p, amsgrad)
                buckets[p.device, p.dtype, state[p]["exp_avg"].dtype].append((p, own))
        options = numbers._asdict()
        betas = (options.pop("beta1"), options.pop("beta2"))
        for rows in buckets.values():
            states = [state[p] for p, _ in rows]
            weighted_adam_(
                [p for p, _ in rows],
                list(zip(*(own for _, own in rows), strict=True)),
                [k["exp_avg"] for k in states],
                [k["exp_avg_sq"] for k in states],
                [k["step"] for k in states],
                weights=None if gradients is None else weights,
                lr=lr,
                betas=betas,
                max_exp_avg_sqs=[k["max_exp_avg_sq"] for k in states] if amsgrad else (),
                grad_scale=grad_scale,
                found_inf=found_inf,
                **options,
            )
        return None if losses is None else total_loss(losses, weights)

    def state_of(self, param: Tensor) -> dict[str, Tensor]:
        """The state of a parameter of the first group, zeros if it has not been updated yet; for ``step_heads_``."""
        state: dict[str, Tensor] = self.state[param]
        if len(state) < 3:
            self._start_state(param, self.param_groups[0]["amsgrad"])
        return state

    def _start_state(self, param: Tensor, amsgrad: bool) -> None:
        """Zero states for a parameter that has none yet, as torch.optim.Adam names them."""
        state = self.state[param]
        dtype = torch.promote_types(param.dtype, torch.float32)
        if "step" not in state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=param.device)
        for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if amsgrad else 2]:
            if name not in state:
                state[name] = torch.zeros_like(param, dtype=dtype, memory_format=torch.preserve_format)

    def _parameters(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def _check_lengths(self, gradients: TaskGradients) -> None:
        expected = sum(len(group["params"]) for group in self.param_groups)
        for t, of_task in enumerate(gradients):
            if len(of_task) != expected:
                raise ValueError(
                    f"expected task_gradients[{t}] to hold a gradient or None for each of the {expected} parameters, "
                    f"got {len(of_task)}"
                )


_DEFAULTS = {
    "decoupled_weight_decay": False,
    "amsgrad": False,
    "maximize": False,
    "bias_correction": True,
    "capturable": False,
}


def _vector(values: Any, device: torch.device) -> Tensor | None:
    """Numbers or zero-dimensional tensors, one per task, as one tensor."""
    if values is None or isinstance(values, Tensor):
        return values
    if any(isinstance(value, Tensor) for value in values):
        return torch.stack([torch.as_tensor(value, device=device).detach() for value in values])
    return torch.tensor(values, dtype=torch.float32, device=device)


def _check_group(group: dict[str, Any]) -> None:
    """Raise for settings and parameters that Adam cannot take."""
    lr = group["lr"]
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"expected lr of one element, got shape {tuple(lr.shape)}")
    lower_bounds = {
        "lr": lr if not isinstance(lr, Tensor) or lr.is_cpu else 0.0,  # elsewhere reading it would wait for the device
        "eps": group["eps"],
        "weight_decay": group["weight_decay"],
    }
    for name, value in lower_bounds.items():
        if not value >= 0.0:
            raise ValueError(f"expected {name} >= 0, got {value}")
    for i, beta in enumerate(group["betas"]):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"expected 0 <= betas[{i}] < 1, got {beta}")
    for i, param in enumerate(group["params"]):
        if not param.dtype.is_floating_point:
            raise TypeError(f"expected real floating-point parameters, got parameter {i} of dtype {param.dtype}")
