"""The durable truth of a run: one JSON file per trial, written atomically, and the data frames made from them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import MtlbenchError
from ..core.record import VERSION, Result
from ..core.sources import Manifest, manifest_digest
from ..core.trial import Trial, trial_from_json
from ..core.yaml_writer import to_yaml
from .facts import Kinds
from .files import write_atomically
from .frames import Frames
from .sealed import MALFORMED, NotBelievedError, read_sealed, sealed
from .trial_files import Refused, Stored, read_trial, text_of


class Contents(NamedTuple):
    """All that a folder holds: trials without their records, and files among them that are not believed."""

    stored: tuple[Stored, ...]
    refused: tuple[Refused, ...]


class Store:
    """The folder ``results/<suite>``. Any prefix of a run, killed anywhere, is readable and resumable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, trial_id: str) -> Path:
        """The file of one trial."""
        return self.folder / "trials" / f"{trial_id}.json"

    def trunk_path(self, trial_id: str) -> Path:
        """The file of the trunk that one trial trained."""
        return self.folder / "checkpoints" / f"{trial_id}.pt"

    def trunk(self, trial_id: str) -> bytes:
        """The content of that file; b"" where there is none."""
        try:
            return self.trunk_path(trial_id).read_bytes()
        except FileNotFoundError:
            return b""

    def write(self, trial: Trial, result: Result, trunk: bytes = b"") -> None:
        """Store a result durably. Failed attempts that it replaces stay on record. ``trunk`` is written before the
        result, so that a trial that counts as finished always has its trunk.
        """
        if trunk:
            self.trunk_path(trial.id).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.trunk_path(trial.id), trunk)
        path = self.path(trial.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = self.find(trial.id)
        failures = before.failures if before else ()
        if before and not before.result.ok:
            failures = (*failures, before.result)
        write_atomically(path, text_of(trial, result, failures))

    def find(self, trial_id: str) -> Stored | None:
        """What is stored about a trial; None if there is nothing that can be believed, so that it runs again."""
        found = self._read(self.path(trial_id))
        return found if isinstance(found, Stored) else None

    def current(self, trial: Trial) -> Stored | None:
        """What is stored about a trial, if the code made it that would make it now; None otherwise."""
        stored = self.find(trial.id)
        return stored if stored and stored.trial.sources == trial.sources else None

    def result(self, trial: Trial) -> Result:
        """The state of a trial of a suite: its last result, missing, or failed if nothing could be chosen for it."""
        if trial.labels.waiting:
            return Result("missing", attempt=0, error="waits for its candidates, which have not all run")
        stored = self.current(trial)
        result = stored.result if stored else Result("missing", attempt=0)
        return replace(result, status="failed", error=trial.labels.unchosen) if trial.labels.unchosen else result

    def contents(self) -> Contents:
        """Every file among the trials, whether or not the current suite still contains its trial."""
        found = [self._read(path, with_records=False) for path in sorted((self.folder / "trials").glob("*.json"))]
        stored = tuple(one for one in found if isinstance(one, Stored))
        return Contents(stored, tuple(one for one in found if isinstance(one, Refused)))

    def _read(self, path: Path, with_records: bool = True) -> Stored | Refused | None:
        try:
            stored = read_trial(path, with_records)
        except FileNotFoundError:
            return None
        except NotBelievedError as error:
            return Refused(path, error.why, str(error))
        return replace(stored, trunk=self.trunk_path(stored.trial.id).exists())

    def set_aside(self) -> tuple[Path, ...]:
        """Rename everything under a file's name of this folder that is not believed, so that it is in nobody's way:
        ``<id>.checksum-differs``, ``<id>.malformed`` … Nothing is deleted.
        """
        refused = list(self.contents().refused)
        with contextlib.suppress(FileNotFoundError):
            try:
                self._index()
            except NotBelievedError as error:
                refused.append(Refused(self._index_path, error.why, str(error)))
        return tuple(_renamed(one.path, one.why) for one in refused)

    def keep_sources(self, manifests: Iterable[Manifest]) -> None:
        """Keep what the ``sources`` of trials stand for, so that a later plan can say what has changed."""
        folder = self.folder / "sources"
        folder.mkdir(parents=True, exist_ok=True)
        for manifest in manifests:
            path = folder / f"{manifest_digest(manifest)}.json"
            if not self.manifest(path.stem):
                write_atomically(path, sealed(dict(manifest)))

    def manifest(self, digest: str) -> Manifest:
        """What the ``sources`` of a trial stand for; {} where that was not kept."""
        try:
            content, _ = read_sealed(self.folder / "sources" / f"{digest}.json")
        except (FileNotFoundError, NotBelievedError):
            return {}
        return content if manifest_digest(content) == digest else {}

    def write_index(
        self,
        trials: Iterable[Trial],
        suite: dict[str, Any],
        command: str = "",
        root: Path | None = None,
        profile: str = "",
    ) -> None:
        """Write the resolved suite (suite.yaml, for people; it says which folder its paths are relative to) and, for
        reports, its trials in order, the command that ran it and the profile it was run with (index.json).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        start = os.path.relpath(root, self.folder.resolve()) if root else "."
        head = (
            "# The suite as it ran, every default filled in. Relative paths start at the folder of the suite file,\n"
            f"# from here {start}: to run this copy, put it there (other paths would make other trials).\n"
        )
        write_atomically(self.folder / "suite.yaml", head + to_yaml(suite))
        run = {"command": command, **({"profile": profile} if profile else {})}
        content = {"version": VERSION, "suite": {**suite, **run}, "trials": [trial.to_json() for trial in trials]}
        write_atomically(self._index_path, sealed(content))

    @property
    def _index_path(self) -> Path:
        return self.folder / "index.json"

    def index(self) -> tuple[tuple[Trial, ...], dict[str, Any]]:
        """The trials and the resolved suite of the last run. Raises MtlbenchError if there was none."""
        try:
            return self._index()
        except (OSError, NotBelievedError) as error:
            reason = f" ({error})" if isinstance(error, NotBelievedError) else ""
            raise MtlbenchError(
                f"{self.folder}: expected a results folder written by `mtlbench run`, got no readable "
                f"index.json{reason}; `mtlbench run` writes it again from the suite"
            ) from error

    def _index(self) -> tuple[tuple[Trial, ...], dict[str, Any]]:
        content, seal = read_sealed(self._index_path)
        if not seal or content.get("version") != VERSION:
            raise NotBelievedError("version-unknown", f"expected version {VERSION} with its checksum")
        try:
            return tuple(map(trial_from_json, content["trials"])), dict(content["suite"])
        except MALFORMED as error:
            raise NotBelievedError("malformed", f"expected trials and a suite, got {type(error).__name__}") from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Reserve the folder for one run at a time; a second run is refused rather than mixed with the first."""
        import fcntl

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise MtlbenchError(
                    f"{self.folder}: another mtlbench run is writing here; wait for it, or choose another --out"
                ) from error
            yield

    def read(self) -> tuple[Frames, dict[str, Any]]:
        """The frames and the resolved suite of the last run: from the trials' files or, where ``trials/`` was left out
        of a copy, from what ``Frames.write`` keeps. Raises MtlbenchError where there is neither.
        """
        if not (self.folder / "trials").is_dir() and (self.folder / "run.json").exists():
            return Frames.read(self.folder)
        trials, suite = self.index()
        return self.frames(trials), suite

    def frames(self, trials: Iterable[Trial]) -> Frames:
        """Data frames of these trials, labelled as the current suite labels them."""
        kinds = Kinds()
        found = ((trial, self.result(trial)) for trial in trials)
        return Frames.of(((trial, result, kinds.facts(result.records)) for trial, result in found), kinds)


def _renamed(path: Path, why: str) -> Path:
    """Give a file that is not believed a name that says why, and that nothing else has."""
    numbers = ("", *(f"-{number}" for number in range(2, 10_000)))
    aside = next(p for p in (path.with_suffix(f".{why}{number}") for number in numbers) if not os.path.lexists(p))
    return path.rename(aside)
