"""The base of everything that is written in YAML: a frozen model whose fields are its keys."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Set
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

_SOURCES = re.compile(r"\bSources?: (.+?)(?<!\b[A-Z])\.(?:\s|$)")  # to the end of the sentence; initials have dots too
_CITATION = re.compile(r".+?(?<![-\d])(?:1[89]|20)\d\d\b")


class Config(BaseModel):
    """Parameters of one entry of a table. Unknown keys and wrong types are errors, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    # The parameter that is an entry itself and whose own parameters may be written beside it, flat; "" for none.
    shorthand: ClassVar[str] = ""

    # Of settings of a trial: the fields that trials were not identified by from the start (``core.parts``). At its
    # default such a field is left out of their identity, so that finished trials stay what they were.
    later: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def keys(cls, written: Mapping[str, Any]) -> Set[str]:
        """The keys that may stand in a mapping of parameters, those of its ``shorthand`` included."""
        return {field.alias or name for name, field in cls.model_fields.items()}

    @classmethod
    def example(cls) -> dict[str, Any]:
        """Parameters of a small example, which tests build; an entry whose defaults suffice gives none.

        Where tasks have a say, they are called a, b and c.
        """
        return {}

    @classmethod
    def from_plain(cls, parameters: Mapping[str, Any]) -> Self:
        """The object that values of YAML or JSON describe: types are strict, and a list is read as a tuple.

        Raises pydantic.ValidationError.
        """
        return cls.model_validate_json(json.dumps(parameters))

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, for ``mtlbench list``."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]

    @classmethod
    def paper(cls) -> str:
        """The works that the docstring's ``Source:`` names, each up to its year, for ``mtlbench list``."""
        sources = _SOURCES.search(" ".join((inspect.getdoc(cls) or "").split()))
        works = map(_CITATION.match, sources[1].split("; ")) if sources else ()
        return "; ".join(work[0] for work in works if work)
