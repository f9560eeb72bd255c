"""Linear tasks of adjustable relatedness: a problem whose best solution is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from ...core.task import Data, Outline, TaskSpec
from ..assemble import assemble
from ..metrics import WithMetrics
from ..splits import TRAIN, Fractions, assign, generator

if TYPE_CHECKING:
    from ...core.task import Array


class Synthetic(WithMetrics):
    """T linear tasks whose true vectors have cosine ``relatedness``: sharing helps at 1 and cannot help at 0.

    With orthonormal c, o_1 .. o_T in R^d (uniformly random; T < d) and r = ``relatedness``:

        w_t = sqrt(r) c + sqrt(1 - r) o_t,   so that |w_t| = 1 and cos(w_s, w_t) = r exactly,
        x ~ N(0, I_d),   y_t = x . w_t + noise * e_t,   e_t ~ N(0, 1).

    Regression targets are y_t, standardised on the training rows; with ``kind: classification`` the target is 1 where
    y_t > 0 (binary). At r = 1 the tasks are T noisy readings of one function, so a pooled fit has T times the data;
    at r = 0 the best pooled fit predicts with mean_t w_t and leaves 1 - 1/T of each task's signal unexplained. Each
    seed draws vectors, inputs, noise and split anew. Inputs float32 [N, d].

    Heads of their own make up for opposite signs, so that tasks conflict where they compete for the units of a shared
    trunk: at r = 0 one linear unit (``trunk: linear, hidden: [1]``) leaves at least (T - 1)/T of all signal
    unexplained, while T units fit every task as well as a network of its own does, whatever r is. Source: Wu, Zhang
    and Ré, Understanding and Improving Information Transfer in Multi-Task Learning, ICLR 2020, sections 2.1, 2.2.
    """

    tasks: int = Field(4, ge=2, description="number of tasks T")
    rows: int = Field(600, ge=50, description="rows in all three splits together")
    features: int = Field(20, ge=3, description="inputs d, more than there are tasks")
    relatedness: float = Field(0.5, ge=0, le=1, description="cosine of the tasks' true vectors")
    noise: float = Field(1.0, ge=0, description="standard deviation of the noise; that of the signal is 1")
    kind: Literal["regression", "classification"] = Field("regression", description="targets y_t, or y_t > 0")

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.tasks >= self.features:
            raise ValueError(f"expected fewer tasks than features, got {self.tasks} tasks, {self.features} features")
        return self

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Few rows."""
        return {"rows": 100}

    def outline(self, root: Path) -> Outline:
        """T tasks named t1 .. tT on d inputs."""
        loss, classes = ("mse", ()) if self.kind == "regression" else ("bce_with_logits", ("negative", "positive"))
        tasks = tuple(TaskSpec(f"t{i + 1}", 1, loss, classes=classes) for i in range(self.tasks))
        labelled = {task.name: Fractions().counts(self.rows)[TRAIN] for task in tasks}
        return self.ranked(Outline(tasks, (self.features,), self.rows, labelled=labelled))

    def vectors(self, seed: int) -> Array:
        """The true task vectors of a seed, float64 [T, d]."""
        import numpy as np

        draw = generator(seed, "vectors").standard_normal((self.features, self.tasks + 1))
        common, *specific = np.linalg.qr(draw)[0].T
        vectors: Array = np.sqrt(self.relatedness) * common + np.sqrt(1 - self.relatedness) * np.stack(specific)
        return vectors

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed."""
        import numpy as np

        inputs = generator(seed, "inputs").standard_normal((self.rows, self.features))
        noise = generator(seed, "noise").standard_normal((self.rows, self.tasks))
        values = inputs @ self.vectors(seed).T + self.noise * noise
        labels = values if self.kind == "regression" else values > 0
        outline = self.outline(root)
        targets = dict(zip(outline.names, labels.T, strict=True))
        part = assign(np.zeros(self.rows), Fractions().counts(self.rows), generator(seed))
        return assemble(outline, inputs.astype("float32"), targets, part)
