"""Adam without bias correction, which torch.optim does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class UncorrectedAdam(Optimizer):
    """theta <- theta - lr m / (sqrt(v) + eps), m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2.

    The form found in many texts; m and v start at 0, so that the first steps are about (1 - b1) / sqrt(1 - b2) times
    Adam's (3.2 with the usual betas). ``decoupled`` decays the parameter itself, (1 - lr decay) theta; otherwise decay
    is added to g. With ``foreach`` there is one call per operation for all parameters, otherwise one for each.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        *,
        decoupled: bool,
        foreach: bool,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "decoupled": decoupled, "foreach": foreach})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            for param in params:
                if not self.state[param]:
                    self.state[param] = {name: torch.zeros_like(param) for name in ("exp_avg", "exp_avg_sq")}
            for together in [params] if group["foreach"] and params else [[param] for param in params]:
                self._move(together, group)

    def _move(self, params: list[Tensor], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
        gradients: Any = [param.grad for param in params]
        m = [self.state[param]["exp_avg"] for param in params]
        v = [self.state[param]["exp_avg_sq"] for param in params]
        if decay and group["decoupled"]:
            torch._foreach_mul_(params, 1 - lr * decay)
        elif decay:
            gradients = torch._foreach_add(gradients, params, alpha=decay)
        torch._foreach_lerp_(m, gradients, 1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - beta2)
        roots = torch._foreach_sqrt(v)
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(params, m, roots, -lr)
