"""The durable truth of a run: one JSON file per trial, written atomically, and the data frames made from them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.errors import MtlbenchError
from .core.record import Result
from .core.record_versions import modernised
from .core.trial import PARTS, Trial
from .core.yaml_writer import to_yaml

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS_OF_TRIAL = (
    "suite",
    "problem",
    "method",
    "baseline",
    "architecture",
    "weighting",
    "engine",
    "optimizer",
    "role",
    "choice",
    "part",
)
_COLUMNS_OF_RECORD = ("split", "task", "other", "metric", "value", "unit", "higher_is_better", "step", "main")


@dataclass(frozen=True)
class Stored:
    """A trial as it is on disk: its last result, the failed attempts before it, and whether its trunk was saved."""

    trial: Trial
    result: Result
    failures: tuple[Result, ...] = ()
    trunk: bool = False


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: temporary file in the same folder, fsync, rename, fsync of the folder."""
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp creates files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
        if trial.waiting:
            return Result("missing", attempt=0, error="waits for its candidates, which have not all run")
        stored = self.find(trial.id)
        result = stored.result if stored else Result("missing", attempt=0)
        return replace(result, status="failed", error=trial.unchosen) if trial.unchosen else result

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
            trial, tasks = Trial.from_json(content["trial"]), content["trial"].get("tasks", ())
            result, *failures = (Result.from_json(modernised(one, tasks)) for one in (last, *content["failures"]))
            return Stored(trial, result, tuple(failures), self.trunk_path(trial.id).exists())
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
            return tuple(map(Trial.from_json, content["trials"])), content["suite"]
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

    def frames(self, trials: Iterable[Trial]) -> Frames:
        """Data frames of these trials, labelled as the current suite labels them."""
        import pandas as pd

        facts: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        environments: dict[str, dict[str, Any]] = {}
        for trial in trials:
            result = self.result(trial)
            environment = environment_id(result.environment)
            if result.environment:
                environments[environment] = result.environment
            labels = trial_labels(trial, result.attempt, environment)
            rows.append(_trial_row(labels, trial, result))
            facts += [{**labels, **asdict(record)} for record in result.records if result.ok]
        columns = [*trial_labels(None, 0, ""), *_COLUMNS_OF_RECORD]
        records = pd.DataFrame(facts, columns=columns).astype({"value": "float64", "higher_is_better": "boolean"})
        return Frames(records, pd.DataFrame(rows), environments)


@dataclass(frozen=True)
class Frames:
    """All that a report may see: facts, trials and the environments they ran in."""

    records: pd.DataFrame
    trials: pd.DataFrame
    environments: dict[str, dict[str, Any]]

    def write(self, folder: Path) -> None:
        """Write ``records.parquet``: one row per fact."""
        import io

        buffer = io.BytesIO()
        self.records.to_parquet(buffer, index=False)
        write_atomically(folder / "records.parquet", buffer.getvalue())


def environment_id(environment: dict[str, Any]) -> str:
    """A short name for an environment; equal environments have equal names."""
    if not environment:
        return ""
    return hashlib.sha256(json.dumps(environment, sort_keys=True, default=str).encode()).hexdigest()[:8]


def trial_labels(trial: Trial | None, attempt: int, environment: str) -> dict[str, Any]:
    """The columns that say which trial a row belongs to (``trial=None`` gives their names alone)."""
    if trial is None:
        names = ("trial", "kind", *_COLUMNS_OF_TRIAL, "seed", "attempt", "environment")
        return dict.fromkeys(names)
    values = {name: getattr(trial, name) for name in _COLUMNS_OF_TRIAL}
    values = {name: value.get("name", "") if isinstance(value, Mapping) else value for name, value in values.items()}
    values |= {"problem": trial.problem_name, "engine": trial.way}
    return {
        "trial": trial.id,
        "kind": trial.kind,
        **values,
        "seed": trial.seed,
        "attempt": attempt,
        "environment": environment,
    }


def _trial_row(labels: dict[str, Any], trial: Trial, result: Result) -> dict[str, Any]:
    return {
        **labels,
        "tasks": trial.tasks,
        "settings": json.dumps({part: dict(getattr(trial, part)) for part in PARTS}),
        "status": result.status,
        "error": result.error,
        "traceback": result.traceback,
        "shared": result.shared,
        "exclusive": trial.exclusive,
        "seconds": result.seconds,
        "notes": result.notes,
    }
