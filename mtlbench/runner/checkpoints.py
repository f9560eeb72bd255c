"""Trained trunks on their way from one trial to another: bytes outside of the worker, tensors inside."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.digests import content_digest
from ..core.errors import MtlbenchError
from ..core.regular import opened_regular
from ..core.trial import TrainTrial

if TYPE_CHECKING:
    from torch import Tensor

    from ..learners.base import Start


@dataclass
class Checkpoints:
    """The trunk that a trial starts from and the one that it leaves, each a file's content; b"" for none."""

    incoming: bytes = b""
    outgoing: bytes = b""

    def start(self, trial: TrainTrial, root: Path) -> Start | None:
        """What the trial's model starts from. Raises MtlbenchError for a file that holds no trunk, OSError."""
        from ..learners.base import Start

        start = trial.parts.get("start")
        if not start:
            return None
        file = start.get("file")
        content = self.incoming if file is None else _content(root / file)
        if file is not None and content_digest(content) != start["sha256"]:
            raise MtlbenchError(f"init_from {file}: expected the content that the trial was planned with, got another")
        return Start(_read(content, file or "another trial"), start["freeze"])

    def keep(self, trunk: Mapping[str, Tensor]) -> None:
        """Take a trained trunk."""
        import torch

        buffer = io.BytesIO()
        torch.save(dict(trunk), buffer)
        self.outgoing = buffer.getvalue()


def _content(path: Path) -> bytes:
    with opened_regular(path) as file:
        return file.read()


def _read(content: bytes, name: str) -> Mapping[str, Tensor]:
    import torch

    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if isinstance(loaded, dict) and all(isinstance(value, torch.Tensor) for value in loaded.values()):
            return loaded
        reason = f"it holds a {type(loaded).__name__}"
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).split("\n", 1)[0]
    raise MtlbenchError(
        f"init_from {name}: expected a dictionary of tensors as in checkpoints/ of a results folder, got another file: "
        f"{reason}"
    )
