from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mtlbench.core.registry import Registry, UnknownName

from ..suite.toy_entries import TABLES, Adam, Shared


def test_entries_are_built_from_json_values() -> None:
    """Trials carry JSON, whose lists stand for tuples; types stay strict."""
    built = TABLES["architecture"].build({"name": "shared", "hidden": [3, 4], "trunk": {"width": 2}})
    assert built.hidden == (3, 4)
    assert TABLES["architecture"].build({"name": "shared", **built.model_dump(mode="json")}) == built
    assert Shared.from_plain({"dropout": 0}).dropout == 0.0
    for wrong in ({"lr": "1"}, {"lr": True}, {"foreach": 1}, {"betas": 3}, {"other": 1}):
        with pytest.raises(ValidationError):
            Adam.from_plain(wrong)


def test_names_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_entries.py").write_text("raise RuntimeError('half written')\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("weightings", {"equal": "nowhere:Equal"})
    for name, message in {
        "eqal": "unknown weighting 'eqal', did you mean 'equal'?",
        "equal": "cannot import 'nowhere:Equal'",
        "broken_entries:X": "half written",
        ":X": "cannot import ':X'",
        f"{__name__}:Path": f"expected a subclass of mtlbench's Config, got {Path!r}",
    }.items():
        with pytest.raises(UnknownName) as caught:
            registry.load(name)
        assert message in str(caught.value)
    sys.modules.pop("broken_entries", None)


def test_a_module_and_attribute_need_no_row() -> None:
    assert Registry("optimizers", {}).load(f"{Adam.__module__}:Adam") is Adam
