"""Outlines of every form of input and label that architectures may meet, and inputs that fit them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mtlbench.architectures import TABLE
from mtlbench.architectures.base import Architecture
from mtlbench.architectures.trunks import TRUNKS
from mtlbench.architectures.trunks.choice import TrunkChoice
from mtlbench.core.task import Outline, TaskSpec
from tests.toy_data import NAMES, TASKS

LENGTH, VOCABULARY, IMAGE = 7, 12, (2, 8, 9)


def _at(*positions: int) -> tuple[TaskSpec, ...]:
    """The tasks with labels at these positions, but for one that labels whole rows."""
    return tuple(task if task.name == "sign" else replace(task, positions=positions) for task in TASKS)


FORMS = {
    "vectors": Outline(TASKS, (6,), 40),
    "sets": Outline(TASKS, dict.fromkeys(NAMES, (6,)), 40),
    "images": Outline(TASKS, IMAGE, 40),
    "image sets": Outline(TASKS, {name: (1, 8, 8 + t) for t, name in enumerate(NAMES)}, 40),
    "dense": Outline(_at(*IMAGE[1:]), IMAGE, 40),
    "tokens": Outline(TASKS, (LENGTH,), 40, vocabulary=VOCABULARY),
    "tags": Outline(_at(LENGTH), (LENGTH,), 40, vocabulary=VOCABULARY),
    "sequences": Outline(_at(LENGTH), (LENGTH, 3), 40),
    "modalities": Outline(
        TASKS,
        dict(zip(NAMES, (IMAGE, (LENGTH,), (6,)), strict=True)),
        40,
        vocabulary=dict(zip(NAMES, (0, VOCABULARY, 0), strict=True)),
    ),
}


def inputs_of(outline: Outline, rows: int = 5, seed: int = 0) -> Tensor | dict[str, Tensor]:
    """Random inputs; sets differ in size, and sequences in length, the padding at the end."""
    if isinstance(outline.input_shape, Mapping):
        shapes, alone = outline.input_shape, {name: outline.only((name,)) for name in outline.names}
        return {n: _rows(shapes[n], part.vocabulary, rows + t, seed + t) for t, (n, part) in enumerate(alone.items())}
    return _rows(outline.input_shape, outline.vocabulary, rows, seed)


def _rows(shape: tuple[int, ...], vocabulary: int | Mapping[str, int], rows: int, seed: int) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    size = next(iter(vocabulary.values())) if isinstance(vocabulary, Mapping) else vocabulary
    if not size:
        return torch.randn(rows, *shape, generator=chance)
    tokens = torch.randint(1, size, (rows, *shape), generator=chance)
    lengths = torch.randint(1, shape[0] + 1, (rows, 1), generator=chance)
    return torch.where(torch.arange(shape[0]) < lengths, tokens, 0)


def fitted(name: str, outline: Outline, **given: object) -> Architecture | None:
    """The architecture as it is, or with the first trunk or encoders that fit the outline; None if nothing does.

    ``given`` are parameters for those trunks that have them.
    """
    fields, example = TABLE.load(name).model_fields, TABLE.load(name).example()
    choices: list[dict[str, object]] = [{}]
    if "trunk" in fields:
        choices += [{"trunk": trunk_spec(trunk)} for trunk in TRUNKS]
    if "encoders" in fields and isinstance(outline.input_shape, Mapping):
        choices.append({"encoders": {name: _encoder(outline.only((name,))) for name in outline.names}})
    for choice in choices:
        plain: Architecture = TABLE.build({"name": name, **example, **choice})
        if not plain.check(outline):
            fitting: Architecture = TABLE.build({"name": name, **example, **with_parameters(plain, choice, given)})
            return fitting
    return None


def trunk_spec(name: str) -> dict[str, object]:
    """The trunk with the parameters of its example."""
    return {"name": name, **TRUNKS.load(name).example()}


def with_parameters(plain: Architecture, choice: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    """A choice with those of some parameters that the architecture's trunk, or else the architecture itself, has."""
    if isinstance(plain, TrunkChoice):
        spec = {"name": plain.trunk.name, **plain.body.model_dump(mode="json")}
        return {**choice, "trunk": {**spec, **{key: more[key] for key in more if key in spec}}}
    return {**choice, **{key: more[key] for key in more if hasattr(plain, key)}}


def _encoder(outline: Outline) -> dict[str, object]:
    specs: list[dict[str, object]] = [{"trunk": trunk_spec(trunk)} for trunk in TRUNKS]
    return next(spec for spec in specs if not TABLE.build({"name": "single", **spec}).check(outline))
