"""Which epoch is the best, when training stops, and whose weights are kept."""

from __future__ import annotations

import pytest
import torch

from mtlbench.architectures.shared import Shared
from mtlbench.core.errors import MtlbenchError
from mtlbench.core.score import relative_score
from mtlbench.core.settings import EarlyStopping
from mtlbench.core.task import Outline, TaskSpec
from mtlbench.engine.model import Model
from mtlbench.learners.loops.early_stopping import BestEpoch, check_scored

START = {"a": 2.0, "b": 100.0}


@pytest.fixture
def model() -> Model:
    return Model(Shared.from_plain({"hidden": []}), Outline((TaskSpec("a", 1, "mse"),), (1,), 9), 0)


def follow(best: BestEpoch, model: Model, losses: list[tuple[float, float]], first: dict[str, float] = START) -> int:
    """Feed epochs until it says stop; every epoch sets all weights to its number."""
    for epoch, (a, b) in enumerate(losses, start=1):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(epoch)
        if best.update(epoch, 4 * epoch, relative_score({"a": a, "b": b}, first)):
            return epoch
    return len(losses)


def test_losses_count_relative_to_the_initial_weights(model: Model) -> None:
    best = BestEpoch(EarlyStopping(patience=2), model)
    # a halves while b grows by a tenth of its start: better; then b halves while a grows back: as good, so no better.
    assert follow(best, model, [(2.0, 100.0), (1.0, 110.0), (1.9, 65.0), (2.0, 60.0), (0.0, 0.0)]) == 4
    assert best.restore() == 2
    assert all(bool((parameter == 2).all()) for parameter in model.parameters())


def test_a_small_decrease_is_no_improvement(model: Model) -> None:
    best = BestEpoch(EarlyStopping(patience=1, min_delta=0.1), model)
    assert follow(best, model, [(1.0, 100.0), (0.9, 100.0), (0.0, 0.0)]) == 2
    assert best.restore() == 1


def test_the_initial_weights_are_no_candidate(model: Model) -> None:
    best = BestEpoch(EarlyStopping(patience=1), model)
    assert follow(best, model, [(9.0, 900.0), (8.0, 900.0), (9.0, 900.0), (0.0, 0.0)]) == 3
    assert best.restore() == 2


def test_without_early_stopping_the_last_epoch_is_kept(model: Model) -> None:
    best = BestEpoch(None, model)
    assert follow(best, model, [(1.0, 1.0), (2.0, 2.0)]) == 2
    assert best.restore() == 2
    assert all(bool((parameter == 2).all()) for parameter in model.parameters())


def test_a_task_that_starts_at_zero_loss_or_has_no_label_does_not_count(model: Model) -> None:
    best = BestEpoch(EarlyStopping(patience=1), model)
    assert follow(best, model, [(0.0, 50.0), (9.0, 40.0)], {"a": 0.0, "b": 100.0}) == 2
    assert best.restore() == 2
    with pytest.raises(MtlbenchError, match="expect labelled rows in the validation split"):
        check_scored({})


def test_buffers_are_kept_with_the_parameters(model: Model) -> None:
    model.register_buffer("statistics", torch.zeros(1))
    best = BestEpoch(EarlyStopping(patience=2), model)
    for epoch, loss in enumerate([1.0, 3.0], start=1):
        model.get_buffer("statistics").fill_(epoch)
        best.update(epoch, 4 * epoch, relative_score({"a": loss, "b": 100.0}, START))
    assert best.restore() == 1
    assert float(model.get_buffer("statistics")) == 1.0
