"""Operations of a training step: one file each, with its PyTorch reference."""

from .task_losses import per_task_losses, task_losses

__all__ = ["per_task_losses", "task_losses"]
