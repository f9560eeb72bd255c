"""Operations of a training step: one file each, with its PyTorch reference."""

from .task_losses import task_losses

__all__ = ["task_losses"]
