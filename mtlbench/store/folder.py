"""The durable truth of a run: one JSON file per trial, written atomically, and the data frames made from them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.convergence import TOTALS, ending
from ..core.errors import MtlbenchError
from ..core.record import Record, Result
from ..core.record_versions import modernised
from ..core.trial import Trial, trial_from_json
from ..core.yaml_writer import to_yaml
from .files import write_atomically
from .frames import Frames


@dataclass(frozen=True)
class Stored:
    """A trial as it is on disk: its last result, the failed attempts before it, whether its trunk was saved, and
    whether a cap ended its training too early (``core.convergence``; None where nothing can say).
    """

    trial: Trial
    result: Result
    failures: tuple[Result, ...] = ()
    trunk: bool = False
    undertrained: bool | None = None


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
        failures = [*before.failures, before.result] if before and not before.result.ok else []
        if before and before.result.ok:
            failures = list(before.failures)
        content = {
            "trial": trial.to_json(),
            "result": result.to_json(),
            "failures": [failure.to_json() for failure in failures],
        }
        write_atomically(path, json.dumps(content) + "\n")

    def find(self, trial_id: str) -> Stored | None:
        """What is stored about a trial; None if there is nothing readable, so that it runs again."""
        return self._read(self.path(trial_id))

    def result(self, trial: Trial) -> Result:
        """The state of a trial of a suite: its last result, missing, or failed if nothing could be chosen for it."""
        if trial.labels.waiting:
            return Result("missing", attempt=0, error="waits for its candidates, which have not all run")
        stored = self.find(trial.id)
        result = stored.result if stored else Result("missing", attempt=0)
        return replace(result, status="failed", error=trial.labels.unchosen) if trial.labels.unchosen else result

    def all(self) -> Iterator[Stored]:
        """Every readable trial in the folder, whether or not the current suite still contains it; without its records,
        which a plan over thousands of trials does not need.
        """
        for path in sorted((self.folder / "trials").glob("*.json")):
            stored = self._read(path, with_records=False)
            if stored:
                yield stored

    def _read(self, path: Path, with_records: bool = True) -> Stored | None:
        try:
            content = json.loads(path.read_text())
            last = content["result"] if with_records else {**content["result"], "records": ()}
            trial, tasks = trial_from_json(content["trial"]), content["trial"].get("tasks", ())
            result, *failures = (Result.from_json(modernised(one, tasks)) for one in (last, *content["failures"]))
            return Stored(trial, result, tuple(failures), self.trunk_path(trial.id).exists(), _undertrained(content))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return None  # foreign, truncated by a full disk, or of a later version: the trial runs again

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
        content = {"suite": {**suite, **run}, "trials": [trial.to_json() for trial in trials]}
        write_atomically(self.folder / "index.json", json.dumps(content) + "\n")

    def index(self) -> tuple[tuple[Trial, ...], dict[str, Any]]:
        """The trials and the resolved suite of the last run. Raises MtlbenchError if there was none."""
        path = self.folder / "index.json"
        try:
            content = json.loads(path.read_text())
            return tuple(map(trial_from_json, content["trials"])), content["suite"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MtlbenchError(
                f"{self.folder}: expected a results folder written by `mtlbench run`, got no readable index.json"
            ) from error

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
        return Frames.of((trial, self.result(trial)) for trial in trials)


def _undertrained(content: Mapping[str, Any]) -> bool | None:
    """What the records of a trial's file say of how its training ended; the many others are passed over."""
    told = (record for record in content["result"].get("records", ()) if record["metric"] in ("loss", *TOTALS))
    facts = (Record(**record) for record in told if record["split"] != "train")
    found = ending(content["trial"].get("train", {}), facts)
    return found.undertrained if found else None
