"""Reading frames with a label at every pixel: LibMTL's folders of .npy arrays, or pictures named by their kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import DataError
from ...core.regular import opened_regular
from ..files import find, guarded
from .files import Members, resized

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...core.task import Array

TASKS = ("segmentation", "depth", "normals")
FOLDERS = {"segmentation": "label", "depth": "depth", "normals": "normal"}  # of .npy arrays
PREFIXES = {"segmentation": "segm_gt_", "depth": "depth_gt_", "normals": "norm_gt_"}  # of pictures
ZERO_NORMAL = 127  # the byte that means 0 in a picture of normals
SHORT = 0.5  # normals have length 1; a vector shorter than this means that there is none


@dataclass(frozen=True)
class Frame:
    """One image and the files of its labels by task; ``held`` is True if it belongs to the test folder."""

    image: Path
    labels: Mapping[str, Path]
    held: bool

    @property
    def strata(self) -> int:
        """Which labels it has, as a number."""
        return sum((task in self.labels) << place for place, task in enumerate(TASKS))

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files."""
        return (self.image, *self.labels.values())


def list_frames(folder: Path, tasks: Sequence[str]) -> list[Frame]:
    """The frames of a folder: .npy arrays where it holds train/ and val/, else pictures. Raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of frames, got {'a file' if folder.exists() else 'nothing'}")
    with guarded(folder):
        is_arrays = (folder / "train").is_dir() and (folder / "val").is_dir()
        frames = _arrays(folder, tasks) if is_arrays else _pictures(folder, tasks)
    missing = [task for task in tasks if not any(task in frame.labels for frame in frames)]
    if not frames or missing:
        raise DataError(
            f"{folder}: expected frames with {', '.join(missing or tasks)}, in train/ and val/ as image/0.npy and "
            f"{', '.join(f'{FOLDERS[task]}/0.npy' for task in tasks)}, or as pictures x.png and "
            f"{', '.join(f'{PREFIXES[task]}x.png' for task in tasks)}; got {len(frames)} frames"
        )
    return frames


def _arrays(folder: Path, tasks: Sequence[str]) -> list[Frame]:
    """Frames of arrays: every array of image/ has one of the same name in each other folder, and vice versa."""
    frames = []
    for part in ("train", "val"):
        kinds = {"image": "image", **{task: FOLDERS[task] for task in tasks}}
        names = {path.name for kind in kinds.values() for path in (folder / part / kind).glob("*.npy")}
        for name in sorted(names, key=lambda name: (len(name), name)):
            files = {kind: find(folder, f"{part}/{place}/{name}") for kind, place in kinds.items()}
            frames.append(Frame(files.pop("image"), files, part == "val"))
    return frames


def _pictures(folder: Path, tasks: Sequence[str]) -> list[Frame]:
    """Every picture that has at least one label; it need not have all."""
    frames = []
    for image in sorted(folder.rglob("*.png")):
        files = {task: image.with_name(PREFIXES[task] + image.name) for task in tasks}
        labels = {task: path for task, path in files.items() if path.is_file()}
        if labels:
            frames.append(Frame(image, labels, held=False))
    return frames


def read_image(path: Path) -> Array:
    """float32 [H, W, 3] in 0 .. 1. Raises DataError."""
    import numpy as np

    if path.suffix == ".npy":
        return _array(path, 3).astype("float32")
    return np.asarray(_picture(path).convert("RGB"), dtype="float32") / 255


def read_label(path: Path, task: str, classes: int, depth_scale: float) -> tuple[Array, Array]:
    """Labels [H, W] or [H, W, K], 0 where unknown, and a mask bool [H, W] of where they are known. Raises DataError."""
    if task == "segmentation":
        return _segmentation(path, classes)
    return _depth(path, depth_scale) if task == "depth" else _normals(path)


def _segmentation(path: Path, classes: int) -> tuple[Array, Array]:
    import numpy as np

    values = _array(path, 1)[..., 0] if path.suffix == ".npy" else np.asarray(_picture(path))
    values = values.astype("int64")
    labelled = (values >= 0) & (values != 255)
    if values.ndim != 2 or (values[labelled] >= classes).any():
        largest = values[labelled].max(initial=-1)
        raise DataError(
            f"{path}: expected class indices [height, width] below {classes}, or -1 or 255 where unknown, got "
            f"{largest} and shape {list(values.shape)}; state classes"
        )
    return np.where(labelled, values, 0).astype("int64"), labelled


def _depth(path: Path, scale: float) -> tuple[Array, Array]:
    """Depths in metres, [H, W, 1]; 0 means unknown."""
    import numpy as np

    if path.suffix == ".npy":
        values = _array(path, 1).astype("float32")
    else:
        values = np.asarray(_picture(path), dtype="float32")[..., None] / np.float32(scale)
    labelled = values[..., 0] > 0
    return np.where(labelled[..., None], values, 0), labelled


def _normals(path: Path) -> tuple[Array, Array]:
    """Directions [H, W, 3]; the zero vector means unknown."""
    import numpy as np

    if path.suffix == ".npy":
        values = _array(path, 3).astype("float32")
    else:
        values = np.asarray(_picture(path).convert("RGB"), dtype="float32") / ZERO_NORMAL - 1
    labelled = np.linalg.norm(values, axis=-1) > SHORT
    return np.where(labelled[..., None], values, 0), labelled


def _array(path: Path, channels: int) -> Array:
    """A finite array [H, W, channels] of a .npy file; [H, W] where there is one channel. Raises DataError."""
    import numpy as np

    try:
        with guarded(path), opened_regular(path) as file:
            values: Array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: expected a whole .npy array of numbers ({error})") from error
    if values.ndim == 2 and channels == 1:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] != channels or values.dtype.kind not in "buif":
        raise DataError(
            f"{path}: expected numbers [height, width, {channels}], got {values.dtype} {list(values.shape)}"
        )
    if not np.isfinite(values).all():
        raise DataError(f"{path}: expected finite numbers, got NaN or infinity; write 0 where a depth is unknown")
    return values


def _picture(path: Path) -> Image:
    return Members(path.parent, {path.name: path}).image(path.name)


def fit(values: Array, height: int, width: int) -> Array:
    """An image float32 [H, W, K] at another size, averaged."""
    import numpy as np

    if values.shape[:2] == (height, width):
        return values
    return np.stack([resized(values[..., k], height, width) for k in range(values.shape[2])], axis=-1)


def pick(values: Array, height: int, width: int) -> Array:
    """Labels [H, W, ...] resized by nearest neighbour: each new pixel has the label at its centre, never a mean."""
    import numpy as np

    rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype("int64")
    columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype("int64")
    resized: Array = values[rows][:, columns]
    return resized
