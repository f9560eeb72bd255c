"""What a task's own parameters descend, against every rule written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.settings import Heads, HeadsRule
from mtlbench.core.task import Data, Outline
from mtlbench.engine import TABLE
from mtlbench.engine.batches import Batch, training_batches
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import GRADIENTS, Need, Shown, Weighting
from tests import entries
from tests.toy_data import NAMES, make
from tests.toy_forms import fitted

CPU = torch.device("cpu")
RULES: tuple[HeadsRule, ...] = ("own", "weighted", "published")
FACTORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "weighted": lambda losses, weights: weights,
    "mean": lambda losses, weights: torch.full_like(losses, 1 / len(losses)),
    "unweighted": lambda losses, weights: torch.ones_like(losses),
    "logarithm": lambda losses, weights: 1 / losses,
}
# What the papers' code does, so that a changed declaration is noticed.
PUBLISHED = {"nash_mtl": "weighted", "fairgrad": "weighted", "excess_mtl": "weighted", "gradnorm": "weighted",
             "auto_lambda": "weighted", "db_mtl": "logarithm"}  # fmt: skip


def batches(data: Data, tasks: tuple[str, ...], dtype: torch.dtype = torch.float64) -> Iterator[Batch]:
    """Two epochs of batches."""
    split = training_batches(data.train, tasks, 20, 0, CPU)
    for epoch in (1, 2):
        for batch in split.epoch(epoch):
            yield torch.utils._pytree.tree_map_only(
                Tensor, lambda x: x.to(dtype) if x.is_floating_point() else x, batch
            )


def build(
    weighting: Weighting,
    outline: Outline,
    rule: HeadsRule = "own",
    architecture: str = "shared",
    dtype: torch.dtype = torch.float64,
) -> tuple[Step, Model]:
    """A step of plain gradient descent and its model."""
    fitting = fitted(architecture, outline)
    assert fitting is not None
    model = Model(fitting, outline, 0).to(dtype)
    state = weighting.start(outline.names, CPU)
    optimizer = OPTIMIZERS.build({"name": "sgd", "lr": 0.1})
    built = optimizer.build(model.parameters(), weighting.parameters(state), "loop")
    engine = TABLE.build({"name": "eager"})
    return Step(engine, model, outline, weighting, state, built, heads=Heads(rule=rule)), model


def example(name: str) -> Weighting:
    return cast(Weighting, WEIGHTINGS.build({"name": name, **_example(name)}))


def _example(name: str) -> dict[str, Any]:
    return {"weights": [0.7, 0.1, 0.2]} if name == "fixed" else WEIGHTINGS.load(name).example()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", WEIGHTINGS)
def test_own_parameters_descend_what_the_rule_says_and_shared_ones_do_not_care(name: str, rule: HeadsRule) -> None:
    data = make("shared")
    step, model = build(example(name), data.outline, rule, dtype=torch.float32)  # what weightings keep their state in
    other, shared = build(example(name), data.outline, "published", dtype=torch.float32)
    batch = next(batches(data, NAMES, torch.float32))
    losses = step.losses(batch.inputs, batch.targets, batch.masks)
    own = {task: model.task_parameters(task) for task in NAMES}
    gradients = {task: torch.autograd.grad(losses[t], own[task], retain_graph=True) for t, task in enumerate(NAMES)}
    before = {task: [p.detach().clone() for p in own[task]] for task in NAMES}
    torch.manual_seed(0)
    found, weights = step(batch)
    torch.manual_seed(0)
    _, same = other(batch)
    torch.testing.assert_close(found, losses.detach())
    torch.testing.assert_close(weights, same)
    expected = PUBLISHED.get(name, "unweighted" if entries.weighting(name).needs & GRADIENTS else "weighted")
    kind = {"own": "mean", "weighted": "weighted", "published": expected}[rule]
    factors = FACTORS["weighted" if name == "equal" else kind](losses.detach(), weights)
    for factor, task in zip(factors, NAMES, strict=True):
        for old, new, gradient in zip(before[task], own[task], gradients[task], strict=True):
            torch.testing.assert_close(old - new.detach(), 0.1 * factor * gradient, rtol=1e-3, atol=1e-7)
    for p, q in zip(model.shared_parameters(), shared.shared_parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


class Mean(Weighting):
    """lambda_t = 1/T, found from whatever it is told to need."""

    asks: int

    @property
    def needs(self) -> Need:  # type: ignore[override]  # a class variable elsewhere
        return Need(self.asks)

    def start(self, tasks: tuple[str, ...], device: torch.device) -> None:
        return None

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        return torch.full_like(shown.losses, 1 / len(shown.losses)), state

    def combine(self, jacobian: Tensor, weights: Tensor, state: Any) -> Tensor:
        return weights.to(jacobian.dtype) @ jacobian


PAIR = NAMES[:2]  # 1/2 is the same number in every precision
MEANS: dict[str, Weighting] = {
    "cagrad": WEIGHTINGS.build({"name": "cagrad", "c": 0.0}),
    "cagrad representation": WEIGHTINGS.build({"name": "cagrad", "c": 0.0, "level": "representation"}),
    "trimmed_mean": WEIGHTINGS.build({"name": "trimmed_mean", "trim": 0}),
    "fixed": WEIGHTINGS.build({"name": "fixed", "weights": [0.5, 0.5]}),
    **{f"mean by {need.name}": Mean(asks=need.value) for need in Need},
}
SHARING = [(name, form) for name in ARCHITECTURES for form in ("shared", "masked", "sets", "images")
           if fitted(name, make(form).outline.only(PAIR))]  # fmt: skip


@cache
def trained_on_equal(architecture: str, form: str) -> tuple[list[Tensor], list[Tensor]]:
    """Losses of every step, and parameters at the end, with equal weights."""
    data = make(form)
    step, model = build(example("equal"), data.outline.only(PAIR), architecture=architecture)
    return [step(batch)[0] for batch in batches(data, PAIR)], list(model.parameters())


@pytest.mark.parametrize(("architecture", "form"), SHARING)
@pytest.mark.parametrize("method", MEANS)
def test_whatever_weighs_all_tasks_by_their_number_is_equal(method: str, architecture: str, form: str) -> None:
    data = make(form)
    if "representation" in method and architecture == "single":
        pytest.skip("nothing is shared")
    step, model = build(MEANS[method], data.outline.only(PAIR), architecture=architecture)
    expected, parameters = trained_on_equal(architecture, form)
    if "CROSSED" in method and any("num_batches_tracked" in name for name, _ in model.named_buffers()):
        pytest.skip("each half of a batch is normalised by itself")
    for batch, plain in zip(batches(data, PAIR), expected, strict=True):
        losses, weights = step(batch)
        torch.testing.assert_close(losses, plain, rtol=1e-9, atol=1e-12)
        assert weights.tolist() == pytest.approx([0.5, 0.5], abs=1e-12)
    for p, q in zip(model.parameters(), parameters, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-8, atol=1e-11)


def test_equal_weights_take_the_same_path_under_every_rule() -> None:
    data, ends = make("shared"), []
    for rule in RULES:
        step, model = build(example("equal"), data.outline, rule)
        assert step.backward == step._weigh_losses
        for batch in batches(data, NAMES):
            step(batch)
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])


@pytest.mark.parametrize("name", [n for n in WEIGHTINGS if not (entries.weighting(n).nominal)])
def test_weights_that_can_be_negative_are_declared(name: str) -> None:
    """Gradients that nearly cancel, of lengths far apart, on which a weighting that ever reverses does."""
    weighting, generator = example(name), torch.Generator().manual_seed(0)
    lowest = 0.0
    for _ in range(60):
        jacobian = torch.randn(3, 4, generator=generator) * torch.tensor([[1.0], [3.0], [0.1]])
        jacobian[1] = 0.9 * jacobian[1] - jacobian[0]
        gramian = jacobian @ jacobian.T
        losses = torch.rand(3, generator=generator).pow(4) * 9 + 1e-3
        state = weighting.start(NAMES, CPU)
        shown = Shown(losses, gramian, jacobian, gramian)
        if not weighting.needs & Need.JACOBIAN:
            shown = shown._replace(jacobian=None)
        if not weighting.needs & Need.CROSSED:
            shown = shown._replace(crossed=None)
        lowest = min(lowest, float(weighting.weigh(shown, state)[0].min()))
    assert (lowest < -1e-6) == weighting.reversing, lowest
