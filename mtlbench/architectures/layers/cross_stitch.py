"""Modules of the cross-stitch networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Columns(nn.Module):
    """One trunk per task, in parallel, and a stitch after every block that has parameters."""

    def __init__(self, names: tuple[str, ...], columns: list[list[nn.Module]], own: float) -> None:
        super().__init__()
        self.names = names
        self.columns = nn.ModuleList(nn.Sequential(*column) for column in columns)
        learned = [any(True for _ in block.parameters()) for block in columns[0]]
        start = _start(len(columns), own)
        self.stitches = nn.ParameterList(nn.Parameter(start.clone()) for _ in range(sum(learned)))
        self.learned = learned

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The features of every column."""
        states = [inputs] * len(self.columns)
        stitches = iter(self.stitches)
        for learned, *blocks in zip(self.learned, *(column.children() for column in self.columns), strict=True):
            states = [block(state) for block, state in zip(blocks, states, strict=True)]
            if learned:
                states = list(torch.einsum("ts,s...->t...", next(stitches), torch.stack(states)))
        return states


def _start(tasks: int, own: float) -> Tensor:
    """alpha [T, T]; its rows sum to 1, so that equal columns stay equal."""
    if tasks == 1:
        return torch.ones(1, 1)
    rest = (1 - own) / (tasks - 1)
    return torch.full((tasks, tasks), rest).fill_diagonal_(own)
