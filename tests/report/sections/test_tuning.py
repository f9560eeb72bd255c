"""What the report says of candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtlbench.report import build
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.tunings import Tuning
from mtlbench.report.evidence.unlike import unlike_baseline
from mtlbench.report.sections.tuning import section
from mtlbench.report.writing.parts import Part
from tests.contracts.test_sections import SMALL, tuned

from ..samples import Frames, Sample, number, sample


def test_candidates_are_shown_and_stay_out_of_everything_else() -> None:
    plain, with_candidates = build(*sample(**SMALL).frames()), build(*tuned())
    apart = ["candidates", "tuning_seconds"]
    methods, alone = (found.tables["methods"].raw for found in (with_candidates, plain))
    assert methods.drop(columns=apart).equals(alone.drop(columns=apart))
    assert alone[apart].to_numpy().tolist() == [[1, 0.0]] * 3
    assert methods["candidates"].tolist() == [3, 3, 3]
    seconds = dict(zip(methods["method"], methods["tuning_seconds"], strict=True))
    # every candidate of 3 seeds and, for the baseline, 2 tasks takes 2.1 s in the sample
    assert seconds == pytest.approx({"single-task": 3 * 3 * 2 * 2.1, "equal": 3 * 3 * 2.1, "random": 3 * 3 * 2.1})
    assert any("tuning [s]" in column for column in with_candidates.tables["methods"].text.columns)
    assert not any("tuning [s]" in column for column in plain.tables["methods"].text.columns)
    assert with_candidates.tables["tasks"].raw.equals(plain.tables["tasks"].raw)
    raw = with_candidates.tables["tuning"].raw.set_index(["method", "choice"])
    counts = ("chosen", "choices", "failed")
    assert [number(raw, ("equal", "lr=1"), column) for column in counts] == [3, 3, 0]
    assert [number(raw, ("single-task", "lr=2"), column) for column in counts] == [0, 6, 6]
    assert 0 < number(raw, ("equal", "lr=1"), "score") < 1
    assert raw["score"].isna().sum() == 6


def test_the_budget_is_said() -> None:
    part = section(gather(*tuned()))
    assert part is not None
    assert str(part.statements[0]) == "On digits every method, the baseline too, chose from 3 candidates."
    records, trials, *rest = tuned()
    fewer = trials[~((trials["method"] == "random") & (trials["choice"] == "lr=3"))]
    part = section(gather(records, fewer, *rest))
    assert part is not None
    assert part.statements[0].tone == "warning"
    assert "single-task from 3, equal from 3 and random from 2" in str(part.statements[0])


def test_nothing_is_said_where_nothing_was_tried() -> None:
    assert section(gather(*sample(**SMALL).frames())) is None


def test_choices_at_an_end_of_what_was_tried_are_told() -> None:
    part = section(gather(*tuned()))
    assert part is not None
    told = str(part.statements[1])
    assert "at an end of what was tried" in told
    assert "equal (lr=1)" in told
    records, trials, *rest = tuned()
    middle = trials.assign(choice=trials["choice"].replace({"lr=1": "lr=2", "lr=2": "lr=1"}))
    part = section(gather(records, middle, *rest))
    assert part is not None
    assert len(part.statements) == 1
    names = trials.assign(choice=trials["choice"].str.replace("lr=", "hidden=wide"))
    part = section(gather(records, names, *rest))
    assert part is not None
    assert len(part.statements) == 1


LR: dict[str, Any] = {"optimizer.lr": {"log": [1e-4, 1e-1]}}
RATES = (0.00316, 0.0178, 0.000562, 0.00133)


def searched(scores: dict[str, list[float]], search: dict[str, Any] = LR, rates: tuple[float, ...] = RATES) -> Frames:
    """Candidates whose validation losses fall from 1 to these scores on every seed; infinite ones failed."""
    made = sample(**SMALL)
    made.suite |= {"tune": {"budget": len(RATES), "search": search}, "single_task": {}}
    for trial in list(made.trials):
        tried = scores.get(trial["method"], [])
        choices = [f"optimizer.lr={rate}" for rate, _ in zip(rates, tried, strict=False)]
        trial |= {"role": "", "choice": choices[int(np.argmin(tried))] if tried else "", "part": ""}
        for choice, score in zip(choices, tried, strict=True):
            _candidate(made, trial, choice, score)
    return made.frames()


def _candidate(made: Sample, trial: dict[str, Any], choice: str, score: float) -> None:
    status = "ok" if np.isfinite(score) else "failed"
    row = trial | {"trial": f"{trial['trial']}/{choice}", "role": "candidate", "choice": choice, "status": status}
    made.trials.append(row)
    for task in trial["tasks"]:
        for split, step, value in (("validation", 0, 1.0), ("validation", 2, score), ("test", 2, 9.0)):
            facts = {"split": split, "task": task, "metric": "loss", "value": value, "step": step, "main": False}
            made.records.append(row | facts)


def part_of(frames: Frames) -> Part:
    part = section(gather(*frames))
    assert part is not None
    return part


EVEN = [0.5, 0.4, 0.4, 0.4]


def test_a_method_that_the_last_quarter_still_helps_is_named() -> None:
    part = part_of(searched({"single-task": EVEN, "equal": [0.5, 0.4, 0.4, 0.3], "random": [0.5, 0.4, 0.4, 0.397]}))
    assert str(part.statements[0]) == "On digits every method, the baseline too, chose from 4 candidates."
    (told,) = (str(s) for s in part.statements if "too small" in str(s))
    assert "too small for equal (25.0 %): " in told
    assert "random" not in told  # 0.75 % is not more than 1 %
    raw = part.tables[0].raw.set_index("method")
    assert [number(raw, "equal", name) for name in ("candidates", "gain", "late_gain")] == pytest.approx([4, 40, 25])
    assert number(raw, "single-task", "gain") == pytest.approx(20.0)


def test_the_best_so_far_is_drawn_where_points_have_an_order() -> None:
    frames = searched({"single-task": EVEN, "equal": [0.5, 0.4, 0.4, 0.3], "random": EVEN})
    (figure,) = part_of(frames).figures
    assert figure.name == "tuning"
    assert "single-task, equal and random" in figure.alt
    assert not part_of(tuned()).figures  # of a list of values
    (curve,) = (t.curve for t in gather(*frames).tunings if t.method == "equal")
    assert curve == pytest.approx([1, 0.8, 0.8, 0.6])


def test_a_first_candidate_that_failed_is_no_scale() -> None:
    scores = np.array([[np.inf, 0.5, np.inf, 0.4], [0.8, 0.4, 0.2, 0.4], [np.inf] * 4])
    tuning = Tuning("p", "m", "e", ("a", "b", "c", "d"), scores, (2, 1, 2, 1), ("d", "c"), 1.0, LR)
    assert tuning.curve == pytest.approx([1, (1 + 0.5) / 2, (1 + 0.25) / 2, (0.8 + 0.25) / 2])
    assert tuning.late_gain == pytest.approx((0.2 + 0) / 2)
    assert tuning.mean_scores == pytest.approx([0.8, 0.45, 0.2, 0.4])


def test_nothing_is_drawn_of_what_failed_altogether() -> None:
    failed = [np.inf] * 4
    part = part_of(searched({"single-task": failed, "equal": failed, "random": failed}))
    assert not part.figures
    assert len(part.statements) == 1


@pytest.mark.parametrize(
    ("search", "best", "told"),
    [
        (LR, 0.00019, "optimizer.lr: lower end"),  # log(1.9) / log(1000) = 0.093
        (LR, 0.00021, ""),
        (LR, 0.051, "optimizer.lr: upper end"),
        (LR, 0.049, ""),
        ({"optimizer.lr": {"linear": [0, 1]}}, 0.09, "optimizer.lr: lower end"),
        ({"optimizer.lr": {"linear": [0, 1]}}, 0.89, ""),
        ({"optimizer.lr": {"values": [0.09, 0.5]}}, 0.09, ""),
        ({"train.batch_size": {"log": [1, 9]}, **LR}, 0.00019, "optimizer.lr: lower end"),
        ({"optimizer.lr": None}, 0.00019, "optimizer.lr=0.00019"),  # searches nothing: by the numbers tried
    ],
)
def test_choices_near_an_end_of_a_range_are_told(search: dict[str, Any], best: float, told: str) -> None:
    rates = (0.0005, best, 0.02, 0.03)
    scores = [0.5, 0.2, 0.4, 0.4]
    part = part_of(searched({"single-task": EVEN[::-1], "equal": scores, "random": []}, search, rates))
    (*_, last) = part.statements
    said = str(last) if "at an end of what was tried" in str(last) else ""
    assert (f"equal ({told})" in said) if told else ("equal" not in said)


def test_a_choice_at_an_end_on_half_of_the_seeds_is_no_warning() -> None:
    scores = np.array([[0.1, 0.2], [0.2, 0.1]])
    ways = [Tuning("p", "m", "e", ("optimizer.lr=0.0001", "optimizer.lr=0.01"), scores, (0, 0), chosen, 1.0, LR)
            for chosen in (("optimizer.lr=0.0001", "optimizer.lr=0.01"), ("optimizer.lr=0.0001",) * 2)]  # fmt: skip
    assert [list(way.ends()) for way in ways] == [[], [("optimizer.lr", "lower")]]


def test_many_candidates_are_folded_away() -> None:
    few, many = part_of(tuned()), part_of(searched({"single-task": EVEN, "equal": EVEN, "random": EVEN}))
    assert few.tables[1].panels
    assert many.tables[1].panels  # 12 rows
    records, trials, environments, suite = searched({"single-task": EVEN, "equal": EVEN, "random": EVEN})
    tried = trials[trials["role"] == "candidate"]
    copies = [tried.assign(choice=tried["choice"] + str(i)) for i in range(3)]
    long = part_of((records, pd.concat([trials, *copies]), environments, suite))
    assert not long.tables[1].panels
    assert len(long.tables[1].folded[0].rows) == 12 * 4


def test_a_learner_without_such_settings_is_not_counted() -> None:
    records, trials, environments, suite = searched({"single-task": EVEN, "equal": EVEN})
    assert part_of((records, trials, environments, suite)).statements[0].tone == "warning"
    closed = trials.assign(optimizer=trials["optimizer"].where(trials["method"] != "random", ""))
    assert part_of((records, closed, environments, suite)).statements[0].tone == "plain"


@pytest.mark.parametrize(
    ("own", "unlike"),
    [
        ({"budget": 4, "search": LR}, ()),
        ({"budget": 4, "search": {**LR, "weighting.c": {"linear": [0, 1]}, "architecture.k": {"values": [1]}}}, ()),
        ({"budget": 4, "search": {**LR, "train.batch_size": {"log": [16, 64]}}}, ("tune",)),
        ({"budget": 4, "search": {"optimizer.lr": {"log": [1e-3, 1e-1]}}}, ("tune",)),
        ({"budget": 5, "search": LR}, ("tune",)),
        ({"budget": 4, "search": {"optimizer.lr": None}}, ("tune",)),
        ({}, ("tune",)),
    ],
)
def test_keys_that_the_baseline_cannot_have_do_not_make_a_search_unlike_its_own(
    own: dict[str, Any], unlike: tuple[str, ...]
) -> None:
    made = sample(**SMALL)
    made.suite |= {"optimizer": "adam", "tune": {"budget": 4, "search": LR}, "single_task": {}}
    made.suite["methods"]["equal"]["tune"] = own
    assert unlike_baseline(made.suite, "equal") == unlike
