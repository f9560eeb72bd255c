"""Several problems as one, so that tasks on images, texts and tables can be trained together."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from ..core.config import Config
from ..core.errors import DataError
from ..core.registry import Inner
from ..core.task import Data, Outline, Split
from .base import Problem
from .splits import PARTS

if TYPE_CHECKING:
    from ..core.task import Array, Shape


def _complete(problems: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same problems with every parameter written out, as a trial's identity contains them."""
    from . import TABLE

    complete = {}
    for name, spec in problems.items():
        part: Config = TABLE.inner(spec, f"problems: '{name}'")
        if not isinstance(part, Problem):
            raise ValueError(f"problems: '{name}': expected a problem, got {type(part).__name__}")
        complete[name] = {"name": spec["name"], **part.model_dump(mode="json", by_alias=True)}
    return complete


class Union(Problem):
    """Several problems combined, with any kinds of input: the tasks of all of them, each with separate inputs.

    ``problems: {images: {name: digits, tasks: [digit]}, wine: {name: tables, ...}}``: a task's name is that of its part
    followed by its own, as in images_digit, wine_red and wine_white. Every part is divided, and standardised on its
    training rows, as it would be alone with the same seed. A task has the rows of its part that carry its label; tasks
    of one part no longer share the rows of a batch. Token ids of two parts refer to separate vocabularies. Rows that
    occur in two parts are not detected. ``rows`` counts those of the largest part.

    Inputs of different kinds need an encoder for each task (``encoders`` of the architecture). Analytic problems and
    streams cannot be parts.
    """

    problems: Annotated[dict[str, Inner], AfterValidator(_complete)] = Field(
        min_length=2, description="{part: a problem, or its name}"
    )

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Images and vectors, with more rows of vectors."""
        images = {"name": "digits", "tasks": ["digit"], "flat": False}
        return {"problems": {"images": images, "vectors": {"name": "synthetic", "rows": 2000}}}

    @property
    def parts(self) -> dict[str, Problem]:
        """The problems by the names of the parts."""
        from . import TABLE

        return {name: TABLE.inner(spec, name) for name, spec in self.problems.items()}

    def files(self, root: Path) -> tuple[Path, ...]:
        """The files of all parts, and the source files of problems that the user wrote. Raises DataError."""
        paths = [path for part in self.parts.values() for path in part.files(root)]
        custom = [type(part) for name, part in self.parts.items() if ":" in self.problems[name]["name"]]
        return tuple(dict.fromkeys([*paths, *(Path(inspect.getfile(kind)) for kind in custom)]))

    def outline(self, root: Path) -> Outline:
        """The tasks of all parts. Raises DataError."""
        return _joined({name: part.outline(root) for name, part in self.parts.items()})

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        loaded = {name: part.load(seed, root) for name, part in self.parts.items()}
        outline = _joined({name: data.outline for name, data in loaded.items()})
        splits = {}
        for number in PARTS:
            inputs: dict[str, Array] = {}
            targets: dict[str, Array] = {}
            masks: dict[str, Array] = {}
            for name, data in loaded.items():
                for task in data.outline.names:
                    joined_name, split = _name(name, task), _in_memory(name, getattr(data, number)).only((task,))
                    inputs[joined_name] = split.inputs[task] if isinstance(split.inputs, Mapping) else split.inputs
                    targets[joined_name] = split.targets[task]
                    masks |= {_name(name, masked): mask for masked, mask in split.masks.items()}
            splits[number] = Split(inputs, targets, masks)
        return Data(outline, **splits)


def _name(part: str, task: str) -> str:
    return f"{part}_{task}"


def _in_memory(part: str, split: Any) -> Split:
    if not isinstance(split, Split):
        raise DataError(f"problems: '{part}': expected rows in memory, got a stream: leave stream out")
    return split


def _joined(outlines: Mapping[str, Outline]) -> Outline:
    """The outlines joined into one. Raises DataError for analytic problems, and for two tasks of one name."""
    for name, outline in outlines.items():
        if outline.objectives:
            raise DataError(f"problems: '{name}': expected tasks of data, got formulas of a point: leave it out")
    places = [(name, outline, task) for name, outline in outlines.items() for task in outline.tasks]
    names = [_name(name, task.name) for name, _, task in places]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"problems: expected tasks of different names, got '{twice[0]}' twice: rename a part")
    shapes: dict[str, Shape] = {}
    vocabulary: dict[str, int] = {}
    for joined_name, (_, outline, task) in zip(names, places, strict=True):
        alone = outline.only((task.name,))
        shapes[joined_name], vocabulary[joined_name] = _own(alone.input_shape), _own(alone.vocabulary)
    return Outline(
        tuple(replace(task, name=joined_name) for joined_name, (_, _, task) in zip(names, places, strict=True)),
        shapes,
        max(outline.rows for outline in outlines.values()),
        tuple(f"{name}: {note}" for name, outline in outlines.items() for note in outline.notes),
        vocabulary if any(vocabulary.values()) else 0,
        labelled={_name(name, task): rows for name, o in outlines.items() for task, rows in o.labelled.items()},
    )


def _own(value: Any) -> Any:
    """The value of a problem's only task, where there is one per task."""
    return next(iter(value.values())) if isinstance(value, Mapping) else value
