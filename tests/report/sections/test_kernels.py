"""The section of kernels: what its numbers are, and what it says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtlbench.report import build
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.kernel_timings import headlines
from mtlbench.report.evidence.statistics import median_ratio

from ..samples import Frames, Sample, sample, with_kernels

pytestmark = pytest.mark.usefixtures("unrendered")


def _frames(**options: Any) -> Frames:
    return with_kernels(Sample(suite={"suite": "k"}), **options).frames()


def test_ours_stands_beside_the_best_of_the_others() -> None:
    timings = gather(*_frames()).kernels
    assert [(t.case, t.cache) for t in timings] == [
        ("adam 2000 x 1k", "warm"),
        ("adam 2000 x 1k", "cold"),
        ("adam 8 x 4M", "cold"),
        ("training_step MLP", "warm"),
        ("training_step MLP", "cold"),
    ]
    tiny, _, large, step, _ = timings
    assert tiny.contenders == ("fused", "torch_fused", "eager")
    assert (tiny.best, tiny.best_other) == ("fused", "torch_fused")
    ratio, interval = tiny.speedup
    assert ratio == pytest.approx(7.5, rel=0.05)
    assert interval is not None
    assert interval.low < ratio < interval.high
    assert large.speedup[0] == pytest.approx(20 / 22, rel=0.05)
    assert tiny.ceiling("fused") == pytest.approx(100 * (56e6 / 40e9) / 2e-3, rel=0.05)
    assert np.isnan(step.ceiling("fused"))
    assert [t.cache for t in headlines(timings)] == ["warm", "cold", "warm"]


def test_the_table_holds_every_contender_and_the_panel_a_row_a_case() -> None:
    table = build(*_frames()).tables["kernels"]
    assert len(table.raw) == 3 + 3 + 3 + 2 + 2
    assert len(table.panels[0].rows) == 5
    assert "times as fast there" not in table.text.columns
    best = table.raw[table.raw["times_as_fast"].notna()]
    assert set(best["contender"]) == {"fused"}
    assert (best["times_low"] <= best["times_as_fast"]).all()
    assert set(table.raw["blocks"]) == {18}
    assert set(table.raw["processes"]) == {3}


def test_times_on_the_device_are_apart() -> None:
    report = build(*_frames(devices=("cpu", "cuda")))
    assert [panel.title for panel in report.tables["kernels"].panels] == ["cpu", "cuda"]
    assert "times as fast there\u00a0↑" not in report.tables["kernels"].panels[0].text.columns
    assert "times as fast there" in report.tables["kernels"].panels[1].text.columns
    assert {"kernels-cpu", "kernels-cuda", "roofline-cpu", "roofline-cuda"} <= set(report.figures)


def test_the_verdict_counts_what_is_clear() -> None:
    verdict = build(*_frames()).verdict
    assert any(
        "clearly faster than the best other contender in 2 of 3 cases and clearly slower in 1" in s for s in verdict
    )
    assert not any("no trial to judge" in s for s in verdict)
    assert any("hint" in s for s in build(*_frames(shared=True)).verdict)


def test_training_and_kernels_do_not_disturb_each_other() -> None:
    alone = build(*sample(methods=2, seeds=3, epochs=1).frames())
    both = build(*with_kernels(sample(methods=2, seeds=3, epochs=1)).frames())
    for name, table in alone.tables.items():
        if name != "environment":
            assert table.raw.equals(both.tables[name].raw)
    assert "kernels" not in alone.tables


def test_median_ratio_of_equal_and_of_no_numbers() -> None:
    assert np.isnan(median_ratio([])[0])
    assert np.isnan(median_ratio([np.array([])])[0])
    ratio, interval = median_ratio([np.log([2.0, 2.0, 2.0])])
    assert ratio == pytest.approx(2.0)
    assert interval is None
    assert median_ratio([np.log([2.0]), np.log([3.0])])[1] is None


def test_median_ratio_sees_what_differs_between_processes() -> None:
    chance = np.random.default_rng(0)
    near = [np.log(2) + 0.01 * chance.normal(size=30) for _ in range(4)]
    apart = [values + shift for values, shift in zip(near, (-0.2, -0.1, 0.1, 0.2), strict=True)]
    (_, narrow), (_, wide) = median_ratio(near), median_ratio(apart)
    assert narrow is not None
    assert wide is not None
    assert narrow.contains(2.0)
    assert wide.half > 10 * narrow.half


def test_median_ratio_covers() -> None:
    """A nominal 95 % interval over eight processes holds the truth most of the time."""
    chance = np.random.default_rng(1)
    held = 0
    for _ in range(30):
        logs = [chance.normal(0, 0.05) + 0.1 * chance.normal(size=5) for _ in range(8)]
        interval = median_ratio(logs)[1]
        held += interval is not None and interval.contains(1.0)
    assert held >= 25
