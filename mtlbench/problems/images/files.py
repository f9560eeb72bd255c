"""Images as files: in a folder or a tar archive, decoded by Pillow; every fault is a DataError that names the file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import DataError
from ...core.regular import opened_regular
from ..files import find, guarded

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...core.task import Array


@dataclass(frozen=True)
class Members:
    """The files of some kinds in a folder (read on demand) or in a tar archive, sorted by their paths within it."""

    path: Path
    content: Mapping[str, bytes | Path]

    @classmethod
    def open(cls, path: Path, suffixes: Collection[str]) -> Members:
        """Those in the folder or tar archive ``path``. Raises DataError."""
        content: dict[str, bytes | Path] = {}
        if path.is_dir():
            content.update({file.relative_to(path).as_posix(): file for file in sources(path, suffixes)})
        else:
            content.update(_unpacked(find(path.parent, path.name), suffixes))
        if not content:
            raise DataError(f"{path}: expected files {', '.join(sorted(suffixes))}, got none; is it the right folder?")
        return cls(path, dict(sorted(content.items())))

    def read(self, name: str) -> bytes:
        """The content of one file. Raises DataError."""
        content = self.content[name]
        if isinstance(content, bytes):
            return content
        with guarded(content), opened_regular(content) as file:
            return file.read()

    def image(self, name: str) -> Image:
        """One file, decoded. Raises DataError."""
        from PIL import Image

        try:
            with Image.open(io.BytesIO(self.read(name))) as image:
                image.load()
                return image
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{self.path}: {name}: expected a whole image, got a damaged one ({error})") from error


def sources(path: Path, suffixes: Collection[str]) -> tuple[Path, ...]:
    """The files that ``Members.open`` looks at: the archive, or those in the folder. Raises DataError."""
    if not path.is_dir():
        return (find(path.parent, path.name),)
    with guarded(path):
        return tuple(sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file()))


def resized(values: Array, height: int, width: int) -> Array:
    """An image float32 [H, W] resized so that each new pixel is a weighted mean of those it covers."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(values, dtype="float32"))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype="float32")


def _unpacked(path: Path, suffixes: Collection[str]) -> dict[str, bytes]:
    content = {}
    try:
        with guarded(path), tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream and Path(member.name).suffix.lower() in suffixes:
                    content[member.name.removeprefix("./")] = stream.read()
    except tarfile.TarError as error:
        raise DataError(f"{path}: expected a folder or a whole tar archive ({error})") from error
    return content


def pack(path: Path, members: Mapping[str, bytes]) -> str:
    """Write a tar archive with reproducible bytes and return its name."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path.name


def encoded(pixels: Array) -> bytes:
    """A PNG file of bytes [H, W] or [H, W, 3], or of uint16 [H, W]."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()
