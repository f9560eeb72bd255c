"""Annotations in the format of Pascal VOC: one XML file per picture, a box per object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from ...core.errors import DataError
from .files import Members

if TYPE_CHECKING:
    from ...core.task import Array

PICTURES = (".jpg", ".jpeg", ".png")
SUFFIXES = (".xml", ".txt", *PICTURES)
CORNERS = ("xmin", "ymin", "xmax", "ymax")
LISTS = ("train", "val", "test")


@dataclass(frozen=True)
class Annotated:
    """Pictures with at least one object, sorted by name, and their objects.

    names [P] and sizes [P, 2] (width, height) of the pictures; picture [N], codes int64 [N] and boxes float64 [N, 4]
    (x0, y0, x1, y1 in pixels) of the objects.
    """

    members: Members
    names: tuple[str, ...]
    sizes: Array
    picture: Array
    classes: tuple[str, ...]
    codes: Array
    boxes: Array
    notes: tuple[str, ...]

    def listed(self) -> Array:
        """The split of each picture that ImageSets/Main names, int8 [P]. Raises DataError."""
        import numpy as np

        part = np.full(len(self.names), -1, dtype="int8")
        stems = [PurePosixPath(name).stem for name in self.names]
        for number, name in enumerate(LISTS):
            [file] = [f for f in self.members.content if f.endswith(f"ImageSets/Main/{name}.txt")] or [""]
            if not file:
                raise DataError(f"{self.members.path}: expected ImageSets/Main/{name}.txt (lists), got no such file")
            listed = set(self.members.read(file).decode("utf-8", "replace").split())
            part[[stem in listed for stem in stems]] = number
        if (part < 0).any():
            raise DataError(
                f"{self.members.path}: expected every picture in one of ImageSets/Main, got '{stems[part.argmin()]}' "
                f"in none ({int((part < 0).sum())} such pictures); list it, or use lists: false"
            )
        return part


def read_voc(path: Path) -> Annotated:
    """The annotated objects of a folder or a tar archive. Raises DataError."""
    import numpy as np

    members = Members.open(path, SUFFIXES)
    read = [_parse(members, file) for file in members.content if file.endswith(".xml")]
    pictures = [picture for picture in read if picture.labels]
    labels = [label for picture in pictures for label in picture.labels]
    if len(set(labels)) < 2:
        raise DataError(
            f"{path}: expected Annotations/*.xml with objects of at least 2 classes, got {sorted(set(labels))}"
        )
    refused = sum(picture.refused for picture in read)
    notes = (f"{refused} of {len(labels) + refused} boxes have no width or height and are left out",)
    classes, codes = np.unique(labels, return_inverse=True)
    return Annotated(
        members,
        tuple(picture.name for picture in pictures),
        np.array([picture.size for picture in pictures]),
        np.repeat(np.arange(len(pictures)), [len(picture.labels) for picture in pictures]),
        tuple(map(str, classes)),
        codes.reshape(-1),
        np.concatenate([picture.boxes for picture in pictures]),
        notes if refused else (),
    )


class Picture(NamedTuple):
    """One annotation: name and size (width, height) of its picture, labels and boxes [n, 4] of its objects, and how
    many it refused.
    """

    name: str
    size: tuple[float, float]
    labels: list[str]
    boxes: Array
    refused: int


def _parse(members: Members, file: str) -> Picture:
    """Raises DataError."""
    import numpy as np

    try:
        tree = ElementTree.fromstring(members.read(file))
        width, height = (float(_text(tree, f"size/{side}")) for side in ("width", "height"))
        labels = [_text(item, "name") for item in tree.iter("object")]
        corners = [[float(_text(item, f"bndbox/{side}")) for side in CORNERS] for item in tree.iter("object")]
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(
            f"{members.path}: {file}: expected a Pascal VOC annotation with size, object, name and bndbox, got {error}"
        ) from error
    boxes = np.clip(np.reshape(corners, (-1, 4)), 0, [width, height] * 2)
    solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    names = [label for label, keep in zip(labels, solid, strict=True) if keep]
    return Picture(_picture(members, file), (width, height), names, boxes[solid], int((~solid).sum()))


def _text(tree: ElementTree.Element, path: str) -> str:
    text = tree.findtext(path)
    if not text or not text.strip():
        raise ValueError(f"no {path}")
    return text.strip()


def _picture(members: Members, annotation: str) -> str:
    """The picture of an annotation: of the same name, in JPEGImages beside Annotations. Raises DataError."""
    place = PurePosixPath(annotation)
    stem = place.parent.parent / "JPEGImages" / place.stem
    for suffix in PICTURES:
        if f"{stem}{suffix}" in members.content:
            return f"{stem}{suffix}"
    raise DataError(f"{members.path}: {annotation}: expected its picture {stem}.jpg or .png, got none")


def annotation(boxes: Iterable[tuple[str, tuple[int, int, int, int]]], width: int, height: int) -> bytes:
    """The annotation of an image: labels with their corners (left, top, right, bottom)."""
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for label, (left, top, right, bottom) in boxes
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{objects}</annotation>".encode()
