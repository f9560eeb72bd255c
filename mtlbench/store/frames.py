"""What reports see of a run: facts and trials as data frames."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import MtlbenchError
from ..core.parts import columns, coordinates
from ..core.record import Result
from ..core.regular import opened_regular
from ..core.trial import FRONTIER, KernelTrial, TrainTrial, Trial
from .facts import Facts, Kind, Kinds
from .files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS_OF_RECORD = ("split", "task", "other", "metric", "value", "unit", "higher_is_better", "step", "main")
_LIKE = Kind("", "", "", "", None, False, "")  # a value of each one's type, None for yes, no or unknown
_LISTS = ("tasks", "notes")  # columns of trials that hold tuples


@dataclass(frozen=True)
class Frames:
    """All that a report may see: facts, trials and the environments they ran in."""

    records: pd.DataFrame
    trials: pd.DataFrame
    environments: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, results: Iterable[tuple[Trial, Result, Facts]], kinds: Kinds) -> Frames:
        """Frames of trials, how they stand and what their records say; words of records are categories."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        facts: list[Facts] = []
        environments: dict[str, dict[str, Any]] = {}
        texts: dict[str, str] = {}  # equal settings are one text
        for trial, result, found in results:
            environment = environment_id(result.environment)
            if result.environment:
                environments[environment] = result.environment
            rows.append(_trial_row(trial_labels(trial, result.attempt, environment), trial, result, texts))
            facts.append(found if result.ok else found.nothing)
        return cls(_records(rows, facts, kinds), pd.DataFrame(rows), environments)

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


def _records(trials: Sequence[Mapping[str, Any]], facts: Sequence[Facts], kinds: Kinds) -> pd.DataFrame:
    """One row per fact. A word is kept once, whatever the number of rows that say it."""
    import numpy as np
    import pandas as pd

    def joined(name: str, dtype: type) -> Any:
        return np.concatenate([np.empty(0, dtype), *(getattr(each, name) for each in facts)], dtype=dtype)

    trial = np.repeat(np.arange(len(facts), dtype=np.int32), [len(each) for each in facts])
    kind, of_kind = joined("kind", np.int32), list(kinds)
    columns = {name: _column([each[name] for each in trials], trial, like) for name, like in _like_labels().items()}
    for name in _COLUMNS_OF_RECORD:
        if name in Kind._fields:
            columns[name] = _column([getattr(each, name) for each in of_kind], kind, getattr(_LIKE, name))
        else:
            columns[name] = joined(name, np.float64 if name == "value" else np.int64)
    return pd.DataFrame(columns)


def _column(values: Sequence[Any], places: Any, like: Any) -> Any:
    """The column that has a value of ``values`` at each place: words as categories in alphabetical order."""
    import numpy as np
    import pandas as pd

    if like is None:
        return pd.array(values, dtype="boolean")[places]
    if not isinstance(like, str):
        return np.array(values, dtype=type(like))[places]
    names = sorted(set(values))
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number[value] for value in values], dtype=np.min_scalar_type(-len(names) - 1))
    return pd.Categorical.from_codes(codes[places], pd.Index(names, dtype="str"))


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


def _like_labels() -> dict[str, Any]:
    """These columns with a value of each one's type."""
    return trial_labels(KernelTrial(seed=0, kernel={}), 0, "")


def _trial_row(labels: dict[str, Any], trial: Trial, result: Result, texts: dict[str, str]) -> dict[str, Any]:
    settings = json.dumps({name: dict(_specs(trial).get(name, {})) for name in coordinates()})
    return {
        **labels,
        "title": trial.title,
        "tasks": trial.tasks if isinstance(trial, TrainTrial) else (),
        "settings": texts.setdefault(settings, settings),
        "status": result.status,
        "error": result.error,
        "traceback": result.traceback,
        "shared": result.shared,
        "exclusive": trial.labels.exclusive,
        "seconds": result.seconds,
        "peak_memory": result.peak_memory,
        "notes": result.notes,
    }
