from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtlbench.core.errors import DataError
from mtlbench.core.task import Data
from mtlbench.problems.images.characters import Characters
from mtlbench.problems.images.files import encoded, pack
from mtlbench.problems.images.idx_files import array
from tests.toy_data import in_memory, inputs_by_task

PARTS = ("train", "validation", "test")


def rows(data: Data, task: str) -> int:
    return sum(len(getattr(data, part).targets[task]) for part in PARTS)


def test_the_real_scans(real_data: Path) -> None:
    data = Characters(path="handwritten62").load(0, real_data)
    assert (rows(data, "letters"), rows(data, "digits")) == (4817, 920)
    assert data.outline.notes == ("1 of 5738 images are less than 5 pixels high or wide and left out",)
    assert [task.outputs for task in data.outline.tasks] == [26, 10]
    images = inputs_by_task(data.train)["letters"]
    assert images.shape[1:] == (1, 28, 28)
    assert (images.min(), images.max()) == (0, 1)
    assert np.median(images) < 0.05  # paper is dark


def test_cases_of_letters(real_data: Path) -> None:
    sizes = [
        rows(Characters(path="handwritten62", letters=case).load(0, real_data), "letters")
        for case in ("capital", "small")
    ]
    assert sizes == [2426, 2391]


def test_seven_thousand_images_with_digits_of_mnist(real_data: Path) -> None:
    problem = Characters(path="handwritten62", mnist="mnist")
    data, other = problem.load(0, real_data), problem.load(1, real_data)
    assert rows(data, "letters") + rows(data, "digits") == 7000
    known = {image.tobytes() for image in array(real_data / "mnist/train-images-idx3-ubyte.gz")}
    bytes_of = [
        {(x * 255).round().astype("u1").tobytes() for x in inputs_by_task(d.train)["digits"]} for d in (data, other)
    ]
    assert bytes_of[0] < known
    assert len(bytes_of[0] & bytes_of[1]) < 0.1 * len(bytes_of[0])
    with pytest.raises(DataError, match="expected images to leave 80 to 60000 digits beside 4817 letters"):
        Characters(path="handwritten62", mnist="mnist", images=4850).outline(real_data)


@pytest.fixture
def write_scans(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """Ten scans of each of six characters: a dark stroke on grey paper, 20 x 12 pixels."""

    def write() -> dict[str, bytes]:
        rng, images, lines = np.random.default_rng(0), {}, ["image,label"]
        for label in ("CAP_A", "CAP_B", "SMALL_a", "SMALL_b", *(f"DIGIT_{i}" for i in range(10))):
            for number in range(10):
                scan = np.full((20, 12), 180 + number)
                scan[4:16, 6] = rng.integers(20, 90, 12)
                images[f"{label}_{number}.png"] = encoded(scan.astype("u1"))
                lines.append(f"{label}_{number}.png,{label}")
        (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
        (tmp_path / "scans").mkdir(exist_ok=True)
        for name, content in images.items():
            (tmp_path / "scans" / name).write_bytes(content)
        pack(tmp_path / "scans.tar", images)
        return images

    return write


def test_ink_is_white_on_black_and_upright(write_scans: Callable[[], dict[str, bytes]], tmp_path: Path) -> None:
    write_scans()
    folder, tar = (Characters(path=".", archive=name).load(0, tmp_path) for name in ("scans", "scans.tar"))
    images = inputs_by_task(folder.train)["letters"]
    assert (images == inputs_by_task(tar.train)["letters"]).all()
    stroke = images[:, 0].mean(axis=0)
    assert stroke[6:22, 13:18].mean() > 10 * np.delete(stroke, np.s_[12:20], axis=1).mean()
    assert set(in_memory(folder.train).targets["letters"]) == {0, 1}  # A and a are one class


def test_faults_name_the_file(write_scans: Callable[[], dict[str, bytes]], tmp_path: Path) -> None:
    write_scans()
    problem = Characters(path=".", archive="scans")
    (tmp_path / "scans/CAP_A_3.png").write_bytes((tmp_path / "scans/CAP_A_3.png").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"CAP_A_3\.png: expected a whole image"):
        problem.outline(tmp_path)
    (tmp_path / "scans/CAP_A_3.png").unlink()
    with pytest.raises(DataError, match=r"expected image 'CAP_A_3\.png', which .*labels\.csv lists"):
        problem.outline(tmp_path)
    (tmp_path / "labels.csv").write_text("image,label\nx.png,GREEK_a\n")
    with pytest.raises(DataError, match="line 2: expected an image and a label such as CAP_A"):
        problem.outline(tmp_path)
    (tmp_path / "scans.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match=r"scans\.tar: expected a folder or a whole tar archive"):
        Characters(path=".", archive="scans.tar").outline(tmp_path)
