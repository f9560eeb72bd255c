"""Relation learners against closed forms, scikit-learn and the conditions of an optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import MultiTaskLasso, Ridge

from mtlbench.core.errors import MtlbenchError
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.learners import TABLE
from mtlbench.learners.relation.clustered import Clustered, _relaxed_clusters
from mtlbench.learners.relation.graph import Graph
from mtlbench.learners.relation.l21 import L21
from mtlbench.learners.relation.mtrl import Mtrl, _covariance
from mtlbench.learners.relation.shared_specific import SharedSpecific
from mtlbench.learners.relation.solve import solve
from mtlbench.learners.relation.trace import Trace
from mtlbench.learners.ridge import Ridge as RidgeLearner
from tests.learners.relation_data import alike, chosen, designs, one_input, run, scores, statistics

TASKS = alike().outline.tasks
LINEAR = ("shared_specific", "graph", "mtrl", "clustered", "l21", "trace")


def ridge_each(penalty: float) -> np.ndarray:
    return np.stack([Ridge(alpha=penalty, fit_intercept=False).fit(x, y).coef_ for x, y in designs(alike())])


def ridge_of_all(penalty: float) -> np.ndarray:
    x, y = (np.concatenate(parts) for parts in zip(*designs(alike()), strict=True))
    weights: np.ndarray = Ridge(alpha=penalty, fit_intercept=False).fit(x, y).coef_
    return weights


def test_statistics_give_the_errors_of_the_rows() -> None:
    weights = np.random.default_rng(0).normal(size=(5, 5))
    direct = [((y - x @ w) ** 2).sum() for (x, y), w in zip(designs(alike()), weights, strict=True)]
    assert statistics(alike()).errors(weights) == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_solve_against_the_normal_equations(scale: float) -> None:
    found, root = statistics(alike()), np.random.default_rng(1).normal(size=(5, 5))
    covariance = scale * (root @ root.T + 0.1 * np.eye(5))
    dense = np.kron(np.linalg.inv(covariance), np.eye(5))
    for t in range(5):
        dense[5 * t : 5 * t + 5, 5 * t : 5 * t + 5] += found.gram[t]
    expected = np.linalg.solve(dense, found.moment.ravel()).reshape(5, 5)
    np.testing.assert_allclose(solve(found, covariance), expected, rtol=1e-4, atol=1e-6)


def test_a_covariance_proportional_to_the_identity_is_ridge_per_task() -> None:
    np.testing.assert_allclose(solve(statistics(alike()), np.eye(5) / 3), ridge_each(3.0), atol=1e-6)


def test_a_singular_covariance_keeps_weights_in_its_span() -> None:
    weights = solve(statistics(alike()), np.ones((5, 5)) / 2)
    np.testing.assert_allclose(weights, np.tile(ridge_of_all(2.0), (5, 1)), atol=1e-6)


def test_shared_and_specific_between_its_limits() -> None:
    def weights(shared: float, specific: float) -> np.ndarray:
        return SharedSpecific().fit(statistics(alike()), TASKS, {"shared": shared, "specific": specific}).weights

    np.testing.assert_allclose(weights(1e9, 3.0), ridge_each(3.0), atol=1e-5)
    np.testing.assert_allclose(weights(2.0, 1e9), np.tile(ridge_of_all(2.0), (5, 1)), atol=1e-5)


def test_a_complete_graph_is_shared_and_specific() -> None:
    ridge, likeness = 0.5, 2.0
    own = ridge + 5 * likeness  # (λ1 I + λ2 (T I - 11ᵀ))⁻¹ = I / own + 11ᵀ λ2 / (λ1 own)
    same = {"shared": ridge * own / likeness, "specific": own}
    one = Graph().fit(statistics(alike()), TASKS, {"ridge": ridge, "likeness": likeness}).weights
    other = SharedSpecific().fit(statistics(alike()), TASKS, same).weights
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_edges_pull_their_tasks_together_and_no_others() -> None:
    learner = Graph(edges=(("t0", "t3"),))
    weights = learner.fit(statistics(alike()), TASKS, {"ridge": 1.0, "likeness": 1e6}).weights
    np.testing.assert_allclose(weights[0], weights[3], atol=1e-4)
    np.testing.assert_allclose(weights[[1, 2, 4]], ridge_each(1.0)[[1, 2, 4]], atol=1e-5)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ((("t0", "t9"),), "unknown task 't9', expected one of t0, two"),
        ((("t0", "t0"),), "expected two tasks with equally many outputs, got t0 and t0"),
        ((("t0", "two"),), "expected two tasks with equally many outputs, got t0 and two"),
    ],
)
def test_impossible_edges_are_said(edges: tuple[tuple[str, str], ...], message: str) -> None:
    outline = Outline((TaskSpec("t0", 1, "mse"), TaskSpec("two", 2, "mse")), (4,), 10)
    (sentence,) = Graph(edges=edges).check(outline)
    assert message in sentence


@pytest.mark.parametrize("ridge", [1e-6, 10.0])
@pytest.mark.parametrize("relation", [0.1, 3.0, 100.0])
def test_mtrl_reaches_the_minimum_that_a_general_solver_finds(ridge: float, relation: float) -> None:
    """‖W‖_* is the least (‖A‖² + ‖B‖²) / 2 with W = A B, which makes the objective smooth in A and B; at full rank no
    stationary point but the minimum is left (Srebro, Rennie and Jaakkola, 2005)."""
    found = statistics(alike())
    columns, features = found.moment.shape
    rank = min(columns, features)

    def objective(w: np.ndarray) -> float:
        return float(found.errors(w).sum() + ridge * (w**2).sum() + relation * np.linalg.norm(w, ord="nuc") ** 2)

    def smooth(flat: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = flat[: columns * rank].reshape(columns, rank), flat[columns * rank :].reshape(rank, features)
        w, bound = a @ b, ((a**2).sum() + (b**2).sum()) / 2
        slope = 2 * (found.apply(w) - found.moment) + 2 * ridge * w
        value = float(found.errors(w).sum() + ridge * (w**2).sum() + relation * bound**2)
        slopes = (slope @ b.T + 2 * relation * bound * a, a.T @ slope + 2 * relation * bound * b)
        return value, np.concatenate([part.ravel() for part in slopes])

    start = np.random.default_rng(0).normal(size=(columns + features) * rank)
    options = {"maxiter": 50_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9}
    independent = minimize(smooth, start, jac=True, method="L-BFGS-B", options=options).fun
    learned = Mtrl().fit(found, TASKS, {"ridge": ridge, "relation": relation})
    assert objective(learned.weights) <= independent * (1 + 1e-6)
    assert learned.covariance is not None  # and its Ω attains that value of the objective in W and Ω
    inner = np.trace(learned.weights.T @ np.linalg.solve(learned.covariance, learned.weights))
    assert inner == pytest.approx(np.linalg.norm(learned.weights, ord="nuc") ** 2, rel=1e-4)


def test_mtrl_with_much_ridge_forgets_the_relations() -> None:
    weights = Mtrl().fit(statistics(alike()), TASKS, {"ridge": 3.0, "relation": 1e-9}).weights
    np.testing.assert_allclose(weights, ridge_each(3.0), atol=1e-3)


def test_learned_covariances_are_covariances() -> None:
    weights = np.random.default_rng(0).normal(size=(6, 3))
    omega = _covariance(weights)
    assert np.trace(omega) == pytest.approx(1, abs=1e-4)
    assert np.linalg.eigvalsh(omega).min() > 0
    root = omega * np.linalg.norm(weights, ord="nuc")
    np.testing.assert_allclose(root @ root, weights @ weights.T, atol=1e-4)
    np.testing.assert_allclose(_covariance(np.zeros((4, 3))), np.eye(4) / 4)


@pytest.mark.parametrize("clusters", [1, 2, 4])
def test_relaxed_clusters_are_feasible_and_best(clusters: int) -> None:
    rng = np.random.default_rng(clusters)
    weights, eta = rng.normal(size=(6, 3)), 0.1
    relation = _relaxed_clusters(weights, clusters, eta)
    scales = np.linalg.eigvalsh(relation)
    assert scales.min() > -1e-9
    assert scales.max() < 1 + 1e-9
    assert np.trace(relation) == pytest.approx(clusters)

    def cost(m: np.ndarray) -> float:
        return float(np.trace(weights.T @ np.linalg.inv(eta * np.eye(6) + m) @ weights))

    for _ in range(50):
        basis = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        other = basis[:, :clusters] @ basis[:, :clusters].T
        mixed = 0.9 * relation + 0.1 * other  # feasible, too
        assert cost(mixed) >= cost(relation) - 1e-6


def test_a_cluster_for_every_task_is_ridge_per_task() -> None:
    weights = Clustered().fit(statistics(alike()), TASKS, {"clusters": 5, "eta": 0.5, "penalty": 3.0}).weights
    np.testing.assert_allclose(weights, ridge_each(3.0 / 1.5), atol=1e-5)


def test_l21_is_scikit_learns_on_shared_inputs() -> None:
    data = one_input()
    found = statistics(data)
    share = 0.3
    weights = L21(tolerance=1e-10).fit(found, data.outline.tasks, {"share": share}).weights
    x, y = designs(data)[0][0], np.stack([y for _, y in designs(data)], axis=1)
    alpha = share * np.linalg.norm(found.moment, axis=0).max() / len(x)
    theirs = MultiTaskLasso(alpha=alpha, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y).coef_
    np.testing.assert_allclose(weights, theirs, atol=1e-6)
    assert not weights[:, 2:].any()  # features that do not matter are dropped from all tasks


def test_l21_meets_the_conditions_of_an_optimum() -> None:
    found, share = statistics(alike()), 0.4
    least = np.linalg.norm(found.moment, axis=0).max()
    weights = L21(tolerance=1e-12).fit(found, TASKS, {"share": share}).weights
    slope = found.apply(weights) - found.moment
    lengths = np.linalg.norm(weights, axis=0)
    used = lengths > 0
    assert 0 < used.sum() < len(used)
    np.testing.assert_allclose(slope[:, used], -share * least * weights[:, used] / lengths[used], atol=1e-5 * least)
    assert (np.linalg.norm(slope[:, ~used], axis=0) <= share * least * (1 + 1e-9)).all()


def test_trace_meets_the_conditions_of_an_optimum() -> None:
    found, share = statistics(alike()), 0.1
    penalty = share * np.linalg.norm(found.moment, ord=2)
    weights = Trace(tolerance=1e-12, steps=50_000).fit(found, TASKS, {"share": share}).weights
    slope = found.apply(weights) - found.moment
    assert 0 < np.linalg.matrix_rank(weights, tol=1e-8) < 5
    assert np.linalg.norm(slope, ord=2) <= penalty * (1 + 1e-5)
    assert -(slope * weights).sum() == pytest.approx(penalty * np.linalg.norm(weights, ord="nuc"), rel=1e-5)


@pytest.mark.parametrize("learner", [L21(), Trace()])
def test_the_largest_share_gives_no_weights(learner: L21 | Trace) -> None:
    assert not learner.fit(statistics(alike()), TASKS, {"share": 1.0}).weights.any()


@pytest.mark.parametrize("name", LINEAR)
def test_tasks_that_are_alike_gain_over_ridge_per_task(name: str) -> None:
    data = alike(features=12, useless=9, noise=1.5)
    single, joint = scores(run(RidgeLearner(), data)), scores(run(TABLE.build({"name": name}), data))
    assert np.mean(list(joint.values())) < np.mean(list(single.values()))


@pytest.mark.parametrize("name", LINEAR)
def test_validation_and_test_rows_choose_nothing(name: str) -> None:
    data, other = alike(), alike(seed=1)
    strange = type(data)(data.outline, data.train, other.validation, other.test)
    learner = TABLE.build({"name": name, "folds": 2})
    assert chosen(run(learner, data)) == chosen(run(learner, strange))


def test_a_penalty_too_small_for_its_inputs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlbench.learners.relation.solve._STEPS", 1)
    with pytest.raises(MtlbenchError, match="try larger ones"):
        solve(statistics(alike()), np.eye(5) * 1e9 + 1)
