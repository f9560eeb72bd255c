"""Adam in float64, straight from the papers, and how near to it an update must come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Case:
    """Arguments of weighted_adam_, made from a seed."""

    shapes: list[tuple[int, ...]]
    tasks: int = 1
    dtype: torch.dtype = torch.float32
    state_dtype: torch.dtype = torch.float32
    missing: float = 0.0  # share of gradients that are None
    steps_done: int = 3
    shared_step: bool = False
    amsgrad: bool = False
    weights: list[float] | None = None
    device: torch.device | str = "cpu"
    seed: int = 0

    def tensors(self) -> dict[str, Any]:
        random = torch.Generator().manual_seed(self.seed)

        def normal(shape: tuple[int, ...]) -> Tensor:
            return torch.randn(shape, generator=random, dtype=torch.float64)

        def gradient(shape: tuple[int, ...]) -> Tensor | None:
            kept = torch.rand((), generator=random).item() >= self.missing
            return normal(shape).to(self.device, self.dtype) if kept else None

        n = len(self.shapes)
        count = torch.tensor(float(self.steps_done), device=self.device)
        made: dict[str, Any] = {
            "params": [normal(s).to(self.device, self.dtype) for s in self.shapes],
            "gradients": [[gradient(s) for s in self.shapes] for _ in range(self.tasks)],
            "exp_avgs": [(0.1 * normal(s)).to(self.device, self.state_dtype) for s in self.shapes],
            "exp_avg_sqs": [(normal(s) ** 2).to(self.device, self.state_dtype) for s in self.shapes],
            "step": count if self.shared_step else [count.clone() for _ in range(n)],
        }
        if self.amsgrad:
            made["max_exp_avg_sqs"] = [(normal(s) ** 2).to(self.device, self.state_dtype) for s in self.shapes]
        if self.weights is not None:
            made["weights"] = torch.tensor(self.weights, device=self.device)
        return made


@dataclass
class Right:
    """What a parameter and its states should be, in float64, and how large the terms were that made it."""

    p: Tensor
    m: Tensor
    v: Tensor
    peak: Tensor | None
    p_terms: Tensor
    m_terms: Tensor
    v_terms: Tensor


def expected(
    tensors: dict[str, Any],
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
    bias_correction: bool = True,
    scale: float = 1.0,
) -> list[Right | None]:
    """The update of each parameter, None where no task touches it."""
    weights = tensors.get("weights")
    result: list[Right | None] = []
    for i, p in enumerate(tensors["params"]):
        factors = [1.0] * len(tensors["gradients"]) if weights is None else weights.double().tolist()
        terms = [f * g[i].double() for f, g in zip(factors, tensors["gradients"], strict=True) if g[i] is not None]
        if not terms:
            result.append(None)
            continue
        g = sum(terms) * (-1 if maximize else 1) / scale
        p, m, v = p.double(), tensors["exp_avgs"][i].double(), tensors["exp_avg_sqs"][i].double()
        k = float(tensors["step"] if isinstance(tensors["step"], Tensor) else tensors["step"][i]) + 1
        size = sum(term.abs() for term in terms) / scale
        m_terms = betas[0] * m.abs() + (1 - betas[0]) * size
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
            m_terms = m_terms + (1 - betas[0]) * weight_decay * p.abs()
            size = size + weight_decay * p.abs()
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        v_terms = v + (1 - betas[1]) * 2 * g.abs() * size  # d(g^2) = 2 g dg, and dg is of the size of the terms
        peak = torch.maximum(tensors["max_exp_avg_sqs"][i].double(), v) if "max_exp_avg_sqs" in tensors else None
        c1, c2 = (1 - betas[0] ** k, 1 - betas[1] ** k) if bias_correction else (1.0, 1.0)
        rate = lr / c1 / (((v if peak is None else peak) / c2).sqrt() + eps)
        result.append(Right(p - rate * m, m, v, peak, rate * m_terms, m_terms, v_terms))
    return result


def ulp(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The distance from |x| to the next number of ``dtype``, in float64."""
    info = torch.finfo(dtype)
    exponent = torch.floor(torch.log2(x.double().abs().clamp(min=info.tiny)))
    return torch.exp2(exponent) * info.eps


def assert_near(found: Tensor, before: Tensor, wanted: Tensor, terms: Tensor | float = 0.0, ulps: float = 2.0) -> None:
    """The change is right to 1e-5 of itself and two units in the last place of the number (one in bfloat16).

    Where ``terms`` cancel, their own rounding remains: some units in float32's last place of their size.
    """
    if found.dtype in (torch.bfloat16, torch.float16):
        ulps = 1.0
    change, right = found.double() - before.double(), wanted - before.double()
    assert torch.equal(change.isnan(), right.isnan())
    allowed = 1e-5 * right.abs() + ulps * torch.maximum(ulp(wanted, found.dtype), ulp(before, found.dtype))
    wrong = ((change - right).abs() > allowed + 3e-7 * terms) & right.isfinite()
    assert not wrong.any(), f"{int(wrong.sum())} of {wrong.numel()}: {change[wrong][:3]} instead of {right[wrong][:3]}"


def assert_right(after: dict[str, Any], i: int, before: dict[str, Any], right: Right | None) -> None:
    """Parameter i and its states changed as they should."""
    assert right is not None
    assert_near(after["params"][i], before["params"][i], right.p, right.p_terms)
    assert_near(after["exp_avgs"][i], before["exp_avgs"][i], right.m, right.m_terms)
    assert_near(after["exp_avg_sqs"][i], before["exp_avg_sqs"][i], right.v, right.v_terms, ulps=4)
    if right.peak is not None:
        assert_near(
            after["max_exp_avg_sqs"][i], before["max_exp_avg_sqs"][i], right.peak, right.v_terms + right.peak, ulps=4
        )
