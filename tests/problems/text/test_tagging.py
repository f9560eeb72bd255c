"""Tags at every token: columns, slots, cut sentences, and what is said of files that are not as expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlbench.core.errors import DataError
from mtlbench.problems.text.snips import Snips
from mtlbench.problems.text.tagging import Tagging
from tests.toy_data import in_memory, shared_inputs

SENTENCES = "The DT B-NP\nCat NN I-NP\nsleeps VBZ B-VP\n\nHe PRP B-NP\n\n\n-DOCSTART- X O\n\nruns VBZ B-VP\n. . O\n"


def tagging(**settings: Any) -> Tagging:
    return Tagging.from_plain({"train": "train.txt", "min_count": 1, **settings})


def write(root: Path, **files: str) -> None:
    for name, content in files.items():
        (root / f"{name}.txt").write_text(content)


def three(root: Path) -> dict[str, str]:
    """The same sentences as all three parts, so that rows keep their places."""
    write(root, train=SENTENCES, validation=SENTENCES, test=SENTENCES)
    return {"validation": "validation.txt", "test": "test.txt"}


def test_columns_become_tags_of_every_token(tmp_path: Path) -> None:
    data = tagging(**three(tmp_path)).load(0, tmp_path)
    pos, chunk = data.outline.tasks
    assert (pos.metrics[0], chunk.metrics) == ("accuracy", ("chunk_f1", "accuracy"))
    assert pos.positions == chunk.positions == data.outline.input_shape == (3,)
    assert pos.classes == (".", "DT", "NN", "PRP", "VBZ")
    assert chunk.classes == ("B-NP", "B-VP", "I-NP", "O")
    test = in_memory(data.test)
    known = test.masks["chunk"]
    assert known.tolist() == [[True, True, True], [True, False, False], [True, True, False]]
    assert np.array_equal(shared_inputs(data.test) > 0, known)
    tags = [[chunk.classes[tag] for tag in row[mask]] for row, mask in zip(test.targets["chunk"], known, strict=True)]
    assert tags == [["B-NP", "I-NP", "B-VP"], ["B-NP"], ["B-VP", "O"]]
    assert data.outline.vocabulary == 2 + 6


def test_cut_sentences_are_counted(tmp_path: Path) -> None:
    problem = tagging(**three(tmp_path), length=2)
    outline, data = problem.outline(tmp_path), problem.load(0, tmp_path)
    assert outline.notes == ("3 sentences are longer than 2 tokens and are cut",)
    assert shared_inputs(data.test).shape == in_memory(data.test).targets["pos"].shape == (3, 2)


@pytest.mark.parametrize(("lower", "words"), [(True, 1), (False, 2)])
def test_upper_case_counts_if_asked_for(tmp_path: Path, lower: bool, words: int) -> None:
    write(tmp_path, train="He A\nhe B\n\n" * 10)
    data = tagging(columns={"pos": 1}, lower=lower).load(0, tmp_path)
    assert data.outline.vocabulary == 2 + words


def test_without_files_splits_are_drawn(tmp_path: Path) -> None:
    write(tmp_path, train="\n".join(f"w{i} NN B-NP\nv{i} VB O\n" for i in range(50)))
    data = tagging().load(0, tmp_path)
    assert [part.size for part in (data.train, data.validation, data.test)] == [30, 10, 10]
    assert in_memory(data.train).masks == {}  # every sentence is as long as the longest


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("a NN B-NP\nb NN\n", {}, r"train\.txt:2: expected 3 columns as in the lines before, got 2 columns in 'b NN'"),
        ("a NN\n", {}, r"train\.txt:1: expected a column 2, got 2 columns"),
        ("\n\n", {}, "expected sentences, got empty lines alone"),
        ("a NN O\n\nb NN O\n", {}, "expected at least 2 classes of 'pos', got NN alone"),
        ("a NN O\nb VB B-NP\n", {}, "expected rows for each split"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, content: str, settings: dict[str, Any], message: str) -> None:
    write(tmp_path, train=content)
    with pytest.raises(DataError, match=message):
        tagging(**settings).outline(tmp_path)


def test_a_column_has_one_role() -> None:
    for columns in ({"pos": 0}, {"pos": 1, "chunk": 1}, {"pos": -1}):
        with pytest.raises(ValueError, match="expected different columns from 0"):
            tagging(columns=columns)


def commands(root: Path, **changes: str) -> Snips:
    usual = {"seq.in": "play a song\nrain today\nplay it\n", "seq.out": "O O B-x\nO B-t\nO O\n", "label": "P\nW\nP\n"}
    for part in ("train", "dev", "test"):
        (root / part).mkdir()
        for name, content in usual.items():
            (root / part / name).write_text(changes.get(name, content) if part == "dev" else content)
    return Snips(path=".", min_count=1)


def test_intents_and_slots(tmp_path: Path) -> None:
    data = commands(tmp_path).load(0, tmp_path)
    intent, slots = data.outline.tasks
    assert (intent.classes, intent.positions, intent.main_metric) == (("P", "W"), (), "accuracy")
    assert (slots.classes, slots.positions, slots.main_metric) == (("B-t", "B-x", "O"), (3,), "chunk_f1")
    test = in_memory(data.test)
    assert test.targets["intent"].tolist() == [0, 1, 0]
    assert test.targets["slots"].tolist() == [[2, 2, 1], [2, 0, 0], [2, 2, 0]]
    assert test.masks["slots"].sum() == 7
    assert "intent" not in test.masks
    assert len(shared_inputs(data.only(("slots",)).test)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "P\nW\n"}, r"dev/label: expected 3 lines as in .*dev/seq\.in, got 2"),
        ({"seq.out": "O O B-x\nO\nO O\n"}, r"dev/seq\.out:2: expected 2 tags, one per word, got 1"),
        ({"seq.in": "play a song\n\nplay it\n"}, r"dev/seq\.in:2: expected words, got an empty line"),
        ({"label": "P\nW W\nP\n"}, r"dev/label:2: expected one word, the intent, got 'W W'"),
        ({"label": "P\nW\nQ\n"}, "expected the classes of .*train/seq.in, got 'Q', which never occurs there"),
    ],
)
def test_faults_of_commands(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        commands(tmp_path, **changes).outline(tmp_path)


def test_conll2000(real_data: Path) -> None:
    folder = "nltk_text/conll2000.zip/conll2000"
    problem = Tagging(train=f"{folder}/train.txt", test=f"{folder}/test.txt")
    data = problem.load(0, real_data)
    assert (data.train.size, data.validation.size, data.test.size) == (6702, 2234, 2012)
    assert [(task.name, task.outputs) for task in data.outline.tasks] == [("pos", 44), ("chunk", 23)]
    assert in_memory(data.test).masks["pos"].sum() == 47377
    assert data.outline.input_shape == (78,)


def test_snips(real_data: Path) -> None:
    data = Snips(path="snips").load(0, real_data)
    assert (data.train.size, data.validation.size, data.test.size) == (13084, 700, 700)
    assert [(task.name, task.outputs) for task in data.outline.tasks] == [("intent", 7), ("slots", 72)]
