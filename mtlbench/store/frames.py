"""What reports see of a run: facts and trials as data frames."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import MtlbenchError
from ..core.parts import columns, coordinates
from ..core.record import Result
from ..core.regular import opened_regular
from ..core.trial import FRONTIER, KernelTrial, TrainTrial, Trial
from .files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS_OF_RECORD = ("split", "task", "other", "metric", "value", "unit", "higher_is_better", "step", "main")
_LISTS = ("tasks", "notes")  # columns of trials that hold tuples


@dataclass(frozen=True)
class Frames:
    """All that a report may see: facts, trials and the environments they ran in."""

    records: pd.DataFrame
    trials: pd.DataFrame
    environments: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, results: Iterable[tuple[Trial, Result]]) -> Frames:
        """Frames of trials and how they stand."""
        import pandas as pd

        facts: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        environments: dict[str, dict[str, Any]] = {}
        for trial, result in results:
            environment = environment_id(result.environment)
            if result.environment:
                environments[environment] = result.environment
            labels = trial_labels(trial, result.attempt, environment)
            rows.append(_trial_row(labels, trial, result))
            facts += [{**labels, **asdict(record)} for record in result.records if result.ok]
        columns = [*_label_columns(), *_COLUMNS_OF_RECORD]
        records = pd.DataFrame(facts, columns=columns).astype({"value": "float64", "higher_is_better": "boolean"})
        return cls(records, pd.DataFrame(rows), environments)

    def write(self, folder: Path, suite: Mapping[str, Any]) -> None:
        """Write ``records.parquet`` (one row per fact), ``trials.parquet`` (one row per trial) and ``run.json``
        (resolved suite and environments), which together hold all that a report needs.
        """
        for name, frame in (("records", self.records), ("trials", self.trials)):
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False, compression="zstd")
            write_atomically(folder / f"{name}.parquet", buffer.getvalue())
        run = {"suite": suite, "environments": self.environments}
        write_atomically(folder / "run.json", json.dumps(run, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> tuple[Frames, dict[str, Any]]:
        """What ``write`` wrote. Raises MtlbenchError where a file is missing or unreadable."""
        import pandas as pd

        try:
            with opened_regular(folder / "run.json") as file:
                run = json.load(file)
            with opened_regular(folder / "records.parquet") as file:
                records = pd.read_parquet(file)
            with opened_regular(folder / "trials.parquet") as file:
                trials = pd.read_parquet(file)
            trials = trials.assign(**{name: trials[name].map(tuple) for name in _LISTS})
            trials = trials.assign(peak_memory=trials.get("peak_memory", 0))  # which was not kept once
            return cls(_with_points(records), _with_points(trials), run["environments"]), run["suite"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MtlbenchError(
                f"{folder}: expected run.json, records.parquet and trials.parquet as `mtlbench run` writes them, since "
                f"there is no trials/; got {error}"
            ) from error


def _with_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame as it would be written today: once, the points of a frontier had their names as choices."""
    if "point" in frame:
        return frame
    points = frame["role"] == FRONTIER
    return frame.assign(point=frame["choice"].where(points, ""), choice=frame["choice"].where(~points, ""))


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
        "reference": labels.reference,
        "apart": labels.baseline or labels.apart,
        **{key: specs.get(key, {}).get("name", "") for key in columns()},
        "engine": trial.way,
        "role": labels.role,
        "point": labels.point,
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
        "tasks": trial.tasks if isinstance(trial, TrainTrial) else (),
        "settings": json.dumps({name: dict(_specs(trial).get(name, {})) for name in coordinates()}),
        "status": result.status,
        "error": result.error,
        "traceback": result.traceback,
        "shared": result.shared,
        "exclusive": trial.labels.exclusive,
        "seconds": result.seconds,
        "peak_memory": result.peak_memory,
        "notes": result.notes,
    }
