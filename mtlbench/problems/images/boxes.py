"""Objects of a Pascal VOC folder: the class of each, and the position of its box in a crop around it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.task import Data, Outline, Split, TaskSpec
from ..losses import ChosenLoss, NumbersLoss
from ..metrics import WithMetrics
from ..splits import PARTS, TRAIN, Fractions, assign, generator, keep_classes
from .files import encoded, pack, sources
from .voc import SUFFIXES, Annotated, annotation, read_voc

if TYPE_CHECKING:
    from ...core.task import Array


RANKED = ("balanced_accuracy", "accuracy", "macro_f1")  # balanced first: in BCCD, 85 % of the cells are of one class


class Boxes(WithMetrics):
    """Objects of a Pascal VOC folder: the class of each, and the corners of its box, from one jittered crop each.

    Every annotated object gives one crop: each side of its box moves outwards by a share of the box's width (or
    height) drawn from U(0, jitter), but not beyond the edge of the picture; the crop is then resized to ``size`` x
    ``size`` pixels. Tasks: ``class`` (cross-entropy, ranked by balanced accuracy) and ``box``, the corners
    (x0, y0, x1, y1) of the box within its crop, in 0 .. 1 of the crop's width and height (metric IoU; smooth-L1, unless
    ``losses`` says otherwise, such as ``{box: {name: smooth_l1, beta: 0.1}}``). Inputs float32 [N, 3, size, size], RGB
    in 0 .. 1. For the usual weights, 0.7 and 0.3, use weighting ``fixed``.

    Pictures, not objects, are divided for each seed, so that no picture is in two splits, stratified by the rarest
    class of each; with ``lists``, by ImageSets/Main/train.txt, val.txt and test.txt, the same for every seed, though
    crops differ. Boxes are clipped to their picture; those without width or height are rejected and counted in a note.
    Coordinates are used as they are, without VOC's offset of one pixel.

    Format: Annotations/*.xml beside JPEGImages/, in a folder or a tar archive. Source: Everingham et al., The Pascal
    Visual Object Classes Challenge, IJCV 2010; the benchmark's data are BCCD, 364 photographs of blood cells (MIT
    licence).
    """

    path: str = Field(description="Pascal VOC folder, or a tar archive of one")
    size: int = Field(32, ge=8, description="side of a crop in pixels, after resizing")
    jitter: float = Field(0.5, gt=0, description="each side moves out by at most this share of the box's size")
    lists: bool = Field(False, description="split pictures by ImageSets/Main instead of anew for each seed")
    split: Fractions = Field(Fractions(), description="shares of the pictures in each split")
    losses: dict[Literal["box"], NumbersLoss] = Field({}, description="loss of the box (usually smooth_l1)")

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Thirty noise images in a Pascal VOC archive, each with two boxes and an empty one."""
        import numpy as np

        chance, members = np.random.default_rng(9), {}
        for i in range(30):
            members[f"JPEGImages/{i}.png"] = encoded(chance.integers(0, 256, (30, 40, 3), dtype="u1"))
            boxes = [
                ("red", (3, 4, 12, 15)),
                ("red" if i % 3 == 0 else "white", (20, 8, 39, 28)),
                ("red", (5, 5, 5, 9)),
            ]
            members[f"Annotations/{i}.xml"] = annotation(boxes, width=40, height=30)
        return {"path": pack(folder / "cells.tar", members), "size": 8}

    def files(self, root: Path) -> tuple[Path, ...]:
        """The archive, or every annotation, picture and list. Raises DataError."""
        return sources(root / Path(self.path).expanduser(), SUFFIXES)

    def outline(self, root: Path) -> Outline:
        """A classification and a regression of four values. Raises DataError."""
        annotated = self._annotated(root)
        self._divide(0, annotated)  # pictures that no seed can divide fail here, before any trial
        box = self.losses.get("box", ChosenLoss("smooth_l1"))
        tasks = (
            TaskSpec("class", len(annotated.classes), "cross_entropy", RANKED, classes=annotated.classes),
            TaskSpec("box", 4, box.name, ("box_iou", "mae"), beta=box.beta),
        )
        return self.ranked(Outline(tasks, (3, self.size, self.size), len(annotated.codes), annotated.notes))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        import numpy as np

        annotated = self._annotated(root)
        part = self._divide(seed, annotated)[annotated.picture]
        windows = self._windows(seed, annotated)
        low, size = windows[:, [0, 1, 0, 1]], (windows[:, 2:] - windows[:, :2])[:, [0, 1, 0, 1]]
        corners = ((annotated.boxes - low) / size).astype("float32")
        crops = np.empty((len(windows), 3, self.size, self.size), dtype="float32")
        for picture in range(len(annotated.names)):
            rows = np.flatnonzero(annotated.picture == picture)
            crops[rows] = _crops(annotated, picture, windows[rows], self.size)
        splits = {
            name: Split(crops[part == i], {"class": annotated.codes[part == i], "box": corners[part == i]})
            for i, name in enumerate(PARTS)
        }
        return Data(self.outline(root), **splits)

    def _annotated(self, root: Path) -> Annotated:
        return _read(root / Path(self.path).expanduser(), tuple(map(stamp, self.files(root))))

    def _divide(self, seed: int, annotated: Annotated) -> Array:
        """The split of each picture, int8 [P]. Raises DataError if train lacks a class, or a split has no object."""
        import numpy as np

        counts = np.zeros((len(annotated.names), len(annotated.classes)), dtype="int64")
        np.add.at(counts, (annotated.picture, annotated.codes), 1)
        if self.lists:
            part = annotated.listed()
        else:
            rarest = np.where(counts > 0, counts.sum(0), counts.sum() + 1).argmin(axis=1)
            part = assign(rarest, self.split.counts(len(rarest)), generator(seed))
            keep_classes(part, rarest)
        for number, name in enumerate(PARTS):
            lost = np.flatnonzero(counts[part == number].sum(axis=0) == 0)
            if len(lost) and (number == TRAIN or len(lost) == len(annotated.classes)):
                raise DataError(
                    f"{annotated.members.path}: expected objects of class '{annotated.classes[lost[0]]}' in {name}, "
                    f"got none of its {counts[:, lost[0]].sum()}; remove the class, or change split or lists"
                )
        return part

    def _windows(self, seed: int, annotated: Annotated) -> Array:
        """The crop around each box, float64 [N, 4]: x0, y0, x1, y1 in pixels of its picture."""
        import numpy as np

        moved = generator(seed, "jitter").uniform(0, self.jitter, annotated.boxes.shape)
        size = (annotated.boxes[:, 2:] - annotated.boxes[:, :2])[:, [0, 1, 0, 1]]
        windows = annotated.boxes + np.array([-1, -1, 1, 1]) * moved * size
        inside: Array = np.clip(windows, 0, annotated.sizes[annotated.picture][:, [0, 1, 0, 1]])
        return inside


def _crops(annotated: Annotated, picture: int, windows: Array, side: int) -> Array:
    """Windows [n, 4] of one picture, float32 [n, 3, side, side] in 0 .. 1."""
    import numpy as np
    from PIL import Image

    image = annotated.members.image(annotated.names[picture]).convert("RGB")
    crops = [image.resize((side, side), Image.Resampling.BILINEAR, box=tuple(window)) for window in windows]
    pixels = np.stack([np.asarray(crop, dtype="float32") for crop in crops])
    return pixels.transpose(0, 3, 1, 2) / 255


@lru_cache(maxsize=2)
def _read(path: Path, _: tuple[Stamp, ...]) -> Annotated:
    return read_voc(path)
