"""Trials that differ in nothing but their seed: one text and many seeds, on disk and in memory."""

from __future__ import annotations

import json
from dataclasses import replace

from ..core.trial import Trial, trial_from_json


def template_of(trial: Trial) -> tuple[str, int]:
    """A trial in JSON without its seed, and the seed."""
    value = trial.to_json()
    seed: int = value.pop("seed")
    return json.dumps(value), seed


class Templates:
    """Trials made from their texts, each of which is read once: its trials share what they are made of."""

    def __init__(self) -> None:
        self._read: dict[str, Trial] = {}

    def trial(self, text: str, seed: int, identity: str = "") -> Trial:
        """The trial that ``template_of`` described, with its id where that is known, which takes long to compute."""
        if text not in self._read:
            self._read[text] = trial_from_json({**json.loads(text), "seed": seed})
        trial = replace(self._read[text], seed=seed)
        if identity:
            vars(trial)["id"] = identity  # where the property keeps what it has computed
        return trial
