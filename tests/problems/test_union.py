from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mtlbench.core.errors import DataError
from mtlbench.core.task import Outline, Split, TaskSpec
from mtlbench.problems import TABLE
from mtlbench.problems.small.digits import Digits
from mtlbench.problems.small.synthetic import Synthetic
from mtlbench.problems.union import Union
from tests.contracts.test_problems import corpora, example, two_pairs
from tests.toy_data import in_memory, inputs_by_task

DIGITS = {"name": "digits", "tasks": ["digit", "loops"], "flat": False}


def union(**problems: Any) -> Union:
    return Union.from_plain({"problems": problems})


def test_a_part_is_what_it_is_alone(tmp_path: Path) -> None:
    both = union(images=DIGITS, toy="synthetic").load(3, tmp_path)
    images = Digits(tasks=("digit", "loops"), flat=False).load(3, tmp_path)
    vectors = Synthetic().load(3, tmp_path)
    assert both.outline.names == ("images_digit", "images_loops", "toy_t1", "toy_t2", "toy_t3", "toy_t4")
    assert (both.outline.tasks[1].scale, both.outline.tasks[1].offset) == (
        images.outline.tasks[1].scale,
        images.outline.tasks[1].offset,
    )
    assert isinstance(both.outline.input_shape, Mapping)
    assert both.outline.input_shape["images_loops"] == (1, 8, 8)
    for part in ("train", "validation", "test"):
        split = getattr(both, part)
        for prefix, alone in (("images", getattr(images, part)), ("toy", getattr(vectors, part))):
            for task, target in alone.targets.items():
                assert np.array_equal(split.inputs[f"{prefix}_{task}"], alone.inputs)
                assert np.array_equal(split.targets[f"{prefix}_{task}"], target)


def test_words_keep_the_vocabulary_of_their_part(tmp_path: Path) -> None:
    outline = union(texts=corpora(tmp_path), images=DIGITS).load(0, tmp_path).outline
    assert isinstance(outline.vocabulary, Mapping)
    assert set(outline.vocabulary) == set(outline.names)
    assert outline.vocabulary["texts_topic"] == outline.vocabulary["texts_review"] > 0
    assert outline.vocabulary["images_loops"] == 0
    assert outline.only(("images_loops",)).vocabulary == 0  # numbers, as far as learners of numbers are concerned


def test_a_task_has_the_rows_that_carry_its_label(tmp_path: Path) -> None:
    spec = example("tabular", tmp_path)
    both, alone = union(a=spec, b="digits").load(1, tmp_path), TABLE.build(spec).load(1, tmp_path)
    train, inputs = in_memory(both.train), inputs_by_task(both.train)
    assert train.masks == {}
    for task, mask in alone.train.masks.items():
        assert np.array_equal(train.targets[f"a_{task}"], alone.train.targets[task][mask])
        assert np.array_equal(inputs[f"a_{task}"], alone.train.inputs[mask])


def test_labels_at_positions_keep_their_masks(tmp_path: Path) -> None:
    spec = example("snips", tmp_path)
    both, alone = union(a=spec, b="digits").load(0, tmp_path), TABLE.build(spec).load(0, tmp_path)
    task = next(task for task in alone.outline.tasks if task.positions)
    assert both.outline.tasks[alone.outline.tasks.index(task)].positions == task.positions
    masks = in_memory(both.train).masks
    assert set(masks) == {f"a_{task.name}"}
    assert np.array_equal(masks[f"a_{task.name}"], alone.train.masks[task.name])


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ({"a": "digits"}, "at least 2 items"),
        ({"a": "digits", "b": "digit"}, "problems: 'b': unknown problem 'digit'.*digits"),
        ({"a": "digits", "b": {"path": "x"}}, "problems: 'b': expected the name of a problem"),
        ({"a": "digits", "b": {"name": "synthetic", "rows": 1}}, "problems: 'b': rows: .* greater than"),
        ({"a": "digits", "b": "mtlbench.weightings.gramian:MGDA"}, "problems: 'b': expected a problem, got MGDA"),
    ],
)
def test_faults_of_a_part_are_told_by_its_name(problems: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        union(**problems)


def test_formulas_are_no_part(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="problems: 'b': expected tasks of data, got formulas"):
        union(a="digits", b="toy").outline(tmp_path)


def test_streams_are_no_part(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="problems: 'b': expected rows in memory, got a stream"):
        union(a="digits", b={**two_pairs(tmp_path), "stream": True}).load(0, tmp_path)


class Named(Synthetic):
    """Vectors with a task whose name looks like that of another part's."""

    def outline(self, root: Path) -> Outline:
        return Outline((TaskSpec("b_t1", 1, "mse"),), (20,), 10)


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    mine = f"{__name__}:Named"
    with pytest.raises(DataError, match="got 'a_b_t1' twice: rename a part"):
        union(a=mine, a_b="synthetic").outline(tmp_path)


def test_files_are_those_of_all_parts_and_the_users_own_source(tmp_path: Path) -> None:
    problem = union(a=corpora(tmp_path), b=example("tabular", tmp_path), c=f"{__name__}:Named")
    names = [path.name for path in problem.files(tmp_path)]
    assert names == ["train.txt", "held.txt", "reviews.zip", "table.csv", Path(__file__).name]


def test_what_a_part_is_stands_in_the_identity() -> None:
    short, long = union(a="digits", b="synthetic"), union(a={"name": "digits", "flat": True}, b="synthetic")
    assert short.model_dump(mode="json") == long.model_dump(mode="json")
    assert isinstance(short.load(0, Path()).train, Split)
