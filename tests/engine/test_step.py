"""One training step against the same step written out."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtlbench.architectures.shared import Shared
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine import TABLE
from mtlbench.engine.batches import Batch, training_batches
from mtlbench.engine.gradients import as_matrix
from mtlbench.engine.losses import Kinds, kernel, reference
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import Need, Shown, Weighting
from tests.toy_data import NAMES, make

CPU = torch.device("cpu")


def build(weighting: Weighting, outline: Outline, engine: str = "eager", **optimizer: Any) -> tuple[Step, Model]:
    model = Model(Shared.from_plain({"hidden": [8]}), outline, 0)
    state = weighting.start(outline.names, CPU)
    spec = {"name": "sgd", "lr": 0.1, **optimizer}
    built = TABLE.build({"name": engine})
    torch_optimizer = OPTIMIZERS.build(spec).build(model.parameters(), weighting.parameters(state), built.recipe.update)
    return Step(built, model, outline, weighting, state, torch_optimizer), model


@pytest.mark.parametrize("optimizer", [{"name": "momentum", "momentum": 0.9}, {"name": "adam"}, {"name": "adamw"}])
def test_equal_weights_train_as_a_plain_loop_does(optimizer: dict[str, Any]) -> None:
    data = make("shared")
    step, model = build(WEIGHTINGS.build({"name": "equal"}), data.outline, lr=0.01, **optimizer)
    plain = Model(Shared.from_plain({"hidden": [8]}), data.outline, 0)
    kind = {"momentum": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer.pop("name")]
    torch_optimizer = kind(plain.parameters(), lr=0.01, **optimizer)
    for batch in training_batches(data.train, NAMES, 16, 0, CPU).epoch(1):
        losses, weights = step(batch)
        outputs = plain(batch.inputs)
        expected = torch.stack([
            F.cross_entropy(outputs["kind"], batch.targets[0]),
            F.binary_cross_entropy_with_logits(outputs["sign"], batch.targets[1]),
            F.mse_loss(outputs["sum.total"], batch.targets[2]),
        ])  # fmt: skip
        torch_optimizer.zero_grad()
        expected.mean().backward()
        torch_optimizer.step()
        torch.testing.assert_close(losses, expected)
        assert weights.tolist() == [pytest.approx(1 / 3)] * 3
    for found, wanted in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_uncertainty_trains_its_variances_with_the_model() -> None:
    data = make("shared")
    weighting = WEIGHTINGS.build({"name": "uncertainty"})
    step, _ = build(weighting, data.outline, weight_decay=0.5)
    batch = next(training_batches(data.train, NAMES, 16, 0, CPU).epoch(1))
    losses, weights = step(batch)
    assert weights.tolist() == [0.5] * 3
    (log_variance,) = weighting.parameters(step.state)
    torch.testing.assert_close(log_variance.detach(), -0.1 * (1 - losses) / 2)  # one SGD step from 0, no decay


class Recorder(Weighting):
    """Shows what a weighting is shown."""

    needs: ClassVar[Need] = Need.LOSSES | Need.LOSSES_AFTER

    def start(self, tasks: tuple[str, ...], device: torch.device) -> list[tuple[str, list[float]]]:
        return []

    def weigh(self, shown: Shown, state: Any) -> tuple[Tensor, Any]:
        assert not shown.losses.requires_grad
        return torch.ones_like(shown.losses), [*state, ("before", shown.losses.tolist())]

    def after_step(self, losses: Tensor, state: Any) -> Any:
        assert not losses.requires_grad
        return [*state, ("after", losses.tolist())]

    def after_epoch(self, state: Any) -> Any:
        return [*state, ("epoch", [])]


def test_losses_after_the_update_are_of_the_same_batch() -> None:
    data = make("shared")
    step, _ = build(Recorder(), data.outline)
    batch = next(training_batches(data.train, NAMES, 16, 0, CPU).epoch(1))
    step(batch)
    step.end_epoch()
    (_, before), (_, after), (last, _) = step.state
    assert last == "epoch"
    with torch.no_grad():
        now = step.losses(batch.inputs, batch.targets, batch.masks)
    assert after == now.tolist()
    assert sum(after) < sum(before)


def test_a_task_without_a_label_is_shown_by_its_last_loss() -> None:
    outline = Outline((TaskSpec("a", 1, "mse"), TaskSpec("b", 1, "mse")), (2,), 9)
    step, model = build(Recorder(), outline)
    x, y = torch.randn(4, 2), torch.randn(4, 1)

    def batch(known: bool) -> Batch:
        mask = torch.full((4,), known)
        return Batch(x, [y, y], [None, mask], torch.tensor([4.0, float(mask.sum())]), 4)

    head = [parameter.clone() for parameter in model.task_parameters("b")]
    losses, _ = step(batch(False))
    assert losses[1] == 0
    assert all(map(torch.equal, head, model.task_parameters("b")))
    step(batch(True))
    step(batch(False))
    shown = [loss for _, (_, loss) in step.state]
    assert shown[:2] == [1, 1]  # nothing known yet
    assert shown[2] != shown[3]
    assert shown[4:] == [shown[3]] * 2


@pytest.mark.parametrize("engine", ["eager", "fused"])
def test_shared_parameters_descend_the_weighted_gradients_and_heads_their_share_of_the_mean(engine: str) -> None:
    data = make("shared")
    weighting = WEIGHTINGS.build({"name": "mgda"})
    step, model = build(weighting, data.outline, engine, name="adam", eps=1e3, lr=1e3)  # nearly sgd
    batch = next(training_batches(data.train, NAMES, 16, 0, CPU).epoch(1))
    losses = step.losses(batch.inputs, batch.targets, batch.masks)
    shared, before = list(model.shared.parameters()), [p.detach().clone() for p in model.parameters()]
    rows = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses]
    heads = [
        torch.autograd.grad(losses[t], model.task_parameters(name), retain_graph=True) for t, name in enumerate(NAMES)
    ]
    found, weights = step(batch)
    torch.testing.assert_close(found, losses.detach())
    assert weights.sum() == pytest.approx(1)
    wanted = [sum(w * g for w, g in zip(weights, column, strict=True)) for column in zip(*rows, strict=True)]
    wanted += [g / 3 for head in heads for g in head]
    moved = [old - new.detach() for old, new in zip(before, model.parameters(), strict=True)]
    for change, gradient in zip(moved, wanted, strict=True):
        torch.testing.assert_close(change, gradient, rtol=2e-2, atol=1e-5)


def test_gradients_at_the_representation_are_those_of_its_rows() -> None:
    data = make("shared")
    weighting = WEIGHTINGS.build({"name": "mgda", "level": "representation"})
    step, model = build(weighting, data.outline)
    batch = next(training_batches(data.train, NAMES, 16, 0, CPU).epoch(1))
    z = model.represent(batch.inputs).detach().requires_grad_()
    outputs = model.predict(z)
    losses = reference([outputs[n] for n in NAMES], batch.targets, Kinds.of(data.outline.tasks), batch.masks)
    rows = torch.stack([torch.autograd.grad(loss, z, retain_graph=True)[0].flatten() for loss in losses])
    expected, _ = weighting.weigh(Shown(losses.detach(), rows @ rows.T), None)
    torch.testing.assert_close(step(batch)[1], expected)


@pytest.mark.parametrize("form", ["shared", "masked"])
def test_halves_of_a_batch_together_have_its_gradients(form: str) -> None:
    data = make(form)
    batch = next(training_batches(data.train, NAMES, 16, 0, CPU).epoch(1))
    whole = build(WEIGHTINGS.build({"name": "mgda"}), data.outline)[0].gradients(batch)
    parts = build(WEIGHTINGS.build({"name": "modo"}), data.outline)[0].gradients(batch)
    torch.testing.assert_close(parts.losses, whole.losses)
    torch.testing.assert_close(as_matrix(parts.rows, parts.shared, CPU), as_matrix(whole.rows, whole.shared, CPU))
    assert parts.crossed is not None
    assert parts.crossed.shape == (3, 3)


def test_the_model_is_left_in_the_mode_it_was_in() -> None:
    data = make("shared")
    step, model = build(WEIGHTINGS.build({"name": "famo"}), data.outline)
    model.eval()
    step(next(training_batches(data.train, NAMES, 16, 0, CPU).epoch(1)))
    assert not any(module.training for module in model.modules() if isinstance(module, nn.Linear))


@pytest.mark.parametrize("losses_by", [reference, kernel])
@pytest.mark.parametrize("values", [1, 3])
def test_a_mask_of_positions_hides_all_values_of_a_position(losses_by: Any, values: int) -> None:
    """Height and width equal the number of values, so that a mask read in the wrong order would fit, too."""
    chance = torch.Generator().manual_seed(0)
    output, target = torch.randn(2, 5, values, 3, 3, generator=chance)
    mask = torch.rand(5, 3, 3, generator=chance) < 0.6
    loss = losses_by([output, output], [target, target], Kinds(["mse", "cosine"], [1.0, 1.0]), [mask, mask])
    error = (output - target).movedim(1, -1)[mask]
    angle = 1 - F.cosine_similarity(output, target, dim=1)[mask]
    torch.testing.assert_close(loss, torch.stack([error.square().mean(), angle.mean()]))
