"""How a report judges a gain: keys of the whole suite that change no trial."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .config import Config


class Judgement(Config):
    """What counts as an effect, and what an interval allows for."""

    smallest_effect: float = Field(
        0.5,
        ge=0,
        allow_inf_nan=False,
        description="smallest gain that matters, in % of Δm; below it, practically equal",
    )
    interval: Literal["plain", "corrected"] = Field(
        "plain", description="whether intervals allow for the overlap of the seeds' training sets (Nadeau and Bengio)"
    )
