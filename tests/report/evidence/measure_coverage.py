"""How often a nominal 95 % interval holds the truth: ``python tests/report/evidence/measure_coverage.py [samples]``.

The numbers in the docstrings of mtlbench.report.evidence.statistics and hypervolume come from here.
BCa is scipy's; the t interval is ours.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import numpy as np
from scipy import stats

from mtlbench.report.evidence.across import Across
from mtlbench.report.evidence.hypervolume import enlargement, reference_of
from mtlbench.report.evidence.statistics import Array, mean_interval, relative, seed_ranks

Draw = Callable[[np.random.Generator, tuple[int, int]], Array]

SIZES = (3, 4, 5, 7, 10, 20, 50)
POPULATIONS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "lognormal .5": (lambda rng, shape: np.exp(0.5 * rng.normal(size=shape)), float(np.exp(0.125))),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
}


def coverage_t(rows: Array, truth: float) -> float:
    """Share of rows whose interval holds the truth."""
    return float(np.mean([interval.contains(truth) for row in rows if (interval := mean_interval(row))]))


def coverage_bca(rows: Array, truth: float) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.bootstrap((rows,), np.mean, axis=-1, n_resamples=999, batch=50, method="BCa")
    return float(np.mean((found.confidence_interval.low <= truth) & (truth <= found.confidence_interval.high)))


def coverage_relative(
    rng: np.random.Generator, seeds: int, samples: int, spread: float, correlation: float, tasks: int = 3
) -> float:
    """Coverage of Delta m's interval where the true gain is 5 % on every task, the second being lower-is-better."""
    truth, held = 5.0, 0
    higher = np.array([True, False, True][:tasks])
    single = np.array([90.0, 2.0, -0.5][:tasks])
    method = single + np.where(higher, 0.05, -0.05) * np.abs(single)
    for _ in range(samples):
        common = rng.normal(size=(seeds, tasks))
        own = rng.normal(size=(2, seeds, tasks))
        noise = spread * (np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
        found = relative(method + np.abs(single) * noise[0], single + np.abs(single) * noise[1], higher)
        assert found is not None
        interval = mean_interval(found.influence)
        assert interval is not None
        held += interval.contains(truth)
    return held / samples


FRONT: Array = 2 * np.sqrt(np.stack([np.linspace(0.1, 0.9, 5), np.linspace(0.9, 0.1, 5)], 1))  # bent, of two tasks


def front_of_seeds(seed: int, method: Array, seeds: int, noise: float) -> tuple[Array, Array]:
    """Values of a method [S, T] and of the points of ``FRONT`` [S, K, T], with independent noise."""
    means = np.vstack([FRONT, method])
    drawn = means + noise * np.random.default_rng(seed).normal(size=(seeds, *means.shape))
    return drawn[:, -1], drawn[:, :-1]


def coverage_of_enlargements(ahead: float, between: bool, seeds: int, noise: float, samples: int) -> tuple[float, ...]:
    """How often the interval of an enlargement of the hypervolume holds the truth, and leaves out zero; and how often
    that of the seeds' own enlargements leaves out zero.
    """
    reference = reference_of(FRONT)
    method = (FRONT[2] + FRONT[3]) / 2 if between else FRONT[2] + ahead
    truth = enlargement(method[None], FRONT[None], reference).value
    held, sure, alone = [], [], []
    for i in range(samples):
        own, front = front_of_seeds(i, method, seeds, noise)
        interval = enlargement(own, front, reference).interval
        held.append(interval is None or interval.low - 1e-9 <= truth <= interval.high)
        sure.append(interval is not None and interval.low > 1e-9)
        by_seed = mean_interval([enlargement(own[[s]], front[[s]], reference).value for s in range(seeds)])
        alone.append(by_seed is not None and by_seed.low > 1e-9)
    return tuple(float(np.mean(each)) for each in (held, sure, alone))


def coverage_of_splits(
    rng: np.random.Generator, seeds: int, samples: int, train: int, test: int, corrected: bool
) -> float:
    """How often an interval over random splits of one data set holds the truth of all data sets of its kind.

    Rows are standard normal values; the method predicts the mean of its training rows, the baseline 0.2, and both are
    judged by their squared error on the test rows. Over all data sets the difference is 1 / train - 0.04.
    """
    held = 0
    for _ in range(samples):
        rows = rng.normal(size=train + test)
        orders = np.argsort(rng.random((seeds, len(rows))), axis=1)
        tested = rows[orders[:, train:]]
        mean = rows[orders[:, :train]].mean(1, keepdims=True)
        gaps = ((tested - mean) ** 2 - (tested - 0.2) ** 2).mean(1)
        interval = mean_interval(gaps, overlap=test / train if corrected else 0.0)
        assert interval is not None
        held += interval.contains(1 / train - 0.04)
    return held / samples


def coverage_of_ranks(rng: np.random.Generator, seeds: int, samples: int, methods: int = 5, tasks: int = 3) -> float:
    """How often the interval of a middle method's mean rank holds its expectation, estimated from 20,000 seeds."""
    level, higher = np.linspace(-0.6, 0.6, methods)[:, None], np.ones(tasks, dtype=bool)
    ranks = seed_ranks(level + rng.normal(size=(20_000, methods, tasks)), higher)
    truth = float(ranks[:, methods // 2 - 1].mean())
    drawn = seed_ranks(level + rng.normal(size=(samples * seeds, methods, tasks)), higher)[:, methods // 2 - 1]
    intervals = [interval for rows in drawn.reshape(samples, seeds) if (interval := mean_interval(rows))]
    return float(np.mean([interval.contains(truth) for interval in intervals]))


def coverage_of_problems(
    rng: np.random.Generator, problems: int, samples: int, methods: int = 5
) -> tuple[float, float]:
    """How often the interval of a method's mean rank over problems holds its expectation, and how often the middle 95 %
    of 400 bootstrap means do; over the first three methods of different quality.
    """
    level = np.linspace(1, -1, methods)
    many = stats.rankdata(-level - rng.normal(size=(40_000, methods)), axis=1).mean(0)
    held, resampled = [], []
    for i in range(samples):
        gains = level + rng.normal(size=(problems, methods))
        found = Across(("",) * problems, ("",) * methods, "", gains, gains, ())
        interval, truth = found.rank_interval(i % 3), float(many[i % 3])
        held.append(interval is None or interval.contains(truth))
        means = found.ranks[rng.integers(problems, size=(400, problems)), i % 3].mean(1)
        low, high = np.quantile(means, [0.025, 0.975])
        resampled.append(low <= truth <= high)
    return float(np.mean(held)), float(np.mean(resampled))


def main(samples: int) -> None:
    rng = np.random.default_rng(0)
    print(f"{'mean of n values':22s}", *(f"{n:5d}" for n in SIZES))
    for name, (draw, truth) in POPULATIONS.items():
        rows = {n: draw(rng, (samples, n)) for n in SIZES}
        print(f"{name:18s} t  ", *(f"{coverage_t(rows[n], truth):5.3f}" for n in SIZES))
        print(f"{'':18s} BCa", *(f"{coverage_bca(rows[n], truth):5.3f}" for n in SIZES))
    print("Delta m, spread and correlation of method and baseline over seeds")
    for spread, correlation in ((0.02, 0.5), (0.1, 0.0), (0.1, 0.8), (0.3, 0.0)):
        found = (coverage_relative(rng, n, samples, spread, correlation) for n in (3, 5, 10, 20))
        print(f"spread {spread:4.2f} correlation {correlation:3.1f}", *(f"{value:5.3f}" for value in found))
    print("splits of one data set, 5, 10 and 20 of them, plain and corrected; then mean ranks over as many seeds")
    for train, test in ((160, 40), (150, 50), (60, 30)):
        for corrected in (False, True):
            splits = (coverage_of_splits(rng, n, samples, train, test, corrected) for n in (5, 10, 20))
            print(f"train {train:4d} test {test:3d} {corrected!s:5s}", *(f"{value:5.3f}" for value in splits))
    for problems in (6, 8, 12, 20):
        print(f"ranks over {problems:2d} problems, t and bootstrap", coverage_of_problems(rng, problems, samples))
    print("enlargements of a hypervolume: held, and zero left out; of the seeds' own, zero left out")
    for noise in (0.05, 0.3):
        for ahead, between in ((0.0, False), (0.3, False), (0.0, True)):
            for n in (4, 8):
                shares = coverage_of_enlargements(ahead, between, n, noise, samples // 10)
                print(
                    f"noise {noise:4.2f} ahead {ahead:3.1f} between {between!s:5s} seeds {n}",
                    *(f"{v:5.3f}" for v in shares),
                )
    print("ranks over seeds", *(f"{coverage_of_ranks(rng, n, samples):5.3f}" for n in (3, 5, 10, 20)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
