"""Batches: every row once, the same order for all, and what a single-task run sees of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlbench.core.task import Split
from mtlbench.engine.batches import Batch, training_batches
from tests.toy_data import FORMS, NAMES, POSITIONED, make, stream

CPU = torch.device("cpu")


def numbered(rows: int, masks: dict[str, list[bool]] | None = None) -> Split:
    """Rows that carry their own number as input and as targets of two tasks."""
    numbers = np.arange(rows, dtype="float32")[:, None]
    found = {name: np.array(mask) for name, mask in (masks or {}).items()}
    return Split(numbers, {"a": numbers, "b": numbers}, found)


def one_set(batch: Batch) -> Tensor:
    assert isinstance(batch.inputs, Tensor)
    return batch.inputs


def in_memory(form: str) -> Split:
    split = make(form).train
    assert isinstance(split, Split)
    return split


def rows_of(batches: list[Batch]) -> list[int]:
    return [int(row) for batch in batches for row in one_set(batch)[:, 0]]


@given(rows=st.integers(1, 40), size=st.integers(1, 45), seed=st.integers(0, 9), epoch=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_an_epoch_is_every_row_once(rows: int, size: int, seed: int, epoch: int) -> None:
    batches = training_batches(numbered(rows), ("a", "b"), size, seed, CPU)
    found = list(batches.epoch(epoch))
    assert sorted(rows_of(found)) == list(range(rows))
    assert [batch.rows for batch in found] == [min(size, rows - low) for low in range(0, rows, size)]
    for batch in found:
        assert torch.equal(batch.targets[0], one_set(batch))
        assert batch.counts.tolist() == [batch.rows] * 2
        assert batch.masks is None
    assert rows_of(list(batches.epoch(epoch))) == rows_of(found)


def test_the_order_changes_with_epoch_and_seed() -> None:
    orders = {
        tuple(rows_of(list(training_batches(numbered(30), ("a",), 7, seed, CPU).epoch(epoch))))
        for seed in (0, 1)
        for epoch in (1, 2)
    }
    assert len(orders) == 4


@given(masks=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), size=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_a_single_task_sees_its_rows_in_the_order_of_the_whole(masks: list[tuple[bool, bool]], size: int) -> None:
    known = {"a": [a for a, _ in masks], "b": [b for _, b in masks]}
    split = numbered(len(masks), known)
    whole = list(training_batches(split, ("a", "b"), size, 0, CPU).epoch(1))
    labelled = [row for row in range(len(masks)) if any(masks[row])]
    assert sorted(rows_of(whole)) == labelled
    for batch in whole:
        rows = [int(row) for row in one_set(batch)[:, 0]]
        for t, name in enumerate(("a", "b")):
            mask = batch.masks[t] if batch.masks else None
            assert (mask.tolist() if mask is not None else [True] * len(rows)) == [known[name][row] for row in rows]
            assert batch.counts[t] == sum(known[name][row] for row in rows)
    for t, name in enumerate(("a", "b")):
        alone = rows_of(list(training_batches(split, (name,), size, 0, CPU).epoch(1)))
        assert alone == [row for row in rows_of(whole) if masks[row][t]]


def test_a_task_without_a_mask_keeps_all_rows() -> None:
    split = numbered(6, {"a": [True, False] * 3})
    (batch,) = training_batches(split, ("a", "b"), 9, 0, CPU).epoch(1)
    assert batch.masks is not None
    assert batch.masks[1] is None
    assert batch.counts.tolist() == [3, 6]
    (alone,) = training_batches(split, ("a",), 9, 0, CPU).epoch(1)
    assert alone.masks is None
    assert alone.rows == 3


@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=4), size=st.integers(1, 25))
@settings(max_examples=40, deadline=None)
def test_sets_of_several_sizes_end_together(sizes: list[int], size: int) -> None:
    names = tuple(f"t{i}" for i in range(len(sizes)))
    rows = {name: np.arange(n, dtype="float32")[:, None] for name, n in zip(names, sizes, strict=True)}
    found = list(training_batches(Split(rows, rows), names, size, 0, CPU).epoch(1))
    assert len(found) == -(-max(sizes) // size)
    for t, name in enumerate(names):
        inputs = [batch.inputs[name] for batch in found if isinstance(batch.inputs, dict)]
        seen = [int(row) for rows_of_task in inputs for row in rows_of_task[:, 0]]
        assert set(seen) == set(range(sizes[t]))
        assert len(seen) == max(sizes[t], len(found))  # once each, or cycled to one row a step
        assert all(torch.equal(batch.targets[t], own) for batch, own in zip(found, inputs, strict=True))
    assert all(batch.rows == sum(batch.counts.tolist()) for batch in found)


@pytest.mark.parametrize("form", ["shared", "masked"])
def test_a_stream_gives_its_own_batches(form: str) -> None:
    split = in_memory(form)
    found = list(training_batches(stream(split), NAMES, 16, 0, CPU).epoch(1))
    assert sum(batch.rows for batch in found) == split.size
    assert torch.stack([batch.counts for batch in found]).sum(0).tolist() == [
        split.masks[name].sum() if name in split.masks else split.size for name in NAMES
    ]
    again = list(training_batches(stream(split), NAMES, 16, 0, CPU).epoch(1))
    assert all(torch.equal(one_set(a), one_set(b)) for a, b in zip(found, again, strict=True))


@pytest.mark.parametrize("form", POSITIONED)
@pytest.mark.parametrize("streamed", [False, True])
def test_masks_of_positions_go_with_their_rows(form: str, streamed: bool) -> None:
    split = in_memory(form)
    if streamed and isinstance(split.inputs, dict):
        pytest.skip("the toy stream has one set of inputs")
    batches = training_batches(stream(split) if streamed else split, NAMES, 7, 0, CPU)
    totals = dict.fromkeys(NAMES, 0.0)
    for batch in batches.epoch(1):
        for t, name in enumerate(NAMES):
            inputs = batch.inputs[name] if isinstance(batch.inputs, dict) else batch.inputs
            source = split.inputs[name] if isinstance(split.inputs, dict) else split.inputs
            rows = [int(np.flatnonzero((source == row.numpy()).reshape(len(source), -1).all(1))[0]) for row in inputs]
            assert np.array_equal(batch.targets[t].numpy(), split.targets[name][rows])
            mask = split.masks.get(name, np.ones(len(source), dtype=bool))[rows]
            assert batch.masks is not None
            found = batch.masks[t]
            assert (found is None) == (name not in split.masks)
            assert found is None or np.array_equal(found.numpy(), mask)
            assert float(batch.counts[t]) == pytest.approx(mask.reshape(len(mask), -1).mean(1).sum())
            totals[name] += float(batch.counts[t])
    for name, total in totals.items():
        mask = split.masks.get(name, np.ones(len(split.targets[name]), dtype=bool))
        wanted = mask.reshape(len(mask), -1).mean(1).sum()
        assert total == pytest.approx(wanted) or isinstance(split.inputs, dict)  # sets may be cycled


def test_a_single_task_keeps_the_rows_with_a_labelled_position() -> None:
    known = np.array([[True, False], [False, False], [False, True]])
    split = Split(np.arange(3, dtype="float32")[:, None], {"a": np.zeros((3, 2), dtype="int64")}, {"a": known})
    (batch,) = training_batches(split, ("a",), 9, 0, CPU).epoch(1)
    assert sorted(rows_of([batch])) == [0, 2]
    assert batch.masks is not None
    assert batch.masks[0] is not None
    assert batch.masks[0].sum() == 2
    assert batch.counts.tolist() == [1.0]


@pytest.mark.parametrize("form", [*FORMS, *POSITIONED])
def test_read_only_arrays_are_welcome(form: str) -> None:
    data = make(form)
    if isinstance(data.train, Split):
        inputs = data.train.inputs
        for array in [*(inputs.values() if isinstance(inputs, dict) else [inputs]), *data.train.targets.values()]:
            array.flags.writeable = False
    assert next(training_batches(data.train, NAMES, 8, 0, CPU).epoch(1)).rows >= 8
