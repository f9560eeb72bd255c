"""The base of everything that is written in YAML: a frozen model whose fields are its keys."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Parameters of one entry of a table. Unknown keys and wrong types are errors, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    @classmethod
    def from_plain(cls, parameters: Mapping[str, Any]) -> Self:
        """The object that values of YAML or JSON describe: types are strict, and a list stands for a tuple.

        Raises pydantic.ValidationError.
        """
        return cls.model_validate_json(json.dumps(parameters))

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, for ``mtlbench list``."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]

    @classmethod
    def listed(cls) -> tuple[str, ...]:
        """The parameters that ``mtlbench list`` shows."""
        return tuple(cls.model_fields)
