"""Segmentation, depth and surface normals of indoor scenes: a label at every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from ...core.errors import DataError
from ...core.losses import LOSSES
from ...core.task import Data, Outline, Split, TaskSpec
from ..losses import ChosenLoss, VectorsLoss
from ..metrics import WithMetrics
from ..small.digits import unique
from ..splits import PARTS, TEST, TRAIN, VALIDATION, Fractions, apportion, assign, generator
from .pixel_frames import Frame, fit, list_frames, pick, read_image, read_label

if TYPE_CHECKING:
    from ...core.task import Array

Side = Annotated[int, Field(ge=1)]
ANGLES = ("angle_mean", "angle_median", "within_11.25", "within_22.5", "within_30")


Losses = dict[Literal["depth", "normals"], VectorsLoss]


class Dense(WithMetrics):
    """NYUv2 and similar data: segmentation, depth and surface normals at every pixel of the same image.

    Tasks: ``segmentation`` (cross-entropy; mean IoU and pixel accuracy), ``depth`` in metres (L1; absolute and relative
    error) and ``normals`` (1 - cosine; mean and median angle, shares within 11.25, 22.5 and 30 degrees), unless
    ``losses`` says otherwise, such as ``{depth: {name: huber, delta: 0.5}, normals: mse}``. Pixels without a label are
    masked: class -1 or 255, depth 0, a normal of length 0. Inputs float32 [N, 3, H, W] in 0 .. 1, labels at positions
    [H, W], neither standardised. ``size`` downsamples an image by averaging and its labels by taking the one at each
    new pixel's centre; normals are not rotated, since with the same aspect ratio all axes scale alike.

    Formats: LibMTL's folders train/ and val/, each with image, label, depth and normal, which hold 0.npy … [height,
    width, channels]: val/ is the test split of every seed, and validation is split off train/ by the shares of
    ``split``. Or pictures: x.png beside segm_gt_x.png (bytes), depth_gt_x.png (16 bits, ``depth_scale`` per metre) and
    norm_gt_x.png (127 is 0), in a folder or its subfolders; a frame may lack a kind, whose pixels are then masked.
    Pictures are divided for each seed, stratified by the kinds of labels that they have.
    ``tiles`` cuts every frame into tiles x tiles images; ``divide: tiles`` allows tiles of one frame in different
    splits, which makes every method look better than it is and is meant only for experiments on a few frames.

    Sources: Silberman et al., Indoor Segmentation and Support Inference from RGBD Images, ECCV 2012; the arrays as Liu,
    Johns and Davison, End-to-end Multi-task Learning with Attention, CVPR 2019, prepared them (288x384, 13 classes);
    the pictures as Nekrasov et al., Real-Time Joint Semantic Segmentation and Depth Estimation, ICRA 2019 (480x640, 40
    classes). For academic use. Metrics are over all labelled pixels of the split, as LibMTL's are. Deviations from
    LibMTL: the best epoch is chosen on a validation split, not on the test split; a class that neither occurs nor is
    predicted is excluded from the mean IoU, where LibMTL gets NaN; no augmentation.
    """

    path: str = Field(description="folder of train/ and val/ with .npy arrays, or folder of pictures")
    tasks: Annotated[tuple[Literal["segmentation", "depth", "normals"], ...], AfterValidator(unique)] = Field(
        ("segmentation", "depth", "normals"), min_length=1, strict=False, description="which labels to train on"
    )
    size: tuple[Side, Side] | None = Field(
        None, strict=False, description="[height, width] of an input; default: of a frame, or of its tile"
    )
    classes: int = Field(13, ge=2, description="classes of the segmentation: 13 in LibMTL's arrays, 40 in the pictures")
    depth_scale: float = Field(5000, gt=0, description="value that stands for one metre in a picture of depths")
    tiles: int = Field(1, ge=1, description="cut every frame into tiles x tiles images")
    divide: Literal["frames", "tiles"] = Field("frames", description="the unit that is never divided between splits")
    split: Fractions = Field(Fractions(), description="shares of the splits")
    losses: Losses = Field({}, description="losses of depth (usually l1) and normals (usually cosine)")

    @field_validator("losses")
    @classmethod
    def _depth_has_no_direction(cls, losses: Losses) -> Losses:
        if "depth" in losses and LOSSES[losses["depth"].name].kind == "direction":
            raise ValueError(f"expected a loss of numbers for depth, got {losses['depth'].name}")
        return losses

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """LibMTL's folders: 12 training and 4 test frames of 6 x 8 pixels, some without a label."""
        import numpy as np

        chance = np.random.default_rng(10)
        for part, count in (("train", 12), ("val", 4)):
            for i in range(count):
                normal = chance.normal(size=(6, 8, 3))
                normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
                normal[0, i % 8], depth = 0, chance.uniform(0.7, 9, (6, 8, 1))
                depth[5, i % 8] = 0
                frame = {"image": chance.random((6, 8, 3)), "label": chance.integers(-1, 5, (6, 8))}
                for kind, values in {**frame, "depth": depth, "normal": normal}.items():
                    (folder / "frames" / part / kind).mkdir(parents=True, exist_ok=True)
                    np.save(folder / "frames" / part / kind / f"{part}{i}.npy", values.astype("float32"))
        return {"path": "frames", "classes": 5}

    def files(self, root: Path) -> tuple[Path, ...]:
        """Every image and label. Raises DataError."""
        return tuple(path for frame in self._frames(root) for path in frame.files)

    def outline(self, root: Path) -> Outline:
        """The tasks at the size of the first frame. Raises DataError."""
        frames = self._frames(root)
        self._divide(0, root, frames)  # frames that cannot be divided fail here, before any trial
        height, width = self._shape(frames)
        notes = [
            f"{lacking} of {len(frames)} frames have no {task}"
            for task in self.tasks
            if (lacking := sum(task not in frame.labels for frame in frames))
        ]
        if self.tiles > 1 and self.divide == "tiles":
            notes.append("tiles of one frame are in different splits: errors are underestimated")
        specs = tuple(self._task(task, (height, width)) for task in self.tasks)
        return self.ranked(Outline(specs, (3, height, width), len(frames) * self.tiles**2, tuple(notes)))

    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""
        import numpy as np

        frames, outline = self._frames(root), self.outline(root)
        part = self._divide(seed, root, frames)
        splits = {}
        for number, name in enumerate(PARTS):
            rows = np.flatnonzero(part == number)
            splits[name] = self._read(frames, rows, outline)
        return Data(outline, **splits)

    def _frames(self, root: Path) -> list[Frame]:
        return list_frames(root / Path(self.path).expanduser(), self.tasks)

    def _shape(self, frames: Sequence[Frame]) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        height, width = read_image(frames[0].image).shape[:2]
        return height // self.tiles, width // self.tiles

    def _task(self, task: str, positions: tuple[int, int]) -> TaskSpec:
        if task == "segmentation":
            names = tuple(map(str, range(self.classes)))
            metrics = ("mean_iou", "accuracy")
            return TaskSpec(task, self.classes, "cross_entropy", metrics, classes=names, positions=positions)
        if task == "depth":
            loss, metrics = self.losses.get("depth", ChosenLoss("l1")), ("mae", "relative_error")
            return TaskSpec(task, 1, loss.name, metrics, unit="m", positions=positions, beta=loss.beta)
        loss = self.losses.get("normals", ChosenLoss("cosine"))
        return TaskSpec(task, 3, loss.name, ANGLES, positions=positions, beta=loss.beta)

    def _divide(self, seed: int, root: Path, frames: Sequence[Frame]) -> Array:
        """The split of every row, int8 [frames x tiles²], frame by frame. Raises DataError if a split gets none."""
        import numpy as np

        of_frame = self.tiles**2 if self.divide == "tiles" else 1
        held = np.repeat([frame.held for frame in frames], of_frame)
        free = len(held) - int(held.sum())
        sizes = self.split.counts(free)
        if held.any():
            sizes = apportion(free, (self.split.train, self.split.validation, 0))
        part = np.full(len(held), TEST, dtype="int8")
        strata = np.repeat([frame.strata for frame in frames], of_frame)[~held]
        part[~held] = assign(strata, sizes, generator(seed)) if free else ()
        for number, name in ((TRAIN, "train"), (VALIDATION, "validation"), (TEST, "test")):
            if not (part == number).any():
                raise DataError(
                    f"{root / self.path}: expected enough {self.divide} for each split, got none for {name} of "
                    f"{len(held)}; change split, or cut a few frames with tiles and divide: tiles"
                )
        return part if of_frame > 1 else np.repeat(part, self.tiles**2)

    def _read(self, frames: Sequence[Frame], rows: Array, outline: Outline) -> Split:
        """The images of these rows, and their labels."""
        import numpy as np

        shape = outline.tasks[0].positions
        inputs = np.empty((len(rows), 3, *shape), dtype="float32")
        targets = {task.name: _blank(task, len(rows)) for task in outline.tasks}
        masks = {task.name: np.zeros((len(rows), *shape), dtype=bool) for task in outline.tasks}
        tiles = self.tiles**2
        for number in np.unique(rows // tiles):
            places, chosen = np.flatnonzero(rows // tiles == number), rows[rows // tiles == number] % tiles
            image, labels = self._decode(frames[number], shape)
            inputs[places] = image.transpose(0, 3, 1, 2)[chosen]
            for task, (target, mask) in labels.items():
                targets[task][places] = (np.moveaxis(target, -1, 1) if target.ndim == 4 else target)[chosen]
                masks[task][places] = mask[chosen]
        return Split(inputs, targets, {task: mask for task, mask in masks.items() if not mask.all()})

    def _decode(self, frame: Frame, shape: Sequence[int]) -> tuple[Array, dict[str, tuple[Array, Array]]]:
        """The tiles of a frame, [tiles², H, W, ...], and by task those of its labels and their masks."""
        height, width = shape[0] * self.tiles, shape[1] * self.tiles
        image = read_image(frame.image)
        if self.size is None and (image.shape[0] // self.tiles, image.shape[1] // self.tiles) != tuple(shape):
            raise DataError(
                f"{frame.image}: expected an image of the size of the first, got {list(image.shape[:2])}; state size"
            )
        labels = {}
        for task, path in frame.labels.items():
            target, mask = read_label(path, task, self.classes, self.depth_scale)
            if target.shape[:2] != image.shape[:2]:
                raise DataError(
                    f"{path}: expected labels {list(image.shape[:2])} as {frame.image.name} has pixels, "
                    f"got {list(target.shape[:2])}"
                )
            labels[task] = self._cut(pick(target, height, width)), self._cut(pick(mask, height, width))
        return self._cut(fit(image, height, width)), labels

    def _cut(self, values: Array) -> Array:
        """[tiles H, tiles W, ...] as [tiles², H, W, ...], row by row."""
        height, width = values.shape[0] // self.tiles, values.shape[1] // self.tiles
        cut = values.reshape(self.tiles, height, self.tiles, width, *values.shape[2:])
        return cut.swapaxes(1, 2).reshape(self.tiles**2, height, width, *values.shape[2:])


def _blank(task: TaskSpec, rows: int) -> Array:
    """Targets filled with zeros."""
    import numpy as np

    if task.kind == "classification":
        return np.zeros((rows, *task.positions), dtype="int64")
    return np.zeros((rows, task.outputs, *task.positions), dtype="float32")
