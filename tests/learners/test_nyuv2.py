"""NYUv2 in the layout of LibMTL's examples/nyu, from its files through training to metrics that NumPy finds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.record import Record
from mtlbench.core.settings import Train
from mtlbench.engine import TABLE as ENGINES
from mtlbench.learners.base import Job
from mtlbench.learners.loops.training import Training
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.problems.images.dense import Dense
from mtlbench.weightings import TABLE as WEIGHTINGS

CLASSES, HEIGHT, WIDTH = 13, 24, 32
Array = np.ndarray[Any, Any]


def frame(rng: np.random.Generator) -> dict[str, Array]:
    """One frame as the files hold it: channels last, image in 0 .. 1, unlabelled -1, no depth 0, no normal (0, 0, 0).

    What a pixel is, its colour tells, so that there is something to learn.
    """
    labels = rng.integers(0, CLASSES, (HEIGHT // 4, WIDTH // 4)).repeat(4, 0).repeat(4, 1)
    colours = np.stack([labels / CLASSES, labels % 4 / 4, labels % 3 / 3], -1)
    image = 0.9 * colours + rng.uniform(0, 0.1, colours.shape)
    depth = (1 + labels / 4 + rng.uniform(0, 0.5, labels.shape))[..., None]
    normal = rng.normal(0, 0.3, image.shape) + np.stack([labels % 3 - 1, labels % 2, np.full(labels.shape, -1.0)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    labels = np.where(rng.random(labels.shape) < 0.2, -1, labels)
    depth[rng.random(labels.shape) < 0.3] = 0
    normal[rng.random(labels.shape) < 0.25] = 0
    return {"image": image, "label": labels.astype("float64"), "depth": depth, "normal": normal}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and val/, each of image/, label/, depth/ and normal/ with 0.npy, 1.npy …"""
    root, rng = tmp_path_factory.mktemp("nyuv2"), np.random.default_rng(3)
    for part, count in (("train", 12), ("val", 3)):
        for number in range(count):
            for kind, values in frame(rng).items():
                (root / part / kind).mkdir(parents=True, exist_ok=True)
                np.save(
                    root / part / kind / f"{number}.npy", values.astype("float32" if kind == "image" else values.dtype)
                )
    return root


def read(folder: Path, kind: str) -> Array:
    """All test files of a kind, numbered as LibMTL numbers them."""
    return np.stack([np.load(folder / "val" / kind / f"{number}.npy") for number in range(3)])


def trained(folder: Path, seed: int = 0) -> tuple[Training, list[Record]]:
    data = Dense(path=str(folder)).load(seed, Path())
    parts = {
        "architecture": ARCHITECTURES.build({"name": "shared", "trunk": "unet", "channels": [8, 16]}),
        "weighting": WEIGHTINGS.build({"name": "equal"}),
        "engine": ENGINES.build({"name": "eager"}),
        "optimizer": OPTIMIZERS.build({"name": "adam", "lr": 0.01}),
        "schedule": SCHEDULES.build({"name": "constant"}),
    }
    settings = Train(epochs=8, batch_size=2, evaluation_batch_size=2)
    job = Job(data, data.outline.names, **parts, train=settings, seed=seed, device=torch.device("cpu"))
    training = Training(job)
    return training, training.run()


def by_numpy(folder: Path, outputs: dict[str, Array]) -> dict[tuple[str, str], float]:
    """The metrics of LibMTL's examples/nyu/utils.py over all test frames; outputs [N, outputs, H, W]."""
    label = read(folder, "label").astype(int)
    predicted, known = outputs["segmentation"].argmax(1), label >= 0
    hits = [(known & (label == c) & (predicted == c)).sum() for c in range(CLASSES)]
    either = [(known & ((label == c) | (predicted == c))).sum() for c in range(CLASSES)]
    depth, found = read(folder, "depth")[..., 0], outputs["depth"][:, 0]
    error = np.abs(depth - found)[depth != 0]
    normal, direction = read(folder, "normal"), np.moveaxis(outputs["normals"], 1, -1)
    cosine = (normal * direction / np.linalg.norm(direction, axis=-1, keepdims=True)).sum(-1)
    angle = np.degrees(np.arccos(cosine[normal.sum(-1) != 0].clip(-1, 1)))
    return {
        ("segmentation", "mean_iou"): 100 * float(np.mean(np.array(hits) / np.array(either))),
        ("segmentation", "accuracy"): 100 * float((predicted == label)[known].mean()),
        ("depth", "mae"): float(error.mean()),
        ("depth", "relative_error"): float((error / depth[depth != 0]).mean()),
        ("normals", "angle_mean"): float(angle.mean()),
        ("normals", "angle_median"): float(np.median(angle)),
        **{("normals", f"within_{limit}"): 100 * float((angle < limit).mean()) for limit in (11.25, 22.5, 30)},
    }


def test_from_files_through_training_to_metrics(folder: Path) -> None:
    training, records = trained(folder)
    images = torch.from_numpy(np.moveaxis(read(folder, "image"), -1, 1)).float()
    with torch.inference_mode():
        outputs = {name: output.double().numpy() for name, output in training.model.eval()(images).items()}
    expected = by_numpy(folder, outputs)
    found = {(r.task, r.metric): r.value for r in records if r.split == "test" and r.metric != "loss"}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-4), key
    for task in ("segmentation", "depth", "normals"):
        losses = [r.value for r in records if (r.split, r.task, r.metric) == ("train", task, "loss")]
        assert losses[-1] < 0.7 * losses[0], task


def test_losses_are_those_over_labelled_pixels(folder: Path) -> None:
    training, records = trained(folder)
    images = torch.from_numpy(np.moveaxis(read(folder, "image"), -1, 1)).float()
    with torch.inference_mode():
        outputs = training.model.eval()(images)
    label = torch.from_numpy(read(folder, "label")).long()
    normal, depth = torch.from_numpy(read(folder, "normal")), torch.from_numpy(read(folder, "depth"))[..., 0]
    cosine = (torch.nn.functional.normalize(outputs["normals"].double()).movedim(1, -1) * normal).sum(-1)
    expected = {
        "segmentation": torch.nn.functional.cross_entropy(outputs["segmentation"], label, ignore_index=-1),
        "depth": (outputs["depth"][:, 0] - depth).abs()[depth != 0].mean(),
        "normals": 1 - cosine[normal.sum(-1) != 0].mean(),
    }
    found = {r.task: r.value for r in records if (r.split, r.metric) == ("test", "loss")}
    assert found == {task: pytest.approx(float(value), rel=1e-4) for task, value in expected.items()}
