"""Recorded steps, on a tape that a CPU can play: torch's own tracer writes down every kernel of a step with the tensors
it read and wrote, as a CUDA graph does, and plays them again on the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.architectures.base import Architecture
from mtlbench.engine import TABLE
from mtlbench.engine.batches import training_batches
from mtlbench.engine.graph import GraphedStep, graphed
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.penalties import TABLE as PENALTIES
from mtlbench.weightings import TABLE as WEIGHTINGS
from tests import entries
from tests.toy_data import NAMES, make
from tests.toy_forms import fitted

CPU = torch.device("cpu")
# Their drivers ask the device how it went, which ends a recording.
DECOMPOSITIONS = ("svd", "eigh", "qr", "cholesky", "lu")


class Tape:
    """A recorder. Tracing a step also takes it, so what it changed is put back: recording must run nothing.

    What a CUDA graph cannot record is refused, though a CPU could play it.
    """

    def __init__(self, step: Step) -> None:
        self.step, self.recorded, self.replayed = step, 0, 0

    def __call__(self, work: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Callable[[], None]]:
        before = [(tensor, tensor.detach().clone()) for tensor in self._changed()]
        with torch.random.fork_rng(devices=()):
            graph = make_fx(work)()
        kernels = {str(node.target).removeprefix("aten._linalg_").split(".")[0] for node in graph.graph.nodes}
        if found := kernels.intersection(DECOMPOSITIONS):
            raise RuntimeError(f"operation not permitted when stream is capturing: {', '.join(found)}")
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)
        results = torch.zeros(len(NAMES)), torch.zeros(len(NAMES))
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            with torch.no_grad():
                for place, value in zip(results, graph(), strict=True):
                    place.copy_(value)

        return results, replay

    def _changed(self) -> Iterator[Tensor]:
        for group in self.step.optimizer.param_groups:
            for param in group["params"]:
                yield param
                yield from self.step.optimizer.state[param].values()
        yield from (leaf for leaf in torch.utils._pytree.tree_leaves(self.step.state) if isinstance(leaf, Tensor))
        yield self.step.seen


def follow(
    form: str,
    weighting: str,
    recorded: bool,
    batch_size: int = 20,
    architecture: Architecture | None = None,
    penalty: str = "none",
    epochs: int = 4,
) -> tuple[list[Tensor], Tape | None]:
    """Losses and weights of every step."""
    data = make(form)
    model = Model(architecture or ARCHITECTURES.build({"name": "shared"}), data.outline, 0)
    method = WEIGHTINGS.build({"name": weighting, **PARAMETERS.get(weighting, {})})
    state = method.start(NAMES, CPU)
    engine = TABLE.build({"name": "fused"})
    optimizer = OPTIMIZERS.build({"name": "adam", "lr": 0.02})
    built = optimizer.build(model.parameters(), method.parameters(state), engine.recipe.update)
    term = PENALTIES.build({"name": penalty, **PENALTIES.load(penalty).example()})
    step: Any = Step(engine, model, data.outline, method, state, built, term)
    tape = None
    if recorded:
        tape = Tape(step)
        step = GraphedStep(step, tape)
    batches = training_batches(data.train, NAMES, batch_size, 0, CPU)
    found = []
    for epoch in range(1, epochs + 1):
        found += [torch.stack(step(batch)).clone() for batch in batches.epoch(epoch)]
        step.end_epoch()
    return found, tape


PARAMETERS: dict[str, Any] = {"fixed": {"weights": [0.5, 0.3, 0.2]}}
RECORDABLE = [name for name in WEIGHTINGS if entries.weighting(name).recordable]


@pytest.mark.parametrize("weighting", RECORDABLE)
@pytest.mark.parametrize("form", ["shared", "masked", "sets"])
def test_a_replay_is_the_step(form: str, weighting: str) -> None:
    torch.manual_seed(1)
    expected, _ = follow(form, weighting, recorded=False)
    torch.manual_seed(1)
    found, tape = follow(form, weighting, recorded=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert tape is not None
    assert tape.recorded >= 1
    assert tape.replayed > tape.recorded


def assert_recordable(says: bool, **parts: Any) -> None:
    """That a step can be recorded exactly where its parts say so, and is the same step then."""
    parts |= {"weighting": "equal", "epochs": 2}
    if not says:
        with pytest.raises(RuntimeError, match="not permitted"):
            follow(recorded=True, **parts)
        return
    found, tape = follow(recorded=True, **parts)
    assert tape is not None
    assert tape.replayed > tape.recorded
    torch.testing.assert_close(found, follow(recorded=False, **parts)[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_penalty_says_whether_it_can_be_recorded(penalty: str) -> None:
    assert_recordable(entries.penalty(penalty).recordable, form="shared", penalty=penalty)


ARCHITECTURE_CASES = [
    (form, found)
    for name in ARCHITECTURES
    for form in ("sets", "images")
    for ties in ({}, {"tie": "trace"})
    if (found := fitted(name, make(form).outline, **ties)) and (not ties or "tie" in type(found).model_fields)
]


@pytest.mark.parametrize(("form", "architecture"), ARCHITECTURE_CASES)
def test_an_architecture_says_whether_it_can_be_recorded(form: str, architecture: Architecture) -> None:
    assert_recordable(architecture.recordable, form=form, architecture=architecture)


def test_each_form_of_batch_has_a_tape_of_its_own() -> None:
    found, tape = follow("shared", "equal", recorded=True, batch_size=16)  # the last batch of an epoch is smaller
    expected, _ = follow("shared", "equal", recorded=False, batch_size=16)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert tape is not None
    assert tape.recorded == 2


def test_other_engines_step_as_they_are() -> None:
    data = make("shared")
    model = Model(ARCHITECTURES.build({"name": "shared"}), data.outline, 0)
    method = WEIGHTINGS.build({"name": "equal"})
    engine = TABLE.build({"name": "fused"})
    optimizer = OPTIMIZERS.build({"name": "adam"}).build(model.parameters(), [], engine.recipe.update)
    step = Step(engine, model, data.outline, method, method.start(NAMES, CPU), optimizer)
    assert graphed(step) is step


def test_the_cpu_has_no_graphs() -> None:
    (sentence,) = TABLE.build({"name": "fused_graph"}).check("cpu")
    assert "expected CUDA" in sentence
    assert TABLE.build({"name": "fused_graph"}).check("cuda") == []


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_move_the_learning_rate_where_the_graph_reads_it(schedule: str) -> None:
    data = make("shared")
    model = Model(ARCHITECTURES.build({"name": "shared"}), data.outline, 0)
    method, engine = WEIGHTINGS.build({"name": "equal"}), TABLE.build({"name": "fused"})
    optimizer = OPTIMIZERS.build({"name": "adam", "lr": 0.02}).build(model.parameters(), [], engine.recipe.update)
    built = SCHEDULES.build({"name": schedule, **({"every": 1} if schedule == "step" else {})})
    scheduler = built.build(optimizer, 4)
    step = Step(engine, model, data.outline, method, method.start(NAMES, CPU), optimizer)
    recorded = GraphedStep(step, Tape(step))
    for batch in training_batches(data.train, NAMES, 20, 0, CPU).epoch(1):
        recorded(batch)
    places = [group["lr"] for group in optimizer.param_groups]
    for score in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)[: 7 if schedule == "plateau" else 1]:
        scheduler.step(score)
    assert all(group["lr"] is place for group, place in zip(optimizer.param_groups, places, strict=True))
    assert places[0].item() == pytest.approx(0.02) if schedule == "constant" else places[0].item() < 0.02
