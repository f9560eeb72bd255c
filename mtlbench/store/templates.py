"""Trials that differ in nothing but their seed: one text and many seeds, on disk and in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..core.trial import Trial, identity, trial_from_json

_NO_SEED = 2**61 - 1  # a number that no text holds by chance


def template_of(trial: Trial) -> tuple[str, int]:
    """A trial in JSON without its seed, and the seed."""
    value = trial.to_json()
    seed: int = value.pop("seed")
    return json.dumps(value), seed


def packed(trials: Iterable[Trial]) -> dict[str, Any]:
    """Trials in their order, each as the place of its template and its seed."""
    places: dict[str, int] = {}
    listed = []
    for trial in trials:
        text, seed = template_of(trial)
        listed.append((places.setdefault(text, len(places)), seed))
    return {"templates": [json.loads(text) for text in places], "trials": listed}


def unpacked(content: dict[str, Any]) -> tuple[Trial, ...]:
    """What ``packed`` was given; also from the form before it, in which every trial stood in full."""
    if "templates" not in content:
        return tuple(map(trial_from_json, content["trials"]))
    templates, texts = Templates(), [json.dumps(template) for template in content["templates"]]
    return tuple(templates.trial(texts[place], seed) for place, seed in content["trials"])


class Templates:
    """Trials made from their texts, each of which is read once: its trials share what they are made of."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Trial, list[str]]] = {}

    def trial(self, text: str, seed: int) -> Trial:
        """The trial that ``template_of`` described."""
        if text not in self._read:
            blank = trial_from_json({**json.loads(text), "seed": _NO_SEED})
            self._read[text] = (blank, blank.canonical().split(str(_NO_SEED)))
        first, around = self._read[text]
        trial = replace(first, seed=seed)
        if len(around) == 2:  # where the property would keep what it takes long to compute
            vars(trial)["id"] = identity(str(seed).join(around))
        return trial
