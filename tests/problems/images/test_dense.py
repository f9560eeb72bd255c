from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtlbench.core.errors import DataError
from mtlbench.core.task import Data
from mtlbench.problems.images.dense import Dense
from mtlbench.problems.images.files import encoded
from tests.image_files import scenes
from tests.toy_data import in_memory, shared_inputs

PARTS = ("train", "validation", "test")


def arrays(root: Path, part: str, kind: str) -> dict[bytes, np.ndarray]:
    """The arrays of a folder by the bytes of their images, [3, H, W]."""
    images = [np.load(path).transpose(2, 0, 1).tobytes() for path in sorted((root / part / "image").iterdir())]
    return dict(zip(images, (np.load(path) for path in sorted((root / part / kind).iterdir())), strict=True))


def test_arrays_in_the_layout_of_libmtl(tmp_path: Path) -> None:
    Dense.write_example(tmp_path)
    data = Dense(path="frames", classes=5).load(0, tmp_path)
    assert [getattr(data, part).size for part in PARTS] == [9, 3, 4]  # val is test; train is divided 3 : 1
    for part, folder in zip(PARTS, ("train", "train", "val"), strict=True):
        split = getattr(data, part)
        for kind, task in (("label", "segmentation"), ("depth", "depth"), ("normal", "normals")):
            found = arrays(tmp_path / "frames", folder, kind)
            for pixels, target, mask in zip(split.inputs, split.targets[task], split.masks[task], strict=True):
                truth = found[pixels.tobytes()]
                if kind == "label":
                    assert (mask == (truth >= 0)).all()
                    assert (target == np.where(mask, truth, 0)).all()
                else:
                    assert (mask == (np.abs(truth).sum(-1) > 0)).all()
                    assert (target == truth.transpose(2, 0, 1)).all()


def test_tasks_and_their_metrics() -> None:
    by_name = {task: Dense(path="")._task(task, (2, 3)) for task in ("segmentation", "depth", "normals")}
    assert by_name["segmentation"].metrics == ("mean_iou", "accuracy")
    assert (by_name["depth"].loss, by_name["depth"].unit) == ("l1", "m")
    assert by_name["normals"].loss == "cosine"
    assert by_name["normals"].metrics[0] == "angle_mean"


def test_shrinking_averages_images_and_picks_labels(tmp_path: Path) -> None:
    Dense.write_example(tmp_path)
    whole, small = (Dense(path="frames", classes=5, size=size).load(0, tmp_path) for size in (None, (3, 4)))
    images, shrunk = shared_inputs(whole.test), shared_inputs(small.test)
    assert shrunk.shape == (4, 3, 3, 4)
    assert shrunk.mean() == pytest.approx(images.mean(), abs=0.02)
    assert shrunk.std() < 0.7 * images.std()
    labels, picked = in_memory(whole.test), in_memory(small.test)
    assert (picked.targets["depth"] == labels.targets["depth"][:, :, 1::2, 1::2]).all()
    assert (picked.masks["segmentation"] == labels.masks["segmentation"][:, 1::2, 1::2]).all()


def test_tiles_are_parts_of_their_frame(tmp_path: Path) -> None:
    scenes(tmp_path)
    whole = Dense(path=".", classes=3, size=(10, 14)).load(0, tmp_path)
    tiles = Dense(path=".", classes=3, size=(5, 7), tiles=2).load(0, tmp_path)
    assert [getattr(tiles, part).size for part in PARTS] == [16, 4, 4]  # six frames, none of them divided
    for part in PARTS:
        frame, cut = getattr(whole, part), getattr(tiles, part)
        assert (cut.inputs[1] == frame.inputs[0][:, :5, 7:]).all()
        assert (cut.targets["depth"][2] == frame.targets["depth"][0][:, 5:, :7]).all()


def known(data: Data, task: str) -> float:
    masks = [getattr(data, part).masks[task] for part in PARTS]
    return float(np.concatenate(masks).mean())


def test_two_real_frames(real_data: Path) -> None:
    problem = Dense(path="nyuv2_samples", classes=40, tiles=4, divide="tiles", size=(60, 80))
    outline, data = problem.outline(real_data), problem.load(0, real_data)
    assert (outline.rows, outline.input_shape) == (32, (3, 60, 80))
    assert outline.notes[0] == "1 of 2 frames have no normals"
    assert known(data, "depth") == pytest.approx(1 - (0.370 + 0.342) / 2, abs=0.005)
    assert known(data, "segmentation") == pytest.approx(1 - (0.101 + 0.117) / 2, abs=0.005)
    assert known(data, "normals") == pytest.approx((1 - 0.2206) / 2, abs=0.005)
    train = in_memory(data.train)
    depths = train.targets["depth"][:, 0][train.masks["depth"]]
    assert 1 < depths.min() < depths.max() < 6.5  # a room, in metres
    normals = np.moveaxis(train.targets["normals"], 1, -1)[train.masks["normals"]]
    assert np.linalg.norm(normals, axis=-1) == pytest.approx(1, abs=0.03)
    with pytest.raises(DataError, match=r"segm_gt_\d+\.png: expected class indices .* below 13.*state classes"):
        Dense(path="nyuv2_samples", tiles=4, divide="tiles", size=(60, 80)).load(0, real_data)
    with pytest.raises(DataError, match=r"got none for test of 2.*divide: tiles"):
        Dense(path="nyuv2_samples", classes=40).outline(real_data)


def test_faults_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected frames with segmentation, depth, normals"):
        Dense(path=".").outline(tmp_path)
    with pytest.raises(DataError, match="expected a folder of frames, got nothing"):
        Dense(path="nowhere").outline(tmp_path)
    Dense.write_example(tmp_path)
    problem, label = Dense(path="frames", classes=5), tmp_path / "frames/val/label/val2.npy"
    for values, message in (
        (np.zeros((6, 8, 2)), r"val2\.npy: expected numbers \[height, width, 1\]"),
        (np.full((6, 8), 7.0), r"val2\.npy: expected class indices .* below 5, .* got 7"),
        (np.zeros((3, 4)), r"val2\.npy: expected labels \[6, 8\] .* got \[3, 4\]"),
        (np.full((6, 8), np.nan), r"val2\.npy: expected finite numbers"),
        (np.array([None]), r"val2\.npy: expected a whole \.npy array"),
    ):
        np.save(label, values)
        with pytest.raises(DataError, match=message):
            problem.load(0, tmp_path)
    (tmp_path / "frames/val/image/val2.npy").unlink()
    with pytest.raises(DataError, match=r"image/val2\.npy: no such file"):
        problem.outline(tmp_path)


def test_pictures_of_another_size_need_a_size(tmp_path: Path) -> None:
    scenes(tmp_path)
    (tmp_path / "scene1.png").write_bytes(encoded(np.zeros((9, 9, 3), dtype="u1")))
    with pytest.raises(DataError, match=r"scene1\.png: expected an image of the size of the first, got \[9, 9\]"):
        Dense(path=".", classes=3).load(0, tmp_path)


def test_tiles_of_every_kind_of_frame_come_into_every_split(tmp_path: Path) -> None:
    scenes(tmp_path)
    problem = Dense(path=".", classes=3, tiles=2, divide="tiles")
    one, again, other = (problem.load(seed, tmp_path) for seed in (0, 0, 1))
    assert [getattr(one, part).size for part in PARTS] == [14, 5, 5]
    assert (shared_inputs(one.train) == shared_inputs(again.train)).all()
    assert not (shared_inputs(one.train) == shared_inputs(other.train)).all()
    assert all(getattr(one, part).masks["normals"].any() for part in PARTS)
    assert "tiles of one frame are in different splits" in " ".join(one.outline.notes)
