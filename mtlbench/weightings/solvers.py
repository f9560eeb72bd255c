"""The projection onto the simplex."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def onto_simplex(y: Tensor) -> Tensor:
    """The nearest point to y [T] with x >= 0 and sum x = 1. Source: Duchi et al., ICML 2008, figure 1."""
    import torch

    y = y - y.amax()  # does not change the nearest point, and keeps large numbers from absorbing the 1
    ordered = y.sort(descending=True).values
    surplus = (ordered.cumsum(0) - 1) / torch.arange(1, len(y) + 1, device=y.device)
    last = (ordered > surplus).sum() - 1
    return (y - surplus[last]).clamp(min=0)
