"""Cosines and lookahead affinities against autograd, task by task; training is as if nobody looked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from math import isfinite
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.record import COSINE, LOOKAHEAD_AFFINITY, Record
from mtlbench.core.settings import Train
from mtlbench.engine.batches import Batch
from mtlbench.learners import TABLE
from mtlbench.learners.base import Job
from mtlbench.learners.loops.probing import Probing
from tests.contracts.test_learners import job, untimed
from tests.toy_data import NAMES, make

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def measured(records: list[Record]) -> dict[tuple[str, str, str, int], float]:
    return {(r.task, r.other, r.metric, r.step): r.value for r in records if r.other}


def short(**changes: Any) -> Job:
    return job(train=Train(epochs=2, batch_size=16), **changes)


def test_values_are_those_of_the_formulas() -> None:
    probing = Probing(short(), 1)
    probing.epoch(1)
    found = measured(probing.records)
    model, batch = probing.model.eval(), next(probing.batches.epoch(2))
    lr, shared = probing.optimizer.param_groups[0]["lr"], list(model.shared.parameters())
    kinds: tuple[Callable[..., torch.Tensor], ...] = (F.cross_entropy, F.binary_cross_entropy_with_logits, F.mse_loss)

    def losses() -> list[torch.Tensor]:
        outputs = model(batch.inputs)
        return [kind(outputs[name], target) for kind, name, target in zip(kinds, NAMES, batch.targets, strict=True)]

    before = losses()
    gradients = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in before]
    flat = [torch.cat([part.flatten() for part in gradient]) for gradient in gradients]
    for i, j in permutations(range(3), 2):
        cosine = F.cosine_similarity(flat[i], flat[j], dim=0).item()
        assert found[NAMES[i], NAMES[j], COSINE, 1] == pytest.approx(cosine, abs=1e-5)
        with torch.no_grad():
            for parameter, part in zip(shared, gradients[i], strict=True):
                parameter.sub_(lr * part)
            affinity = 1 - losses()[j].item() / before[j].item()
            for parameter, part in zip(shared, gradients[i], strict=True):
                parameter.add_(lr * part)
        assert found[NAMES[i], NAMES[j], LOOKAHEAD_AFFINITY, 1] == pytest.approx(affinity, abs=1e-5)


def test_a_step_for_a_task_helps_itself_and_training_does_not_notice() -> None:
    plain = untimed(TABLE.build({"name": "gradient"}).run(short()))
    looked = untimed(TABLE.build({"name": "affinity"}).run(short()))
    assert [record for record in looked if not record.other] == plain
    assert len(looked) - len(plain) == 2 * 2 * 3 * 2  # epochs, measures, tasks, other tasks


def test_nothing_is_measured_where_nothing_is_shared() -> None:
    alone = replace(short(), architecture=ARCHITECTURES.build({"name": "single", "hidden": [8]}))
    assert not measured(TABLE.build({"name": "affinity"}).run(alone))
    assert not measured(TABLE.build({"name": "affinity"}).run(replace(short(), tasks=NAMES[:1])))


def test_labels_at_positions_with_masks_are_compared_too() -> None:
    data = make("pixels")
    architecture = ARCHITECTURES.build({"name": "shared", "trunk": "cnn", "pooling": 1})
    probing = Probing(short(data=data, tasks=data.outline.names, architecture=architecture), 1)
    probing.epoch(1)
    assert all(isfinite(value) for value in measured(probing.records).values())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_recurrent_layers_are_looked_at_without_cudnn(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its recurrent layers have a backward pass in training mode alone."""
    data, seen, losses = make("tokens"), [], Probing._losses

    def watched(self: Probing, batch: Batch) -> torch.Tensor:
        seen.append(torch.backends.cudnn.enabled)
        return losses(self, batch)

    monkeypatch.setattr(Probing, "_losses", watched)
    enabled, architecture = torch.backends.cudnn.enabled, ARCHITECTURES.build({"name": "shared", "trunk": "lstm"})
    probing = Probing(short(data=data, architecture=architecture, device=torch.device(device)), 1)
    probing.epoch(1)
    assert seen == [False] * (1 + len(NAMES))
    assert torch.backends.cudnn.enabled is enabled is True
    assert all(isfinite(value) for value in measured(probing.records).values())
