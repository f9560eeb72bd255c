"""Comparisons over problems: against scipy and by hand, and how often they are false."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from mtlbench.report.evidence.across import Across, across, direction, friedman, profiles, wilcoxon
from mtlbench.report.evidence.evidence import Evidence, gather
from mtlbench.report.evidence.statistics import Array, holm
from mtlbench.report.sections.across import comparison, section, statements
from tests.report.evidence.measure_coverage import coverage_of_problems
from tests.report.samples import TASKS, sample

pytestmark = pytest.mark.usefixtures("unrendered")


def made(gains: Array) -> Across:
    """A comparison with these gains [P, M] of methods over a baseline."""
    count = len(gains)
    methods = ("single", *(f"m{i}" for i in range(gains.shape[1])))
    values = np.hstack([np.zeros((count, 1)), gains])
    return Across(tuple(f"p{i}" for i in range(count)), methods, "delta_m", values, -values / 100, ())


def test_friedman_by_hand() -> None:
    ranks = np.array([[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3], [1, 2, 3], [1, 2, 3.0]])
    n, k = ranks.shape
    chi = 12 * n / (k * (k + 1)) * ((ranks.mean(0) ** 2).sum() - k * (k + 1) ** 2 / 4)  # Demsar 2006, section 3.2.2
    assert friedman(-ranks) == pytest.approx(float(stats.chi2.sf(chi, k - 1)))
    assert friedman(np.ones((6, 3))) == 1.0
    assert math.isnan(friedman(ranks[:, :2]))


@pytest.mark.parametrize(
    "differences", [[1.0, 2, 3, 4, 5, 6], [3.0, -1, 4, 7, -5, 9, 2.6], [-1.0, -2, 3, -4, -5, -6, -7]]
)
def test_wilcoxon_is_exact(differences: list[float]) -> None:
    ranks = stats.rankdata(np.abs(differences))
    found = abs((np.sign(differences) * ranks).sum())
    flips = [abs(np.dot(signs, ranks)) for signs in itertools.product((1, -1), repeat=len(differences))]
    assert wilcoxon(np.array(differences)) == pytest.approx(np.mean(np.array(flips) >= found - 1e-9))
    assert np.sign(direction(np.array(differences))) == np.sign((np.sign(differences) * ranks).sum())


def test_wilcoxon_of_nothing() -> None:
    assert wilcoxon(np.zeros(6)) == 1.0


def test_profiles_by_hand() -> None:
    factors, shares = profiles(np.log([[1.0, 2.0], [3.0, 1.0], [5.0, 5.0], [1.0, 2.0]]))
    assert factors == pytest.approx([1, 2, 3])
    np.testing.assert_allclose(shares, [[0.75, 0.5], [0.75, 1.0], [1.0, 1.0]])


def test_profiles_know_no_unit() -> None:
    errors = np.random.default_rng(0).normal(size=(7, 4))
    for one, other in zip(profiles(errors), profiles(errors + np.arange(7.0)[:, None]), strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize(("problems", "methods"), [(7, 3), (12, 3)])
def test_tests_over_problems_are_rarely_false(problems: int, methods: int) -> None:
    """Methods that are all like the baseline: Friedman's test, any method against it, and any pair."""
    rng, samples = np.random.default_rng(problems), 150
    false = np.zeros(3)
    for _ in range(samples):
        values = rng.normal(size=(problems, methods + 1))
        found = made(values[:, 1:] - values[:, :1])
        false += found.friedman() <= 0.05, min(found.against("single").values()) <= 0.05, 0
        false[2] += min(found.against(found.best()).values()) <= 0.05
    assert (false / samples <= 0.05 + 3 * (0.05 * 0.95 / samples) ** 0.5).all()


def test_tests_over_problems_find_what_is_there() -> None:
    rng = np.random.default_rng(0)
    found = made(np.array([2.0, -2.0, 0.0]) + 0.5 * rng.normal(size=(12, 3)))
    p = found.against("single")
    assert p["m0"] < 0.01
    assert p["m1"] < 0.01
    assert p["m2"] > 0.05
    assert found.friedman() < 0.001
    assert found.best() == "m0"
    assert found.against("m0")["m1"] < 0.01


def test_against_the_best_all_pairs_are_corrected_for() -> None:
    found = made(np.random.default_rng(1).normal(size=(8, 3)) + np.array([0.0, 2.0, 0.0]))
    pairs = list(itertools.combinations(found.methods, 2))
    p = holm([wilcoxon(found.gains_of(one) - found.gains_of(other)) for one, other in pairs])
    assert found.best() == "m1"
    assert found.against("m1") == {
        (set(pair) - {"m1"}).pop(): value for pair, value in zip(pairs, p, strict=True) if "m1" in pair
    }


@pytest.mark.parametrize("problems", [6, 12])
def test_intervals_of_ranks_over_problems(problems: int) -> None:
    held, bootstrap = coverage_of_problems(np.random.default_rng(problems), problems, 1000)
    assert held == pytest.approx(0.94, abs=0.03)
    assert bootstrap < held


def test_ranks_and_their_intervals_stay_possible() -> None:
    found = made(np.array([[5.0, 1.0]] * 5 + [[1.0, 5.0]]))
    assert found.ranks.mean(0) == pytest.approx([3.0, 7 / 6, 11 / 6])
    interval = found.rank_interval(1)
    assert interval is not None
    assert interval.low == 1.0
    assert found.rank_interval(0) is None  # the same on every problem: no spread to judge by


def test_below_six_problems_nothing_is_tested() -> None:
    found = made(np.ones((5, 3)))
    assert not found.testable
    assert math.isnan(found.friedman())
    assert found.against("single") == {}


def evidence(problems: int, methods: dict[str, float] | None = None) -> Evidence:
    names = [f"problem {i}" + "x" * i for i in range(problems)]  # samples are seeded by the length of a name
    tasks = {name: TASKS[name] for name in ("digit", "ink")}
    gains = methods or {"good": 2.0, "bad": -6.0, "same": 0.0}
    return gather(*sample(methods=gains, problems=names, tasks=tasks, seeds=3, epochs=1).frames())


def test_the_report_says_why_there_is_no_test() -> None:
    few = evidence(5)
    part, said = section(few), " ".join(map(str, statements(few)))
    assert part is not None
    assert "5 problems are too few to test methods over problems: 6 are the fewest" in said
    assert "good ranks best among 4 methods" in said
    assert [column.title for column in part.tables[0].panels[0].columns][-1] == "p against the best, good"
    assert {row[-1].text for row in part.tables[0].panels[0].rows} == {"–"}


def test_the_report_tests_from_enough_problems_on() -> None:
    many = evidence(9)
    part, said = section(many), " ".join(map(str, statements(many)))
    assert part is not None
    assert "do not all rank alike" in said
    assert "Better than single-task over problems: good" in said
    assert "Worse than single-task over problems: bad" in said
    assert part.figures[0].name == "profiles"


def test_six_problems_may_be_too_few_for_many_methods() -> None:
    said = " ".join(map(str, statements(evidence(6))))
    assert "To tell any of 3 methods from single-task takes 7 problems." in said


def test_methods_that_miss_a_problem_are_left_out_and_said() -> None:
    found = evidence(3)
    by_problem = {problem: found.of(problem) for problem in found.data.problems}
    first = found.data.problems[0]
    by_problem[first] = tuple(delta for delta in by_problem[first] if delta.method != "bad")
    compared = across(by_problem, "single-task")
    assert compared is not None
    assert compared.left_out == ("bad",)
    assert compared.methods == ("single-task", "good", "same")


def test_where_one_problem_has_no_delta_m_all_are_compared_by_another_measure() -> None:
    records, trials, environments, suite = sample(
        methods={"good": 1.0, "bad": -6.0}, problems=("one", "three"), seeds=3, epochs=1
    ).frames()
    chosen = (records["problem"] == "one") & records["baseline"] & (records["task"] == "ink") & records["main"]
    records.loc[chosen, "value"] *= 1e-4
    found = comparison(gather(records, trials, environments, suite))
    assert found is not None
    assert found.measure == "log_ratio"


def test_one_problem_is_no_comparison() -> None:
    assert section(evidence(1)) is None
    assert statements(evidence(1)) == []
