"""How a step runs: the model, its batches, one training step, and the table of engines."""

from .table import TABLE

__all__ = ["TABLE"]
