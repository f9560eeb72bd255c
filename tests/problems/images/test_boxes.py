from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtlbench.core.errors import DataError
from mtlbench.problems.images.boxes import Boxes
from mtlbench.problems.images.files import encoded
from mtlbench.problems.images.voc import annotation
from tests.toy_data import in_memory, shared_inputs

Write = Callable[..., None]
PARTS = ("train", "validation", "test")


@pytest.fixture
def write_voc(tmp_path: Path) -> Write:
    """A folder of pictures, each black with one white box; the class is whether it is wide."""

    def write(pictures: int = 30) -> None:
        rng = np.random.default_rng(0)
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        for i in range(pictures):
            width, height = (24, 12) if i % 2 else (12, 24)
            x, y = int(rng.integers(8, 64 - width)), int(rng.integers(8, 48 - height))
            pixels = np.zeros((56, 72, 3), dtype="u1")
            pixels[y : y + height, x : x + width] = 255
            box = ("wide" if i % 2 else "tall", (x, y, x + width, y + height))
            (tmp_path / f"JPEGImages/{i:02}.png").write_bytes(encoded(pixels))
            (tmp_path / f"Annotations/{i:02}.xml").write_bytes(annotation([box], width=72, height=56))

    return write


def test_the_box_is_where_the_object_is(write_voc: Write, tmp_path: Path) -> None:
    write_voc()
    data = Boxes(path=".", size=40, jitter=0.8).load(0, tmp_path)
    boxes = in_memory(data.train).targets["box"]
    for pixels, corners in zip(shared_inputs(data.train), boxes, strict=True):
        rows, columns = np.flatnonzero(pixels[0].mean(1) > 0.1), np.flatnonzero(pixels[0].mean(0) > 0.1)
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 40
        assert found == pytest.approx(corners, abs=0.06)
    assert boxes.std(axis=0).min() > 0.05  # jitter moves every corner


def test_crops_are_drawn_anew_for_each_seed(write_voc: Write, tmp_path: Path) -> None:
    write_voc()
    (tmp_path / "ImageSets/Main").mkdir(parents=True)
    for name, rows in (("train", range(20)), ("val", range(20, 25)), ("test", range(25, 30))):
        (tmp_path / f"ImageSets/Main/{name}.txt").write_text("".join(f"{i:02}\n" for i in rows))
    problem = Boxes(path=".", size=16, lists=True)
    one, again, other = (problem.load(seed, tmp_path) for seed in (0, 0, 1))
    assert [getattr(one, part).size for part in PARTS] == [20, 5, 5]
    targets, others = in_memory(one.test).targets, in_memory(other.test).targets
    assert (targets["class"] == [1, 0, 1, 0, 1]).all()
    assert (shared_inputs(one.test) == shared_inputs(again.test)).all()
    assert (targets["class"] == others["class"]).all()
    assert np.abs(targets["box"] - others["box"]).max() > 0.05
    (tmp_path / "ImageSets/Main/test.txt").write_text("25\n")
    with pytest.raises(DataError, match=r"got '26'.* in none \(4 such pictures\)"):
        problem.outline(tmp_path)


def test_blood_cells(real_data: Path) -> None:
    problem = Boxes(path="bccd.tar.gz", size=16)
    outline, data = problem.outline(real_data), problem.load(0, real_data)
    assert outline.notes == ("2 of 4888 boxes have no width or height and are left out",)
    assert outline.tasks[0].classes == ("Platelets", "RBC", "WBC")
    assert np.bincount(np.concatenate([getattr(data, part).targets["class"] for part in PARTS])).tolist() == [
        361,
        4153,
        372,
    ]
    shares = [np.bincount(getattr(data, part).targets["class"]) / [361, 4153, 372] for part in PARTS]
    assert np.abs(np.array(shares) - [[0.6], [0.2], [0.2]]).max() < 0.06
    assert [
        getattr(Boxes(path="bccd.tar.gz", size=16, lists=True).load(0, real_data), part).size for part in PARTS
    ] == [
        2804,
        1137,
        945,
    ]


def test_faults_name_the_file(write_voc: Write, tmp_path: Path) -> None:
    write_voc(12)
    problem, broken = Boxes(path="."), tmp_path / "Annotations/03.xml"
    broken.write_text("<annotation><size><width>9</width></size></annotation>")
    with pytest.raises(DataError, match=r"03\.xml: expected a Pascal VOC annotation .* got no size/height"):
        problem.outline(tmp_path)
    broken.write_text("<annotation>")
    with pytest.raises(DataError, match=r"03\.xml: expected a Pascal VOC annotation"):
        problem.outline(tmp_path)
    broken.unlink()
    (tmp_path / "JPEGImages/05.png").unlink()
    with pytest.raises(DataError, match=r"05\.xml: expected its picture .*05\.jpg or \.png, got none"):
        problem.outline(tmp_path)
    (tmp_path / "Annotations/05.xml").unlink()
    with pytest.raises(DataError, match=r"expected ImageSets/Main/train\.txt"):
        Boxes(path=".", lists=True).outline(tmp_path)
    for path in (tmp_path / "Annotations").glob("*[02468].xml"):
        path.unlink()
    with pytest.raises(DataError, match=r"at least 2 classes, got \['wide'\]"):
        problem.outline(tmp_path)
