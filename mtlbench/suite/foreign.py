"""Code that a suite names as ``module:attribute``: known from its text alone, before any of it is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .yaml_reader import read_yaml

_CODE = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
_OWN = "sklearn:"  # metrics: mtlbench's own entries for scikit-learn's scorers


def foreign_code(path: Path) -> tuple[str, ...]:
    """Each ``module:attribute`` of a suite file in the file's order, with the label that stands beside it, if any.

    Raises SuiteError for a file that is no YAML.
    """
    return tuple(dict.fromkeys(_named(read_yaml(path)[0].plain())))


def _named(value: Any, label: str = "") -> Iterator[str]:
    if isinstance(value, str) and _CODE.fullmatch(value) and not value.startswith(_OWN):
        yield f"{value} (labelled '{label}')" if label else value
    elif isinstance(value, list):
        for part in value:
            yield from _named(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _named(part, str(value.get("label", "")) if key == "name" else "")
