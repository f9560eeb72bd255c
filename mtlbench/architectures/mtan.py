"""Multi-task attention network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ..core.task import Outline, TaskSpec
from .base import Seeded
from .shared import Shared
from .trunked import form_of
from .trunks import head
from .trunks.base import Form, Trunk
from .trunks.choice import AnyTrunk

if TYPE_CHECKING:
    from torch import nn


class Mtan(Shared):
    """Multi-task attention: shared convolution blocks, and task-specific attention masks on the features of each block.

    a_t^j = sigmoid(h_t^j(g_t^j([u^j; f_t^j(m_t^(j-1))]))), m_t^j = a_t^j * u^j, with u^j the shared features of block
    j, g and h 1x1 convolutions (relu after g) and f a 3x3 convolution with relu, pooled to the size of u^j. What
    follows the blocks in the trunk (fully connected layers) belongs to each task. Source: Liu, Johns and Davison,
    End-to-End Multi-Task Learning with Attention, CVPR 2019, equations 1 and 2. Deviations: a block has one map u,
    where the paper's mask is computed from one map and multiplies another, p; f is task-specific instead of shared; no
    batch normalisation in the attention; only the encoder, no decoder.
    """

    trunk: AnyTrunk = Field(
        "cnn", validate_default=True, description="how inputs become features, by convolution blocks"
    )

    def check_trunk(self, trunk: Trunk, form: Form) -> str:
        """The trunk needs convolution blocks, whose maps can be attended to."""
        return trunk.check(form) or ("" if trunk.maps(form) else "has no convolution blocks in a row to attend to")

    def shared(self, outline: Outline, seeded: Seeded) -> nn.Module:
        """The convolution blocks."""
        from .layers.mtan import Maps

        form = form_of(outline)
        with seeded("trunk"):
            return Maps(self.body.blocks(form)[: len(self.body.maps(form))])

    def task(self, outline: Outline, task: TaskSpec, seeded: Seeded) -> nn.Module:
        """Attention, the rest of the trunk and head of one task."""
        from .layers.mtan import Attention

        form = form_of(outline)
        maps = self.body.maps(form)
        with seeded("trunk"):
            rest = self.body.blocks(form)[len(maps) :]
        with seeded("attention", task.name):
            attention = Attention(maps)
        with seeded("head", task.name):
            return attention.then([*rest, head(self.body.width(form), task, form.rank)])
