"""Texts: what becomes of words, which rows go where, and what is said of files that are not as expected."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlbench.core.errors import DataError, MtlbenchError
from mtlbench.core.task import Data, Split, Stream
from mtlbench.problems.text.classification import Text
from mtlbench.problems.text.words import Words, tokenize
from tests.toy_data import in_memory, inputs_by_task


def build(tasks: dict[str, Any], **settings: Any) -> Text:
    return Text.from_plain({"tasks": tasks, **settings})


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> str:
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path.name


def mood(rows: int, word: str = "text") -> list[str]:
    return [f"{['bad', 'good'][i % 2]} {word} {word}{i} !" for i in range(rows)]


def texts(part: Split | Stream, task: str) -> set[bytes]:
    return {row.tobytes() for row in inputs_by_task(part)[task]}


def test_words_and_signs() -> None:
    assert tokenize("It's 3.5 Crème-brûlée, d’accord_1!") == [
        "it's", "3", ".", "5", "crème", "-", "brûlée", ",", "d’accord_1", "!"
    ]  # fmt: skip


def test_ids_by_frequency_then_alphabet() -> None:
    sentences = [["b", "a", "c", "a"], ["b", "d", "d", "e"]]
    words = Words(min_count=2)
    ids = words.fit(sentences)
    assert ids == {"a": 2, "b": 3, "d": 4}
    assert words.size(ids) == 5
    assert Words(min_count=1, vocabulary=4).fit(sentences) == {"a": 2, "b": 3}
    assert words.encode([["a", "e", "d"], ["b"] * 5], ids, 4).tolist() == [[2, 1, 4, 0], [3, 3, 3, 3]]


def test_hashes_are_the_same_everywhere() -> None:
    words = Words(features="hashing", vocabulary=1000)
    assert words.fit([["a"]]) == {}
    assert words.size({}) == 1000
    assert words.encode([["word", "café", "word"]], {}, 4).tolist() == [[205, 887, 205, 0]]
    ids = Words(features="hashing", vocabulary=5).encode([[str(i) for i in range(99)]], {}, 99)
    assert set(ids[0].tolist()) == {2, 3, 4}


def test_the_vocabulary_is_that_of_the_training_rows(tmp_path: Path) -> None:
    train = write(tmp_path / "train.txt", mood(40))
    test = write(tmp_path / "test.txt", ["good text unseen unseen"])
    data = build({"mood": {"train": train, "test": test}}).load(0, tmp_path)
    ids = inputs_by_task(data.test)["mood"][0]
    assert ids[1] == ids[2] == 1  # unseen, twice; "text" is in every training row
    assert ids[0] > 1
    assert data.outline.vocabulary == 2 + 2  # "text" and "!": all other words occur once
    drawn = build({"mood": {"train": train}}).outline(tmp_path)
    assert isinstance(drawn.vocabulary, int)
    assert data.outline.vocabulary <= drawn.vocabulary


def test_a_given_test_part_is_the_same_for_every_seed_and_validation_is_drawn(tmp_path: Path) -> None:
    tasks = {"mood": {"train": write(tmp_path / "a", mood(40)), "test": write(tmp_path / "b", mood(10, "other"))}}
    first, second = (build(tasks, features="hashing").load(seed, tmp_path) for seed in (0, 1))
    assert texts(first.test, "mood") == texts(second.test, "mood")
    assert texts(first.validation, "mood") != texts(second.validation, "mood")
    assert sizes(first) == {"mood": (30, 10, 10)}
    limited = build(tasks, limit=4).load(0, tmp_path)
    assert [part.size for part in (limited.train, limited.validation, limited.test)] == [4, 4, 4]
    assert all(in_memory(part).targets["mood"].sum() == 2 for part in (limited.train, limited.validation, limited.test))


def test_rows_that_repeat_or_are_empty_are_left_out_and_said(tmp_path: Path) -> None:
    name = write(tmp_path / "a", [*mood(20), *mood(20)[:3], "good", "", "good  "])
    outline = build({"mood": {"train": name}}).outline(tmp_path)
    assert outline.rows == 20
    assert outline.notes == ("mood: 2 rows without a text are left out", "mood: 3 duplicate texts are left out")


def keys(part: Split | Stream) -> set[bytes]:
    return set().union(*(texts(part, task) for task in inputs_by_task(part)))


def test_a_text_of_several_corpora_is_in_one_split(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", mood(40)), write(tmp_path / "b", [*mood(60), *mood(40, "more")])
    problem = build({"first": {"train": one}, "second": {"train": other}}, features="hashing", vocabulary=10**6)
    for seed in range(3):
        data = problem.load(seed, tmp_path)
        parts = [keys(part) for part in (data.train, data.validation, data.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 100
        assert sizes(data) == {"first": (24, 8, 8), "second": (60, 20, 20)}
        assert texts(data.test, "first") & texts(data.test, "second")


def test_a_given_test_text_is_trained_on_by_no_task(tmp_path: Path) -> None:
    write(tmp_path / "held", mood(60)[40:])
    write(tmp_path / "a", mood(44))
    write(tmp_path / "b", mood(60))
    tasks = {"first": {"train": "b"}, "second": {"train": "a", "test": "held"}}
    problem = build(tasks, features="hashing", vocabulary=10**6)
    assert problem.outline(tmp_path).notes == (
        "second: 4 training texts that are validation or test texts are left out",
    )
    data = problem.load(0, tmp_path)
    assert sizes(data) == {"first": (30, 10, 20), "second": (30, 10, 20)}
    assert texts(data.test, "first") == texts(data.test, "second")
    assert keys(data.train) & keys(data.validation) == set()


def test_classes_in_the_order_of_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.writestr("films/pos", "\n".join(f"up {i}" for i in range(10)))
    (tmp_path / "neg.gz").write_bytes(gzip.compress("\r\n".join(f"down {i}" for i in range(20)).encode()))
    problem = build({"mood": {"classes": {"positive": "films.zip/films/pos", "negative": "neg.gz"}}}, min_count=1)
    outline, data = problem.outline(tmp_path), problem.load(0, tmp_path)
    assert outline.tasks[0].classes == ("positive", "negative")
    assert [path.name for path in problem.files(tmp_path)] == ["films.zip", "neg.gz"]
    monkeypatch.chdir(tmp_path.parent)
    assert problem.outline(Path(tmp_path.name)) == outline
    assert sum(in_memory(part).targets["mood"].sum() for part in (data.train, data.validation, data.test)) == 20


def test_other_encodings_and_coarse_labels(tmp_path: Path) -> None:
    lines = [f"{['LOC:city', 'LOC:other', 'HUM:ind'][i % 3]} où{i} café ?" for i in range(30)]
    write(tmp_path / "a", lines, "latin-1")
    fine = build({"topic": {"train": "a", "encoding": "latin-1"}}).outline(tmp_path)
    assert fine.tasks[0].classes == ("HUM:ind", "LOC:city", "LOC:other")
    assert fine.tasks[0].loss == "cross_entropy"
    coarse = build({"topic": {"train": "a", "encoding": "latin-1", "coarse": True}}).outline(tmp_path)
    assert coarse.tasks[0].classes == ("HUM", "LOC")
    assert coarse.tasks[0].loss == "bce_with_logits"


@pytest.mark.parametrize(
    ("lines", "changes", "message"),
    [
        (["good \udce9t\udce9"], {}, r"data\.txt:1: expected text in utf-8, got byte 0xe9; state its encoding"),
        (mood(9), {"encoding": "klingon"}, "expected the name of an encoding, got 'klingon'"),
        ([], {}, "expected lines of text, got an empty file"),
        (["good text", "good other"], {}, "expected texts of at least 2 classes, each line a label and a text, got 1"),
        (["good", "bad"], {}, "at least 2 classes, each line a label and a text, got 0"),
        (mood(2), {}, "expected rows for each split"),
        (mood(40), {"test": "other.txt"}, r"other\.txt: expected the classes of train, got 'ugly'"),
        (
            ["a b", "c d", "e f"],
            {"metrics": ["auc"]},
            "expected 2 classes for metric 'auc', got a classification",
        ),
        (["text,mood", "a,b"], {"format": "csv"}, r"data\.txt:1: expected a column 'label'"),
        (["text,label", "a,b", "a,b,c"], {"format": "csv"}, r":3: expected 2 columns as in the header, got 3"),
        (["text,label", "a,"], {"format": "csv"}, r":2: expected a label, got an empty cell"),
    ],
)
def test_faults_are_named_with_their_line(
    tmp_path: Path, lines: list[str], changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "data.txt").write_bytes("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))
    write(tmp_path / "other.txt", ["ugly text"])
    with pytest.raises(MtlbenchError, match=message):
        build({"mood": {"train": "data.txt", **changes}}).outline(tmp_path)


def test_faults_of_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/train.txt", "\n".join(mood(20)))
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    for path, message in [
        ("a.zip", r"expected a path that leads to a file inside, such as a\.zip/a/train\.txt"),
        ("a.zip/a/tran.txt", r"no such file in the archive, which has a/train\.txt"),
        ("broken.zip/a/train.txt", "expected a zip archive, got a damaged one"),
        ("missing.zip/a/train.txt", "no such file"),
    ]:
        with pytest.raises(DataError, match=message):
            build({"mood": {"train": path}}).outline(tmp_path)


def test_roles_of_files() -> None:
    for task in ({}, {"train": "a", "classes": {"x": "b", "y": "c"}}, {"classes": {"x": "b", "y": "c"}, "test": "a"}):
        with pytest.raises(ValueError, match=r"expected (train|no validation)"):
            build({"mood": task})


def sizes(data: Data) -> dict[str, tuple[int, ...]]:
    parts = (data.train, data.validation, data.test)
    return {name: tuple(len(in_memory(part).targets[name]) for part in parts) for name in data.outline.names}


def test_real_corpora(real_data: Path) -> None:
    films, questions = "nltk_text/sentence_polarity.zip/sentence_polarity/rt-polarity", "nltk_text/qc.zip/qc"
    views, stanford = "nltk_text/subjectivity.zip/subjectivity", "sentence_tasks/stsa.fine"
    asked = {"train": f"{questions}/train.txt", "test": f"{questions}/test.txt", "encoding": "latin-1"}
    tasks = {
        "sentiment": {"classes": {"negative": f"{films}.neg", "positive": f"{films}.pos"}},
        "subjectivity": {
            "classes": {"objective": f"{views}/plot.tok.gt9.5000", "subjective": f"{views}/quote.tok.gt9.5000"}
        },
        "topic": {**asked, "coarse": True},
        "question": asked,
        "spam": {"train": "sms_spam/SMSSpamCollection.gz", "metrics": ["macro_f1", "auc"]},
        "stars": {"train": f"{stanford}.train.gz", "validation": f"{stanford}.dev", "test": f"{stanford}.test"},
    }
    data = build(tasks).load(0, real_data)
    outputs = {task.name: task.outputs for task in data.outline.tasks}
    assert outputs == {"sentiment": 1, "subjectivity": 1, "topic": 6, "question": 50, "spam": 1, "stars": 5}
    found = sizes(data)
    assert found["stars"] == (8531, 1101, 2210)
    assert found["topic"] == (4027, 1342, 500)
    assert sum(found["sentiment"]) == 10662
    assert sum(found["spam"]) == 5159
    unknown = np.mean([(ids == 1).sum() / (ids > 0).sum() for ids in inputs_by_task(data.test).values()])
    assert 0.01 < unknown < 0.1
    parts = [keys(part) for part in (data.train, data.validation, data.test)]
    again = sum(map(len, parts)) - len(set.union(*parts))
    assert again < 100  # different texts, but cut, or of unknown words
