"""The tables of optimizers and of learning-rate schedules; methods of one family share a file."""

from ..core.registry import Registry
from .base import Optimizer, Update
from .schedules import Schedule

__all__ = ["OPTIMIZERS", "SCHEDULES", "Optimizer", "Schedule", "Update"]

OPTIMIZERS = Registry(
    "optimizers",
    {
        "gd": "mtlbench.optim.sgd:GD",
        "sgd": "mtlbench.optim.sgd:SGD",
        "momentum": "mtlbench.optim.sgd:Momentum",
        "nesterov": "mtlbench.optim.sgd:Nesterov",
        "adagrad": "mtlbench.optim.adaptive:Adagrad",
        "rmsprop": "mtlbench.optim.adaptive:RMSprop",
        "adam": "mtlbench.optim.adam:Adam",
        "adamw": "mtlbench.optim.adam:AdamW",
        "lbfgs": "mtlbench.optim.second_order:LBFGS",
        "newton": "mtlbench.optim.second_order:Newton",
    },
)
SCHEDULES = Registry(
    "schedules",
    {
        "constant": "mtlbench.optim.schedules:Constant",
        "exponential": "mtlbench.optim.schedules:Exponential",
        "cosine": "mtlbench.optim.schedules:Cosine",
        "step": "mtlbench.optim.schedules:Step",
        "plateau": "mtlbench.optim.schedules:Plateau",
    },
)
