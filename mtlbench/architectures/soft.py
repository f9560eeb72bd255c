"""Soft parameter sharing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from .single import Single
from .trunked import OneForm

if TYPE_CHECKING:
    from torch import Tensor, nn


class Soft(Single, OneForm):
    """Soft parameter sharing: a network of its own for every task, their trunks' weights drawn to each other.

    The objective has strength * R more, over the layers' weights W_t of the trunks: R = sum over layers of sum_t |W_t -
    mean_s W_s|^2 for ``l2``; of the trace norm of the matrix whose row t is W_t for ``trace``, with sqrt(s^2 + 1e-8)
    for its singular values s. Sources: Duong et al., Low Resource Dependency Parsing: Cross-lingual Parameter Sharing
    in a Neural Network Parser, ACL 2015 (l2, there between a pair of networks); Yang and Hospedales, Trace Norm
    Regularised Deep Multi-Task Learning, ICLR Workshops 2017 (its "last axis flattening").
    """

    common: ClassVar[bool] = True

    tie: Literal["l2", "trace"] = Field("l2", description="squared distance to the mean, or trace norm across tasks")
    strength: float = Field(1e-2, ge=0, description="factor of the tie in the objective")

    @property
    def recordable(self) -> bool:
        """A trace norm takes a decomposition."""
        return self.tie != "trace" or not self.strength

    def penalty(self, tasks: Mapping[str, nn.Module]) -> Tensor | None:
        """strength * R, of the trunks."""
        if len(tasks) < 2 or not self.strength:
            return None
        import torch

        trunks = [list(network.get_submodule("0").parameters()) for network in tasks.values()]
        layers = (torch.stack([weight.flatten() for weight in layer]) for layer in zip(*trunks, strict=True))
        terms = [_spread(layer) if self.tie == "l2" else _trace_norm(layer) for layer in layers]
        return self.strength * torch.stack(terms).sum() if terms else None


def _spread(rows: Tensor) -> Tensor:
    return (rows - rows.mean(0)).square().sum()


def _trace_norm(rows: Tensor) -> Tensor:
    """Through the T x T Gramian, whose square root is smooth where networks are equal, as they are at the start."""
    import torch

    norm: Tensor = (torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0) + 1e-8).sqrt().sum()
    return norm
