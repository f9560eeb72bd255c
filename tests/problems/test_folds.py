"""Folds of a training split: disjoint, complete, pure in the seed, and all that a trial sees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mtlbench.core.errors import UnavailableError
from mtlbench.core.task import Data, Split, Stream
from mtlbench.problems.folds import fold
from tests.toy_data import in_memory, make, shared_inputs

PARTS = 3


def identities(part: Split | Stream) -> list[tuple[float, ...]]:
    inputs = in_memory(part).inputs
    rows = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs
    return sorted(map(tuple, rows.reshape(len(rows), -1).tolist()))


@pytest.mark.parametrize("form", ["shared", "masked", "sets"])
def test_every_row_is_held_out_once(form: str) -> None:
    data = make(form)
    folds = [fold(data, held, PARTS, 5) for held in range(PARTS)]
    assert sorted(row for part in folds for row in identities(part.validation)) == identities(data.train)
    for part in folds:
        assert part.test is part.validation
        assert sorted(identities(part.train) + identities(part.validation)) == identities(data.train)
        assert set(in_memory(part.train).targets) == set(in_memory(data.train).targets)
        assert set(in_memory(part.train).masks) == set(in_memory(data.train).masks)
        for split in map(in_memory, (part.train, part.validation)):
            for name, rows in split.targets.items():
                inputs = split.inputs[name] if isinstance(split.inputs, Mapping) else split.inputs
                assert len(rows) == len(inputs)
                assert len(split.masks.get(name, rows)) == len(rows)


def test_labels_stay_with_their_rows() -> None:
    inputs = np.arange(20, dtype=np.float32)[:, None]
    data = make("shared")
    train = Split(inputs, {"t": inputs * 2}, {"t": inputs[:, 0] > 4})
    part = fold(Data(data.outline, train, data.validation, data.test), 1, 4, 0).train
    assert np.array_equal(in_memory(part).targets["t"], shared_inputs(part) * 2)
    assert np.array_equal(in_memory(part).masks["t"], shared_inputs(part)[:, 0] > 4)


def test_pure_in_the_seed() -> None:
    data = make("shared")
    first, again, other = (identities(fold(data, 0, PARTS, seed).validation) for seed in (5, 5, 6))
    assert first == again != other


def test_refusals() -> None:
    with pytest.raises(UnavailableError, match="expects a training split in memory, got a stream"):
        fold(make("stream"), 0, PARTS, 0)
    with pytest.raises(UnavailableError, match="expects at least 10000 training rows"):
        fold(make("shared"), 0, 10_000, 0)
