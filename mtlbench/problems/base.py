"""The interface of problems: tasks and their splits, a pure function of the seed."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from ..core.config import Config
from ..core.task import Data, Outline


class Problem(Config):
    """Tasks with training, validation and test splits.

    The fields are the keys of the suite file. ``root`` is the folder of the suite file; paths are relative to it.
    ``load`` is pure: the same seed gives the same bytes on every machine.
    """

    @classmethod
    def write_example(cls, folder: Path) -> dict[str, Any]:
        """Write the files of a small example to a folder and return the parameters that read them; deterministic.

        A problem without files has only an ``example``.
        """
        return cls.example()

    def files(self, root: Path) -> tuple[Path, ...]:
        """The files that the data depend on; if one changes, the trials run again.

        Raises DataError for a file that is missing or cannot be read.
        """
        return ()

    @abstractmethod
    def outline(self, root: Path) -> Outline:
        """Tasks, input shape and number of rows, cheaply. Raises DataError for every fault that shows already here."""

    @abstractmethod
    def load(self, seed: int, root: Path) -> Data:
        """The splits of one seed. Raises DataError."""

    @model_serializer(mode="wrap")
    def _without_empty_choices(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Metrics and losses are part of a trial's identity only where some are chosen: problems got these parameters
        later, and their trials keep their identity.
        """
        return {name: value for name, value in plain(self).items() if value or name not in ("metrics", "losses")}
