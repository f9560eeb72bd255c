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
    """Soft parameter sharing: a separate network for every task, with a penalty on the distance of their trunks.

    strength * R is added to the objective, where W_t are a layer's weights in the trunk of task t. For ``l2``, R is the
    sum over layers of sum_t |W_t - mean_s W_s|^2; for ``trace``, that of the trace norm of the matrix whose row t is
    W_t, with sqrt(s^2 + 1e-8) for its singular values s. Sources: Duong et al., Low Resource Dependency Parsing:
    Cross-lingual Parameter Sharing in a Neural Network Parser, ACL 2015 (l2, there between a pair of networks); Yang
    and Hospedales, Trace Norm Regularised Deep Multi-Task Learning, ICLR Workshops 2017 (LAF in the authors' code: of
    the tensor of all tasks' weights, unfolded along its last axis, the tasks).

    W_t are matrices, kernels and embeddings. Biases, and scales and offsets of normalisations, are each task's own, as
    biases are in the example of Yang and Hospedales' code, unless ``biases`` ties them too. Deviation: Duong et al. tie
    some of the embeddings (of tags and of arc labels, not of words).
    """

    common: ClassVar[bool] = True

    tie: Literal["l2", "trace"] = Field("l2", description="squared distance to the mean, or trace norm across tasks")
    biases: bool = Field(False, description="whether the tie is also on biases and on normalisations' parameters")
    strength: float = Field(1e-2, ge=0, description="factor of the tie in the objective")

    @property
    def recordable(self) -> bool:
        """Whether a CUDA graph can capture it: not with a trace norm, which needs a decomposition."""
        return self.tie != "trace" or not self.strength

    def penalty(self, tasks: Mapping[str, nn.Module]) -> Tensor | None:
        """strength * R over the trunks."""
        if len(tasks) < 2 or not self.strength:
            return None
        import torch

        trunks = [
            [p for p in network.get_submodule("0").parameters() if self.biases or p.ndim > 1]
            for network in tasks.values()
        ]
        layers = (torch.stack([weight.flatten() for weight in layer]) for layer in zip(*trunks, strict=True))
        terms = [_spread(layer) if self.tie == "l2" else _trace_norm(layer) for layer in layers]
        return self.strength * torch.stack(terms).sum() if terms else None


def _spread(rows: Tensor) -> Tensor:
    return (rows - rows.mean(0)).square().sum()


def _trace_norm(rows: Tensor) -> Tensor:
    """Computed from the T x T Gramian, so that it is smooth where networks are equal, as they are initially."""
    import torch

    norm: Tensor = (torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0) + 1e-8).sqrt().sum()
    return norm
