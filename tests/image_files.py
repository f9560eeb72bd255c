"""Small files of the problems on images, for the contracts."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Spec = dict[str, Any]


def tar(path: Path, members: Mapping[str, bytes]) -> str:
    """Write an archive, the same bytes whenever it is written; its name."""
    with tarfile.open(path, "w") as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path.name


def picture(pixels: np.ndarray) -> bytes:
    """A PNG file of bytes [H, W] or [H, W, 3], or of uint16 [H, W]."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def annotation(boxes: list[tuple[str, tuple[int, ...]]], width: int = 40, height: int = 30) -> bytes:
    """A Pascal VOC annotation of labels and corners."""
    found = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>"
        for label, (x0, y0, x1, y1) in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{found}</annotation>".encode()


def scans(root: Path) -> Spec:
    rng, found = np.random.default_rng(8), {}
    labels = ["CAP_A", "CAP_B", "SMALL_a", *(f"DIGIT_{i}" for i in range(10))]
    for i in range(130):
        found[f"{i}.png"] = picture(rng.integers(0, 256, (9 + i % 5, 8), dtype="u1")), labels[i % 13]
    (root / "labels.csv").write_text(
        "\n".join(["image,label", *(f"{name},{label}" for name, (_, label) in found.items())])
    )
    archive = tar(root / "scans.tar", {name: content for name, (content, _) in found.items()})
    return {"name": "characters", "path": ".", "archive": archive}


def voc(root: Path) -> Spec:
    rng, members = np.random.default_rng(9), {}
    for i in range(30):
        members[f"cells/JPEGImages/{i}.png"] = picture(rng.integers(0, 256, (30, 40, 3), dtype="u1"))
        boxes = [("red", (3, 4, 12, 15)), ("white" if i % 3 else "red", (20, 8, 39, 28)), ("red", (5, 5, 5, 9))]
        members[f"cells/Annotations/{i}.xml"] = annotation(boxes)
    return {"name": "boxes", "path": tar(root / "cells.tar", members), "size": 8}


def frames(root: Path) -> Spec:
    """LibMTL's folders: 12 training and 4 test frames of 6 x 8 pixels, some without a label."""
    rng = np.random.default_rng(10)
    for part, count in (("train", 12), ("val", 4)):
        for i in range(count):
            normal = rng.normal(size=(6, 8, 3))
            normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
            normal[0, i % 8], depth = 0, rng.uniform(0.7, 9, (6, 8, 1))
            depth[5, i % 8] = 0
            values = {"image": rng.random((6, 8, 3)), "label": rng.integers(-1, 5, (6, 8)).astype(float)}
            for kind, array in {**values, "depth": depth, "normal": normal}.items():
                (root / "nyu" / part / kind).mkdir(parents=True, exist_ok=True)
                np.save(root / "nyu" / part / kind / f"{part}{i}.npy", array.astype("float32"))
    return {"name": "dense", "path": "nyu", "classes": 5}


def scenes(root: Path) -> None:
    """Six pictures of 12 x 16 pixels, the first without normals."""
    rng = np.random.default_rng(11)
    for i in range(6):
        label = rng.integers(0, 4, (12, 16), dtype="u1")
        label[label == 3] = 255
        kinds = {
            "": rng.integers(0, 256, (12, 16, 3), dtype="u1"),
            "segm_gt_": label,
            "depth_gt_": rng.integers(0, 30_000, (12, 16), dtype="u2"),
            "norm_gt_": rng.integers(0, 255, (12, 16, 3), dtype="u1"),
        }
        for prefix, pixels in kinds.items() if i else list(kinds.items())[:3]:
            (root / f"{prefix}scene{i}.png").write_bytes(picture(pixels))


IMAGES: dict[str, Callable[[Path], Spec]] = {"boxes": voc, "characters": scans, "dense": frames}
