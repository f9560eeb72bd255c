"""What a task is, and what a problem hands to a learner. Arrays are NumPy; the learner moves them to its device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .losses import LOSSES
from .metrics import require
from .metrics.base import Kind
from .objectives import Objectives

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Inputs = Array | Mapping[str, Array]
    Shape = tuple[int, ...]


@dataclass(frozen=True)
class TaskSpec:
    """One task: its name, the size of its output, its loss, and its metrics (the first one ranks methods).

    ``loss`` is a name of ``mtlbench.core.losses``, and ``beta`` the number that some of them take (huber's delta), None
    for the usual one. ``outputs`` is the number of classes for a classification, 1 for a binary task (one logit,
    positive class 1), and the number of regressed values otherwise. ``scale`` and ``offset`` turn a regression output
    back into ``unit``: value = output * scale + offset (metrics are reported in that unit; losses are not).

    ``positions`` is empty where a row has one label. A task with a label at every token or pixel names their
    dimensions, (length,) or (height, width): its outputs are [N, outputs, *positions] ([N, *positions] for a binary
    task), with classes or values in dimension 1 as torch has them.
    """

    name: str
    outputs: int
    loss: str
    metrics: tuple[str, ...] = ()
    unit: str = ""
    classes: tuple[str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    positions: tuple[int, ...] = ()
    beta: float | None = None

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"task {self.name!r}: expected a loss among {sorted(LOSSES)}, got {self.loss!r}")
        try:
            LOSSES[self.loss].number(self.beta)
        except ValueError as error:
            raise ValueError(f"task {self.name!r}: {error}") from None
        if not self.metrics:
            object.__setattr__(self, "metrics", LOSSES[self.loss].metrics)
        for metric in self.metrics:
            require(metric, self)

    @property
    def kind(self) -> Kind:
        """What its labels are: values (of which a direction is one form), one class of several, or one of two."""
        kind = LOSSES[self.loss].kind
        return "regression" if kind == "direction" else kind

    @property
    def loss_parameter(self) -> float:
        """The number that the loss computes with; 1 for those that take none."""
        return LOSSES[self.loss].number(self.beta)

    @property
    def main_metric(self) -> str:
        """The metric that ranks methods and enters Delta m."""
        return self.metrics[0]


@dataclass(frozen=True)
class Outline:
    """What is known of a problem before any trial: its tasks, the shape of one input, and the number of rows.

    ``input_shape`` is one shape where all tasks share the inputs, or ``{task: shape}`` where each has its own.
    ``vocabulary`` is above 0 where inputs are token ids, int64 [N, length] from 0 (padding) to vocabulary - 1, or
    ``{task: vocabulary}`` where each task has its own: 0 where its inputs are none.
    ``objectives`` are there where the tasks are formulas of a point and not of data; then inputs say nothing. ``seeds``
    is how many seeds differ, from 0 on (later ones are not run), None where each is another one.
    ``labelled`` are the labelled training rows of those tasks that have as many for every seed, where that is known.
    ``notes`` are choices made for the user (inferred task types, imputed columns) that the report must show.
    """

    tasks: tuple[TaskSpec, ...]
    input_shape: Shape | Mapping[str, Shape]
    rows: int
    notes: tuple[str, ...] = ()
    vocabulary: int | Mapping[str, int] = 0
    objectives: Objectives | None = None
    seeds: int | None = None
    labelled: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Task names in their fixed order, which is the order of losses and weights everywhere."""
        return tuple(task.name for task in self.tasks)

    def only(self, names: tuple[str, ...]) -> Outline:
        """The same problem restricted to some tasks."""
        shape = self.input_shape
        if isinstance(shape, Mapping):
            shape = {name: shape[name] for name in names}
        vocabulary = self.vocabulary
        if isinstance(vocabulary, Mapping):
            vocabulary = {name: vocabulary[name] for name in names}
            vocabulary = vocabulary if any(vocabulary.values()) else 0
        tasks = tuple(task for task in self.tasks if task.name in names)
        labelled = {name: rows for name, rows in self.labelled.items() if name in names}
        return replace(self, tasks=tasks, input_shape=shape, vocabulary=vocabulary, labelled=labelled)


@dataclass(frozen=True)
class Split:
    """In-memory rows of one split.

    inputs   float32 [N, ...] (token ids: int64 [N, length]) shared by all tasks, or one such set per task.
    targets  {task: int64 [N] for classes, float32 [N] for a binary task, float32 [N, outputs] otherwise},
             with the task's positions as further dimensions.
    masks    {task: bool [N] or [N, *positions]}, True where the label is known; a task without an entry is fully
             labelled. Hidden targets hold 0, never NaN. With one input set per task, masks are of positions alone,
             and each row of a task has a labelled one.
    """

    inputs: Inputs
    targets: Mapping[str, Array]
    masks: Mapping[str, Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Rows of the split; with one input set per task, of the largest task."""
        if isinstance(self.inputs, Mapping):
            return max(len(rows) for rows in self.inputs.values())
        return len(self.inputs)

    def only(self, names: tuple[str, ...]) -> Split:
        """The rows that carry a label of at least one of these tasks, without the other tasks' labels."""
        targets = {name: self.targets[name] for name in names}
        masks = {name: self.masks[name] for name in names if name in self.masks}
        if isinstance(self.inputs, Mapping):
            return Split({name: self.inputs[name] for name in names}, targets, masks)
        rows = self.labelled(names)
        if rows is None:
            return Split(self.inputs, targets, masks)
        partial = {name: mask[rows] for name, mask in masks.items() if not mask[rows].all()}
        return Split(self.inputs[rows], {name: rows_t[rows] for name, rows_t in targets.items()}, partial)

    def labelled(self, names: tuple[str, ...]) -> Array | None:
        """Which rows of shared inputs carry a label of at least one of these tasks, bool [N]; None where all do."""
        import numpy as np

        masks = [self.masks[name] for name in names if name in self.masks]
        if len(masks) < len(names) or not masks:
            return None
        rows = np.any([mask.reshape(len(mask), -1).any(axis=1) for mask in masks], axis=0)
        return None if rows.all() else rows


@dataclass(frozen=True)
class Stream:
    """A split too large for memory: ``batches(batch_size, seed)`` yields it as Splits of at most that many rows.

    ``seed`` is None for the fixed order of evaluation; the same seed must give the same order.
    """

    size: int
    batches: Callable[[int, int | None], Iterator[Split]]

    def only(self, names: tuple[str, ...]) -> Stream:
        """The same stream, every batch restricted to these tasks."""
        return Stream(self.size, lambda size, seed: (batch.only(names) for batch in self.batches(size, seed)))


@dataclass(frozen=True)
class Data:
    """A loaded problem for one seed: what ``Problem.load`` returns."""

    outline: Outline
    train: Split | Stream
    validation: Split | Stream
    test: Split | Stream

    def only(self, names: tuple[str, ...]) -> Data:
        """The same splits restricted to some tasks: what a single-task run sees."""
        return Data(
            self.outline.only(names), self.train.only(names), self.validation.only(names), self.test.only(names)
        )
