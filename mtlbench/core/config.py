"""The base of everything that is written in YAML: a frozen model whose fields are its keys."""

from __future__ import annotations

import inspect

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Parameters of one entry of a table. Unknown keys and wrong types are errors, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, for ``mtlbench list``."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]
