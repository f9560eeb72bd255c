"""The file of one trial: what is written to it, and the one way to read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..core.convergence import TOTALS, ending
from ..core.record import VERSION, Result
from ..core.record_versions import SEALED, modernised
from ..core.settings import Train
from ..core.statuses import ENDED_BADLY, ENDED_WELL
from ..core.trial import Labels, TrainTrial, Trial, trial_from_json
from .sealed import MALFORMED, NotBelievedError, read_sealed, sealed

_RESULT, _LABELS = TypeAdapter(Result), TypeAdapter(Labels)
_MOST_ATTEMPTS, _EXACT = 1_000_000, 2**53  # beyond the latter a float skips whole numbers


@dataclass(frozen=True)
class Stored:
    """A trial as it is on disk: its last result, the failed attempts before it, whether its trunk was saved,
    whether a cap ended its training too early (``core.convergence``; None where nothing can say), and its file's seal.
    """

    trial: Trial
    result: Result
    failures: tuple[Result, ...] = ()
    trunk: bool = False
    undertrained: bool | None = None
    seal: str = ""


@dataclass(frozen=True)
class Refused:
    """A file among the trials that is not believed: ``why`` in short, fit for a file's name, and ``told`` in words."""

    path: Path
    why: str
    told: str


def text_of(trial: Trial, result: Result, failures: tuple[Result, ...]) -> str:
    """The content of a trial's file."""
    return sealed(
        {
            "version": VERSION,
            "trial": trial.to_json(),
            "result": plain(result),
            "failures": [plain(failure) for failure in failures],
        }
    )


def plain(result: Result) -> dict[str, Any]:
    """``Result.to_json`` for who writes it at once: not a copy, which takes long to make of many records."""
    return {**vars(result), "records": [vars(record) for record in result.records]}


def read_trial(path: Path, with_records: bool = True) -> Stored:
    """What a trial's file says; its trunk is another file.

    Every file that is believed has its trial's id for a name, a version that is known, from version 3 on the checksum
    of its content, and the right type in every field. Raises FileNotFoundError, NotBelievedError.
    """
    content, seal = read_sealed(path)
    try:
        version = _version(content, bool(seal))
        trial = _trial(content["trial"])
        if trial.id != path.stem:
            raise NotBelievedError("another-trial", f"expected trial {path.stem}, got {trial.id}")
        if version < SEALED:
            trial = replace(trial, sources="")  # nobody kept account of its code
        raw, tasks = content["result"], content["trial"].get("tasks", ())
        if seal and not with_records:  # which says that its records are as they were written
            raw = {**raw, "records": _of_ending(raw.get("records", ()))}
        result, *failures = (_result(modernised(one, tasks)) for one in (raw, *content["failures"]))
        found = ending(content["trial"].get("train", {}), (one for one in result.records if one.split != "train"))
    except MALFORMED as error:
        told = f"expected a trial as mtlbench writes it, got {type(error).__name__}"
        raise NotBelievedError("malformed", told) from error
    kept = result if with_records else replace(result, records=())
    return Stored(trial, kept, tuple(failures), undertrained=found.undertrained if found else None, seal=seal)


def _version(content: Mapping[str, Any], is_sealed: bool) -> int:
    """The version of a file, which its result carries too. Raises NotBelievedError."""
    version = content.get("version", content["result"]["version"])
    if type(version) is not int or not 1 <= version <= VERSION or version != content["result"]["version"]:
        told = f"expected version 1 to {VERSION}, got {str(version)[:20]}"
        raise NotBelievedError("version-unknown", f"{told}: made by a later mtlbench?")
    if version >= SEALED and not is_sealed:
        raise NotBelievedError("checksum-missing", f"expected a checksum from version {SEALED} on, got none")
    return version


def _trial(value: Mapping[str, Any]) -> Trial:
    trial = trial_from_json(value)
    _LABELS.validate_json(json.dumps(trial.labels.to_json() | {"problem": trial.labels.problem}), strict=True)
    texts = [trial.device, trial.code, trial.sources]
    if isinstance(trial, TrainTrial):
        Train.from_plain(trial.parts["train"] or {})
        texts += [trial.engine, trial.data, trial.problem["name"], *trial.tasks]
    if not all(isinstance(text, str) for text in texts) or type(trial.seed) is not int:
        raise TypeError("coordinates of another type")
    return trial


def _result(value: Mapping[str, Any]) -> Result:
    """A result with the right type in every field. Raises ValueError."""
    result = _RESULT.validate_json(json.dumps(value), strict=True)
    plain = all(_is_plain(fact) for fact in result.environment.values())
    if (
        result.status not in ENDED_WELL | ENDED_BADLY
        or not 1 <= result.attempt <= _MOST_ATTEMPTS
        or not (isfinite(result.seconds) and result.seconds >= 0)
        or not 0 <= result.peak_memory <= _EXACT
        or not all(abs(record.step) <= _EXACT for record in result.records)
        or not plain
    ):
        raise ValueError("a result that no trial has")
    return result


def _is_plain(value: Any, depth: int = 2) -> bool:
    """Whether an entry of an environment is no deeper than any that is recorded."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_plain(one, depth - 1) for one in inner)
    return True


def _of_ending(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What the records of a trial's file say of how its training ended; the many others are passed over."""
    return [one for one in records if one["metric"] in ("loss", *TOTALS) and one["split"] != "train"]
