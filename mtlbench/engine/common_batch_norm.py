"""Batch normalisation over the rows of all ranks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..core.errors import MtlbenchError
from .distributed import World, reduce_


class CommonBatchNorm(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the batch of all ranks, as in one
    process; running statistics take the variance with n - 1.

    torch's SyncBatchNorm does the same on CUDA alone. A module keeps its parameters, buffers and their names.
    """

    world: World

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of positions."""

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, input: Tensor) -> Tensor:
        """[B, C, *positions] to the same."""
        if not self.training and self.running_mean is not None:
            return super().forward(input)
        filled = self.world.filled
        if any(filled) and not all(filled):
            raise MtlbenchError(
                f"expected a row of every task for each of {self.world.size} processes in every step, as batch "
                "normalisation over several sets of inputs needs, got fewer: choose another batch_size or fewer workers"
            )
        counted = float(not any(filled))  # a row that is not this rank's own belongs to no statistic
        axes = [axis for axis in range(input.ndim) if axis != 1]
        rows = input.new_full((1,), counted * input.numel() / input.shape[1])
        sums: Tensor = _Sum.apply(torch.cat([counted * input.sum(axes), rows]))  # type: ignore[no-untyped-call]
        count, shape = sums[-1].detach(), [1, -1] + [1] * (input.ndim - 2)
        mean = sums[:-1] / count
        centred = input - mean.view(shape)
        variance: Tensor = _Sum.apply(counted * centred.square().sum(axes)) / count  # type: ignore[no-untyped-call]
        if self.training and self.track_running_stats:
            self._remember(mean.detach(), variance.detach() * count / (count - 1).clamp(min=1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape) if self.affine else normal

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


class _Sum(torch.autograd.Function):
    """The sum over ranks, whose gradient is the sum over ranks as well: every rank's losses depend on it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        reduce_(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        reduce_(total)
        return total


def with_common_batches(model: nn.Module, world: World) -> None:
    """Let every batch normalisation of a model see the rows of all ranks."""
    for module in model.modules() if world.size > 1 else ():
        if isinstance(module, _BatchNorm):
            module.__class__ = CommonBatchNorm
            vars(module)["world"] = world  # no module nor tensor, so that it is none of the model's state
