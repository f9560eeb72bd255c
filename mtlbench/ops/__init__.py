"""Operations of a training step: one file each, with its PyTorch reference and, where they are built, its kernels."""

from .gramian import gramian
from .gramian_weights import gramian_weights
from .step_heads import step_heads_
from .task_losses import check_labels, task_losses
from .weighted_adam import weighted_adam_

__all__ = ["check_labels", "gramian", "gramian_weights", "step_heads_", "task_losses", "weighted_adam_"]
