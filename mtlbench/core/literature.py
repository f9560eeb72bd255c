"""A number that the literature gives for a problem of a suite: what the suite's own results are held against."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .config import Config

# A metric of the rows of all tasks together, which reports compute: 1 - mean squared error / variance of all labels.
EXPLAINED = "explained variance"


class PublishedNumber(Config):
    """One entry of ``literature``: a value with its source, and the method whose result is held against it.

    It changes nothing that is trained. The range of the number is value ± spread, or ± tolerance where the source gives
    no spread; what counts as met, ``report.evidence.literature`` says.
    """

    problem: str = Field(description="the problem's name or label in this suite")
    method: str = Field(description="label of the method, of the single-task baseline or of a reference")
    metric: str = Field(description="a metric of the task, in the unit in which reports show it; or explained variance")
    task: str | None = Field(None, description="one task; all of them unless given")
    over: Literal["tasks", "rows"] = Field(
        "tasks", description="of several tasks: the mean of their values, or one value for the rows of all together"
    )
    value: float = Field(allow_inf_nan=False, description="the number in the source, in the metric's unit")
    spread: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="what the source gives as ±: a standard deviation or an interval"
    )
    tolerance: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="± in the metric's unit, where the source gives no spread"
    )
    source: str = Field(min_length=1, description="paper, year and table; what it was read in, if not there")
    setup: str = Field(min_length=1, description="the source's method, split and rows, in one phrase")
    differs: str = Field("", description="how this suite's set-up differs from the source's")
    comparable: bool = Field(True, description="false: too much differs for met or not met; differs says what")

    @model_validator(mode="after")
    def _one_range(self) -> Self:
        if self.spread is None and self.tolerance is None:
            raise ValueError("expected spread, or tolerance where the source gives none, got neither")
        if self.spread is not None and self.tolerance is not None:
            raise ValueError("tolerance: expected none beside the source's own spread; remove one of them")
        return self

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if not (self.comparable or self.differs):
            raise ValueError("comparable: expected differs to say why the numbers are not comparable, got nothing")
        return self

    @model_validator(mode="after")
    def _of_rows(self) -> Self:
        if self.over == "rows" and self.task is not None:
            raise ValueError(f"over: rows of all tasks together have no task, got task {self.task!r}; remove one")
        if self.metric == EXPLAINED and self.over != "rows":
            raise ValueError(f"metric: {EXPLAINED} is of the rows of all tasks together; add over: rows")
        return self

    def written(self) -> dict[str, Any]:
        """As it would be written in full."""
        return self.model_dump(exclude_none=True)

    @property
    def margin(self) -> float:
        """Half the range of the number."""
        return self.spread if self.spread is not None else self.tolerance or 0.0
