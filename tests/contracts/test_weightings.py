"""Every row of the table of weightings."""

from __future__ import annotations

import copy
from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlbench.weightings import TABLE
from mtlbench.weightings.base import GRADIENTS, Claim, Need, Shown, Weighting
from tests import entries
from tests.weightings.jacobians import CPU, SCALES, TASKS, build, descend, matrices, shown

ON_LOSSES = [name for name in TABLE if not entries.weighting(name).needs & GRADIENTS]
ON_GRADIENTS = [name for name in TABLE if name not in ON_LOSSES]
Losses = st.lists(st.floats(1 / 64, 128, width=32), min_size=3, max_size=3).map(torch.tensor)


def even_handed(name: str) -> bool:
    """Whether tasks in another order have the same weights."""
    return not (entries.weighting(name).random or entries.weighting(name).ordered)


def follow(weighting: Weighting, tasks: tuple[str, ...], losses: list[Tensor]) -> list[Tensor]:
    """The weights along three epochs of two steps, learned parameters trained with SGD."""
    torch.manual_seed(0)
    state = weighting.start(tasks, CPU)
    parameters = list(weighting.parameters(state))
    optimizer = torch.optim.SGD(parameters, 0.1) if parameters else None
    found = []
    for epoch in range(3):
        for before, after in pairwise(losses):
            if optimizer:
                optimizer.zero_grad()
            weights, state = weighting.weigh(Shown(before / (epoch + 1)), state)
            found.append(weights.clone())
            if optimizer:
                optimizer.step()
            if Need.LOSSES_AFTER in weighting.needs:
                state = weighting.after_step(after / (epoch + 1), state)
        state = weighting.after_epoch(state)
    return found


@pytest.mark.parametrize("name", ON_LOSSES)
@given(losses=st.lists(Losses, min_size=3, max_size=3))
@settings(max_examples=15, deadline=None)
def test_weights_are_finite_detached_and_one_per_task(name: str, losses: list[Tensor]) -> None:
    for weights in follow(build(name), TASKS, losses):
        assert weights.shape == (3,)
        assert weights.isfinite().all()
        assert entries.weighting(name).signed or (weights >= 0).all()
        assert not weights.requires_grad


UNUSUAL = [
    [0.0, 0.0, 0.0],
    [1.0, 0.0, 2.0],
    [-1.0, 2.0, -3.0],
    [1e-30, 2e-30, 1.0],
    [1e30, 1.0, 2e30],
    [1e30, 3e30, 2e30],
]


@pytest.mark.parametrize("values", UNUSUAL, ids=str)
@pytest.mark.parametrize("tasks", [1, 3, 45])
@pytest.mark.parametrize("name", ON_LOSSES)
def test_losses_of_zero_or_of_any_sign_and_size_give_finite_weights(name: str, tasks: int, values: list[float]) -> None:
    names = tuple(map(str, range(tasks)))
    weighting = TABLE.build({"name": name} | ({"weights": [1.0] * tasks, "normalize": True} if name == "fixed" else {}))
    losses, usual = torch.tensor(values).repeat(15)[:tasks], torch.ones(tasks)
    for line in ([losses, losses / 2, losses / 3], [losses, usual, losses], [usual, losses, usual]):
        for weights in follow(weighting, names, line):
            assert weights.isfinite().all()


@pytest.mark.parametrize("name", [name for name in ON_LOSSES if even_handed(name)])
@given(losses=st.lists(Losses, min_size=3, max_size=3), order=st.permutations(range(3)))
@settings(max_examples=15, deadline=None)
def test_tasks_in_another_order_have_the_same_weights(name: str, losses: list[Tensor], order: list[int]) -> None:
    expected = follow(build(name), TASKS, losses)
    permuted = follow(build(name), tuple(TASKS[t] for t in order), [loss[order] for loss in losses])
    torch.testing.assert_close(torch.stack(permuted), torch.stack(expected)[:, order])


@pytest.mark.parametrize("name", ON_LOSSES)
def test_a_copied_state_goes_its_own_way(name: str) -> None:
    weighting = build(name)
    state = weighting.start(TASKS, CPU)
    losses = torch.tensor([1.0, 2.0, 3.0])
    for _ in range(2):
        _, state = weighting.weigh(Shown(losses), state)
        state = weighting.after_epoch(weighting.after_step(losses / 2, state))
    copied = copy.deepcopy(state)
    torch.manual_seed(0)
    expected, _ = weighting.weigh(Shown(losses), copy.deepcopy(state))
    for _ in range(3):  # other losses change the original alone
        _, state = weighting.weigh(Shown(losses.flip(0)), state)
        state = weighting.after_epoch(weighting.after_step(losses.flip(0) / 9, state))
    torch.manual_seed(0)
    torch.testing.assert_close(weighting.weigh(Shown(losses), copied)[0], expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", TABLE)
def test_random_is_what_draws_from_torchs_generator(name: str) -> None:
    state = torch.get_rng_state()
    weighting, jacobian = build(name), matrices(3)["usual"]
    torch.manual_seed(0)
    before = torch.get_rng_state()
    if name in ON_LOSSES:
        weighting.weigh(Shown(torch.tensor([1.0, 2.0, 3.0])), weighting.start(TASKS, CPU))
    else:
        descend(weighting, [jacobian], seed=None)
    assert weighting.random is not torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(state)


@pytest.mark.parametrize("name", TABLE)
def test_messages_know_it_by_its_name(name: str) -> None:
    assert TABLE.name_of(TABLE.load(name)) == name
    assert TABLE.load(TABLE.name_of(Weighting)) is Weighting


@pytest.mark.parametrize("name", TABLE)
def test_tasks_that_fit_raise_no_objection(name: str) -> None:
    assert build(name).check(TASKS) == []


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ON_GRADIENTS)
def test_gradients_of_every_kind_and_scale_give_finite_directions(name: str, scale: float) -> None:
    for kind, jacobian in matrices(3).items():
        for weights, direction in descend(build(name), [scale * jacobian, scale * jacobian.flip(1)]):
            assert weights.shape == (3,), kind
            assert weights.dtype == jacobian.dtype, kind
            assert not weights.requires_grad, kind
            assert weights.isfinite().all(), kind
            assert direction.shape == jacobian.shape[1:], kind
            assert direction.isfinite().all(), kind


def extremes(tasks: int) -> dict[str, list[Tensor]]:
    """Steps of gradients [T, n] of the sizes that float32 holds, and from one of them to another."""
    usual = torch.randn(tasks, 20, generator=torch.Generator().manual_seed(tasks))
    sizes = {f"{size:g}": [size * usual, size * usual.flip(1)] for size in (0.0, 1e-30, 1e-20, 1e18, 1e30)}
    jumps = {f"{a:g} to {b:g}": [a * usual, b * usual, a * usual] for a, b in permutations((0.0, 1e-30, 1.0, 1e30), 2)}
    return {**sizes, **jumps}


@pytest.mark.parametrize("tasks", [1, 3, 45])
@pytest.mark.parametrize("name", ON_GRADIENTS)
def test_gradients_and_losses_of_every_size_give_finite_weights(name: str, tasks: int) -> None:
    """One size in all tasks. Only where lambda is a power of it, as a weighting says by what it does not claim, may it
    leave the range of float32: then training ends with the weighting's name (``learners.loops.divergence``).
    """
    weighting, names = build(name), tuple(map(str, range(tasks)))
    if weighting.check(names):
        return
    free = bool(weighting.claims & (Claim.HOMOGENEOUS | Claim.LINEAR | Claim.INVARIANT | Claim.CONVEX))
    values = UNUSUAL if Need.LOSSES in weighting.needs else [[1.0, 1.0, 1.0]]
    losses = [torch.tensor(some).repeat(15)[:tasks] for some in values]
    for kind, jacobians in extremes(tasks).items():
        for loss in losses:
            torch.manual_seed(0)
            state = weighting.start(names, CPU)
            for jacobian in jacobians:
                weights, state = weighting.weigh(shown(weighting, jacobian, loss), state)
                assert weights.isfinite().all() or not free, (kind, loss)
                state = weighting.after_epoch(state)


@pytest.mark.parametrize("kind", matrices(3))
@pytest.mark.parametrize("name", [name for name in ON_GRADIENTS if even_handed(name)])
def test_task_gradients_in_another_order_have_the_same_weights(name: str, kind: str) -> None:
    for seed in range(3):
        jacobians = [matrices(3, seed=seed + step)[kind] for step in range(2)]
        expected = descend(build(name), jacobians)
        for order in map(list, permutations(range(3))):
            permuted = descend(build(name), [jacobian[order] for jacobian in jacobians])
            for (weights, direction), (wanted, wanted_direction), jacobian in zip(
                permuted, expected, jacobians, strict=True
            ):
                lengths = jacobian.double().norm(dim=1)
                rounding = 1e-5 * (wanted.abs().double() @ lengths)
                off = (weights - wanted[order]).abs().double()
                assert (off <= 1e-3 * wanted[order].abs() + 1e-4 + rounding / lengths[order].clamp_min(1e-300)).all()
                torch.testing.assert_close(direction, wanted_direction, rtol=1e-3, atol=float(rounding))


@pytest.mark.parametrize("name", ON_GRADIENTS)
def test_one_task_alone_descends(name: str) -> None:
    weighting = build(name)
    if weighting.check(("a",)):
        return
    jacobian = matrices(3)["usual"][:1]
    ((_, direction),) = descend(weighting, [jacobian])
    assert torch.cosine_similarity(direction, jacobian[0], dim=0) > 0.999


@pytest.mark.parametrize("name", [name for name in TABLE if entries.weighting(name).needs & GRADIENTS])
def test_a_weighting_on_gradients_takes_a_level_or_says_why_not(name: str) -> None:
    kind = TABLE.load(name)
    assert ("level" in kind.model_fields) != ("No ``level``: " in " ".join((kind.__doc__ or "").split()))
