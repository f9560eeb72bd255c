from __future__ import annotations

import pytest
from pydantic import ValidationError

from mtlbench.kernels import TABLE
from mtlbench.kernels.tensors import elements, shapes

N = 100 * 64 * 64 + 100 * 64


def test_groups_are_read() -> None:
    assert shapes(["2 x 64x3", "1 x 1k"]) == [(64, 3), (64, 3), (1000,)]
    assert elements(["8 x 4M"]) == 32_000_000


@pytest.mark.parametrize("text", ["", "8", "8x4M", "8 x", "0 x 3", "2 x 3x", "2 x 3.5", "2 x 3 x 4", "-1 x 3", [], [3]])
def test_other_texts_are_refused(text: object) -> None:
    with pytest.raises(ValidationError, match="expected COUNT x SHAPE"):
        TABLE.build({"name": "adam", "tensors": text})


def test_what_was_read_is_written_so_that_it_can_be_read_again() -> None:
    kernel = TABLE.build({"name": "adam", "tensors": "2 x 3"})
    assert TABLE.build({"name": "adam", **kernel.model_dump(mode="json")}) == kernel


@pytest.mark.parametrize(
    ("spec", "traffic"),
    [
        ({"name": "adam", "tensors": ["100 x 64x64", "100 x 64"]}, 28 * N),
        ({"name": "combined_adam", "tasks": 4, "tensors": "8 x 4M"}, 40 * 32_000_000),
        ({"name": "gramian", "tasks": 8, "tensors": "8 x 1M"}, 32 * 8_000_000),
        ({"name": "task_losses", "outputs": "4 x 256x10"}, 4 * (8 * 2560 + 8 * 256)),
        ({"name": "task_losses", "outputs": "1 x 4x19x8x8"}, 8 * 4 * 19 * 64 + 8 * 4 * 64),
        ({"name": "task_losses", "outputs": "2 x 256x4", "kind": "mse"}, 12 * 2048),
        ({"name": "heads"}, 24 * 40 * 129 + 8 * 256 * 128 + 8 * 256 * 4),
        ({"name": "training_step"}, 0),
    ],
)
def test_bytes_by_formula(spec: dict[str, object], traffic: int) -> None:
    assert TABLE.build(spec).traffic() == traffic
