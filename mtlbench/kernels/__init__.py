"""Kernels: the contenders for an operation, and how they are timed against each other."""

from ..core.registry import Registry

TABLE = Registry(
    "kernels",
    {
        "adam": "mtlbench.kernels.adam:Adam",
        "combined_adam": "mtlbench.kernels.adam:CombinedAdam",
        "task_losses": "mtlbench.kernels.losses:TaskLosses",
        "heads": "mtlbench.kernels.heads:Heads",
        "gramian": "mtlbench.kernels.gramian:Gramian",
        "training_step": "mtlbench.kernels.training_step:TrainingStep",
    },
)
