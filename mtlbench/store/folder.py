"""The durable truth of a run: one JSON file per trial, written atomically, and the data frames made from them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..core.errors import MtlbenchError
from ..core.record import VERSION, Result
from ..core.regular import opened_regular
from ..core.sources import Manifest, manifest_digest
from ..core.statuses import FAILED, MISSING
from ..core.trial import Trial
from ..core.yaml_writer import to_yaml
from .columns import Columns
from .contents import AT_ONCE, look_through, read_file
from .facts import Facts, Kinds
from .files import write_atomically
from .frames import Frames
from .sealed import MALFORMED, NotBelievedError, read_sealed, sealed
from .templates import packed, unpacked
from .trial_files import Refused, Stored, read_trial, text_of


class Contents(NamedTuple):
    """All that a folder holds: trials without their records, and files among them that are not believed."""

    stored: tuple[Stored, ...]
    refused: tuple[Refused, ...]


class Store:
    """The folder ``results/<suite>``. Any prefix of a run, killed anywhere, is readable and resumable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: list[Path] = []  # what the columns lack

    def path(self, trial_id: str) -> Path:
        """The file of one trial."""
        return self.folder / "trials" / f"{trial_id}.json"

    def trunk_path(self, trial_id: str) -> Path:
        """The file of the trunk that one trial trained."""
        return self.folder / "checkpoints" / f"{trial_id}.pt"

    def trunk(self, trial_id: str) -> bytes:
        """The content of that file; b"" where there is none."""
        try:
            with opened_regular(self.trunk_path(trial_id)) as file:
                return file.read()
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
        self._written.append(path)
        if len(self._written) >= AT_ONCE:
            self.keep_columns()

    def keep_columns(self) -> None:
        """Add the trials that were written since the last time to the columns."""
        kinds = Kinds()
        found = [read_file(path, kinds) for path in self._written]
        Columns(self.folder).append([one for one in found if one and not isinstance(one, Refused)], kinds)
        self._written = []

    def find(self, trial_id: str) -> Stored | None:
        """What is stored about a trial; None if there is nothing that can be believed, so that it runs again."""
        try:
            stored = read_trial(self.path(trial_id))
        except (FileNotFoundError, NotBelievedError):
            return None
        return replace(stored, trunk=self.trunk_path(trial_id).exists())

    def result(self, trial: Trial) -> Result:
        """The state of a trial of a suite: its last result, missing, or failed if nothing could be chosen for it."""
        return _standing(trial, self.find(trial.id))

    def contents(self, scores_of: Container[str] = ()) -> Contents:
        """Every file among the trials, whether or not the current suite still contains its trial.

        scores_of  ids of trials of which the records are wanted that candidates are chosen by
        """
        kinds, trunks = Kinds() if scores_of else None, self._trunks()
        stored: list[Stored] = []
        refused: list[Refused] = []
        for found in look_through(self.folder, kinds):
            if isinstance(found, Refused):
                refused.append(found)
                continue
            (one, facts), identity = found, found[0].trial.id
            if kinds is not None and facts and identity in scores_of:
                one = replace(one, result=replace(one.result, records=kinds.scoring(facts)))
            stored.append(replace(one, trunk=identity in trunks))
        by_id, by_path = sorted(stored, key=lambda one: one.trial.id), sorted(refused, key=lambda one: one.path)
        return Contents(tuple(by_id), tuple(by_path))

    def _trunks(self) -> set[str]:
        """The ids of the trials whose trunks were kept."""
        return {path.stem for path in (self.folder / "checkpoints").glob("*.pt")}

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
        content = {"version": VERSION, "suite": {**suite, **run}, **packed(trials)}
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
            return unpacked(content), dict(content["suite"])
        except MALFORMED as error:
            raise NotBelievedError("malformed", f"expected trials and a suite, got {type(error).__name__}") from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Reserve the folder for one run at a time; a second run is refused rather than mixed with the first."""
        import fcntl

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("ab") as file:  # of a link to another file nothing is lost
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
        kinds, listed = Kinds(), tuple(trials)
        asked = {trial.id for trial in listed}
        known: dict[str, tuple[Stored, Facts | None]] = {}
        for found in look_through(self.folder, kinds, keep=True):
            if not isinstance(found, Refused) and found[0].trial.id in asked:
                known[found[0].trial.id] = found
        nothing = kinds.facts(())

        def standing() -> Iterator[tuple[Trial, Result, Facts]]:
            for trial in listed:
                stored, facts = known.get(trial.id, (None, None))
                yield trial, _standing(trial, stored), facts or nothing

        return Frames.of(standing(), kinds)


def _standing(trial: Trial, stored: Stored | None) -> Result:
    """See ``Store.result``; ``stored`` is what there is of the trial, whatever code made it."""
    if trial.labels.waiting:
        return Result(MISSING, attempt=0, error="waits for its candidates, which have not all run")
    current = stored is not None and stored.trial.sources == trial.sources
    result = stored.result if stored and current else Result(MISSING, attempt=0)
    return replace(result, status=FAILED, error=trial.labels.unchosen) if trial.labels.unchosen else result


def _renamed(path: Path, why: str) -> Path:
    """Give a file that is not believed a name that says why, and that nothing else has."""
    numbers = ("", *(f"-{number}" for number in range(2, 10_000)))
    aside = next(p for p in (path.with_suffix(f".{why}{number}") for number in numbers) if not os.path.lexists(p))
    return path.rename(aside)
