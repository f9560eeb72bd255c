"""The durable truth of a run: one atomic JSON file a trial, and the data frames made from them."""

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
from .core.parts import columns, coordinates
from .core.record import Result
from .core.trial import KernelTrial, TrainTrial, Trial, trial_from_json
from .core.yaml_writer import to_yaml

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS_OF_RECORD = ("split", "task", "metric", "value", "unit", "higher_is_better", "step", "main")


@dataclass(frozen=True)
class Stored:
    """A trial as it is on disk: its last result, the failed attempts before it, and whether its trunk was kept."""

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
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only their owner may read
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
        """Keep a result durably; a failed attempt is remembered when a later one replaces it. ``trunk`` is written
        first, so that a finished trial has it.
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
        """What is kept of a trial; None where there is nothing readable, so that it runs again."""
        return self._read(self.path(trial_id))

    def result(self, trial: Trial) -> Result:
        """How a trial of a suite stands: as it ended last, missing, or failed where nothing could be chosen for it."""
        if trial.labels.waiting:
            return Result("missing", attempt=0, error="waits for its candidates, which have not all run")
        stored = self.find(trial.id)
        result = stored.result if stored else Result("missing", attempt=0)
        return replace(result, status="failed", error=trial.labels.unchosen) if trial.labels.unchosen else result

    def all(self) -> Iterator[Stored]:
        """Every readable trial in the folder, whether or not today's suite still asks for it; without its records,
        which a plan over thousands of trials has no use for.
        """
        for path in sorted((self.folder / "trials").glob("*.json")):
            stored = self._read(path, with_records=False)
            if stored:
                yield stored

    def _read(self, path: Path, with_records: bool = True) -> Stored | None:
        try:
            content = json.loads(path.read_text())
            result = content["result"] if with_records else {**content["result"], "records": ()}
            failures = tuple(Result.from_json(failure) for failure in content["failures"])
            trial = trial_from_json(content["trial"])
            return Stored(trial, Result.from_json(result), failures, self.trunk_path(trial.id).exists())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return None  # not ours, cut short by a full disk, or of another version: the trial runs again

    def write_index(
        self,
        trials: Iterable[Trial],
        suite: dict[str, Any],
        command: str = "",
        root: Path | None = None,
        profile: str = "",
    ) -> None:
        """Keep the suite as it was resolved (for people: suite.yaml, which says from which folder its paths start) and,
        for reports, its trials in order, the command that ran it and the profile it was run with.
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
        """The trials and the resolved suite of the last run. Raises MtlbenchError where there was none."""
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
        """Hold the folder for one run at a time; a second run is refused instead of mixing with the first."""
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
        """Data frames of these trials, labelled as the suite labels them today."""
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
        columns = [*_label_columns(), *_COLUMNS_OF_RECORD]
        records = pd.DataFrame(facts, columns=columns).astype({"value": "float64", "higher_is_better": "boolean"})
        return Frames(records, pd.DataFrame(rows), environments)


@dataclass(frozen=True)
class Frames:
    """All that a report may see: facts, trials and the environments they ran in."""

    records: pd.DataFrame
    trials: pd.DataFrame
    environments: dict[str, dict[str, Any]]

    def write(self, folder: Path, suite: Mapping[str, Any]) -> None:
        """Write ``records.parquet`` (one row a fact), ``trials.parquet`` (one row a trial) and ``run.json`` (resolved
        suite and environments), which together hold all that a report needs.
        """
        import io

        for name, frame in (("records", self.records), ("trials", self.trials)):
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            write_atomically(folder / f"{name}.parquet", buffer.getvalue())
        run = {"suite": suite, "environments": self.environments}
        write_atomically(folder / "run.json", json.dumps(run, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> tuple[Frames, dict[str, Any]]:
        """What ``write`` wrote. Raises MtlbenchError where a file is missing or unreadable."""
        import pandas as pd

        try:
            run = json.loads((folder / "run.json").read_text())
            records, trials = (pd.read_parquet(folder / f"{name}.parquet") for name in ("records", "trials"))
            return cls(records, trials, run["environments"]), run["suite"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MtlbenchError(
                f"{folder}: expected run.json, records.parquet and trials.parquet as `mtlbench run` writes them, since "
                f"there is no trials/; got {error}"
            ) from error


def environment_id(environment: dict[str, Any]) -> str:
    """A short name for an environment: equal environments, equal names."""
    if not environment:
        return ""
    return hashlib.sha256(json.dumps(environment, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _specs(trial: Trial) -> Mapping[str, Mapping[str, Any]]:
    """The parts of a training by the trial's names for them; a kernel trial has none."""
    return trial.parts if isinstance(trial, TrainTrial) else {}


def trial_labels(trial: Trial, attempt: int, environment: str) -> dict[str, Any]:
    """The columns that say which trial a row belongs to."""
    labels, specs = trial.labels, _specs(trial)
    return {
        "trial": trial.id,
        "kind": trial.kind,
        "suite": labels.suite,
        "problem": trial.problem_name,
        "method": labels.method,
        "baseline": labels.baseline,
        **{key: specs.get(key, {}).get("name", "") for key in columns()},
        "engine": trial.way,
        "role": labels.role,
        "choice": labels.choice,
        "part": trial.part if isinstance(trial, TrainTrial) else "",
        "seed": trial.seed,
        "attempt": attempt,
        "environment": environment,
    }


def _label_columns() -> list[str]:
    """The names of these columns, for frames without a row."""
    return list(trial_labels(KernelTrial(seed=0, kernel={}), 0, ""))


def _trial_row(labels: dict[str, Any], trial: Trial, result: Result) -> dict[str, Any]:
    return {
        **labels,
        "title": trial.title,
        "tasks": ",".join(trial.tasks if isinstance(trial, TrainTrial) else ()),
        "settings": json.dumps({name: dict(_specs(trial).get(name, {})) for name in coordinates()}),
        "status": result.status,
        "error": result.error,
        "traceback": result.traceback,
        "shared": result.shared,
        "exclusive": trial.labels.exclusive,
        "seconds": result.seconds,
        "notes": "\n".join(result.notes),
    }
