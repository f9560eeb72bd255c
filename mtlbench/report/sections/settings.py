"""What was compared: the parts of each method in which methods differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import pandas as pd

from ...core.parts import coordinates, key_of
from ...core.wording import listing, shown
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, groups, rows
from ..writing.parts import Cell, Column, Panel, Table

_CAPTION = "The parts of each method, with the parameters in which methods differ; the others are in the suite."
Spec = Mapping[str, Any]


def settings(evidence: Evidence) -> Table | None:
    """One panel per problem, one row per method, without what all methods of the problem have in common."""
    data = evidence.data
    texts = {problem: _texts(data, problem) for problem in data.problems}
    if not texts:
        return None
    raw = pd.concat([frame.assign(problem=problem) for problem, frame in texts.items()], ignore_index=True)
    raw = raw[["problem", "method", *coordinates()]].rename(columns={name: key_of(name) for name in coordinates()})
    panels = tuple(_panel(problem, frame) for problem, frame in texts.items())
    caption = " ".join([_CAPTION, *_common(texts)])
    return Table("settings", "What was compared", caption, raw, panels)


def _texts(data: ReportData, problem: str) -> pd.DataFrame:
    """One row per method, one column per part, in words."""
    trials = data.trials[data.trials["problem"] == problem]
    made = {
        method: [json.loads(text or "{}") for text in group["settings"].unique()]
        for (method,), group in groups(trials, ["method"])
    }
    texts: dict[str, list[str]] = {"method": list(made)}
    for part in coordinates():
        specs = {method: _distinct(spec.get(part) or {} for spec in each) for method, each in made.items()}
        if part == "start":
            texts[part] = [
                listing(dict.fromkeys(_start(data, problem, spec) for spec in each), 4) for each in specs.values()
            ]
        else:
            differing = _differing([spec for each in specs.values() for spec in each])
            texts[part] = [_named(each, differing) for each in specs.values()]
    return pd.DataFrame(texts)


def _distinct(specs: Iterable[Spec]) -> list[Spec]:
    return list({json.dumps(spec, sort_keys=True): spec for spec in specs}.values())


def _differing(specs: list[Spec]) -> dict[str, list[str]]:
    """The parameters in which specs of one name differ, by that name."""
    ordered = sorted(specs, key=_name)
    return {name: _varied(list(same)) for name, same in groupby(ordered, key=_name)}


def _name(spec: Spec) -> str:
    return str(spec.get("name", ""))


def _varied(specs: list[Spec]) -> list[str]:
    keys = dict.fromkeys(key for spec in specs for key in spec)
    return [key for key in keys if len(_distinct({"": spec.get(key)} for spec in specs)) > 1]


def _named(specs: list[Spec], differing: Mapping[str, list[str]]) -> str:
    """``adam (lr=0.01 or 0.003)``; the seeds of a tuned method may have chosen differently."""
    texts = []
    for name, same in groupby(sorted(specs, key=_name), key=_name):
        each = list(same)
        values = {key: dict.fromkeys(shown(spec[key]) for spec in each if key in spec) for key in differing[name]}
        inner = ", ".join(f"{key}={' or '.join(options)}" for key, options in values.items() if options)
        texts.append(f"{name} ({inner})" if name and inner else name or inner)
    return " or ".join(texts)


def _start(data: ReportData, problem: str, spec: Spec) -> str:
    """``from equal, frozen``."""
    if not spec:
        return ""
    source = str(spec.get("file", "a trial that is not of this suite"))
    for row in rows(data.trials[data.trials["trial"] == spec.get("trial")]):
        source = row.method if row.problem == problem else f"{row.method} on {row.problem}"
    return f"from {source}{', frozen' if spec.get('freeze') else ''}"


def _differ(frame: pd.DataFrame) -> list[str]:
    return [part for part in coordinates() if frame[part].nunique() > 1]


def _panel(problem: str, frame: pd.DataFrame) -> Panel:
    shown_columns = ["method", *_differ(frame)]
    columns = tuple(Column(part if part == "method" else key_of(part), number=False) for part in shown_columns)
    return Panel(problem, columns, tuple(tuple(map(Cell, row)) for row in rows(frame[shown_columns])))


def _common(texts: Mapping[str, pd.DataFrame]) -> list[str]:
    """What methods have in common, stated once for all problems where it is the same."""
    said: dict[str, list[str]] = {}
    for problem, frame in texts.items():
        alike = [part for part in coordinates() if part not in _differ(frame) and frame[part].iloc[0]]
        words = [f"{key_of(part)} {frame[part].iloc[0]}" for part in alike]
        if words:
            said.setdefault(listing(words, len(words)), []).append(problem)
    return [
        f"Common to all methods{'' if len(said) == 1 else f' on {listing(problems, 4)}'}: {words}."
        for words, problems in said.items()
    ]
