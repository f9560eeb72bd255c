"""Loss curves of small trainings, in one process or divided among several; run as a module, one of those processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.core.errors import MtlbenchError
from mtlbench.core.settings import Heads, Train
from mtlbench.engine import TABLE
from mtlbench.engine.batches import training_batches
from mtlbench.engine.common_batch_norm import with_common_batches
from mtlbench.engine.distributed import PeerLostError, World
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.learners import TABLE as LEARNERS
from mtlbench.learners.base import Job, Learner
from mtlbench.optim import OPTIMIZERS, SCHEDULES
from mtlbench.penalties import TABLE as PENALTIES
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import Need
from tests import entries
from tests.toy_data import NAMES, make
from tests.toy_forms import fitted

Case = dict[str, Any]
SIZES = (2, 3)
LEARNED = ("gradient", "affinity", "transfer")
ROWS, BATCH = (
    33,
    16,
)  # batches of 16, 16 and 1 rows: three ranks divide none of them, and all but one have none of the last
ALTERNATIVES: tuple[Any, ...] = ("sum", "famo", {"name": "mgda", "level": "representation"}, "mgda", "modo")


def cases(whole: bool) -> dict[str, Case]:
    """What is compared: weightings and, on the ``whole``, everything else that a step has."""
    masked: list[Case] = [{"weighting": spec} for spec in weightings()]
    masked += [{"weighting": "dwa", "epochs": 4}]
    if whole:
        masked += [{"weighting": w, "engine": "fused", "optimizer": "adam"} for w in ALTERNATIVES]
        engines = [name for name in TABLE if entries.engine(name).divisible]
        masked += [{"engine": name, "optimizer": "adamw"} for name in engines]
        masked += [{"architecture": name} for name in ("mmoe", "cross_stitch", "soft", "ple")]
        masked += [{"optimizer": name} for name in OPTIMIZERS if entries.optimizer(name).divisible]
        masked += [{"penalty": name} for name in PENALTIES]
        masked += [{"penalty": "l21", "weighting": w, "engine": "fused", "optimizer": "adam"} for w in ALTERNATIVES[2:]]
        kinds = ("uncertainty", "nash_mtl", "db_mtl")
        masked += [{"heads": "published", "weighting": w} for w in kinds] + [{"heads": "weighted", "weighting": "famo"}]
    listed = [{"form": "masked", **case} for case in masked]
    if whole:
        listed += [{"form": form, "weighting": w} for form in ("sets", "tokens") for w in ALTERNATIVES[2:]]
        listed += [{"form": form, "weighting": "modo"} for form in ("shared", "stream", "token sets", "pixels")]
        listed += [{"form": "images", "trunk": "resnet", "weighting": w} for w in ("sum", "modo")]
        listed += [{"form": "pixels", "architecture": "mtan", "weighting": w} for w in ALTERNATIVES[1:4]]
    return {" ".join(_words(case)): case for case in listed}


def weightings() -> list[Case]:
    """A weighting of every kind, as far as a step can tell: by what it needs, at which level, and how it combines."""
    found: dict[Any, Case] = {}
    for name in WEIGHTINGS:
        kind = entries.weighting(name)
        on_gramian = "level" in kind.model_fields and Need.JACOBIAN not in kind.needs
        for level in ("parameters", "representation") if on_gramian else ("",):
            spec = {"name": name, **kind.example(), **({"level": level} if level else {})}
            told = (kind.needs, level, kind.learned, kind.random, kind.combine, kind.after_step, kind.after_epoch)
            found.setdefault(told, spec)
    return list(found.values())


def _words(case: Case) -> list[str]:
    words = (value.values() if isinstance(value, dict) else [value] for value in case.values())
    return [str(word) for part in words for word in part]


def curve(
    world: World,
    form: str = "shared",
    architecture: str = "shared",
    trunk: str = "",
    weighting: str | Case = "equal",
    engine: str = "eager",
    optimizer: str = "sgd",
    penalty: str = "none",
    heads: Any = "own",
    dropout: float = 0.0,
    epochs: int = 1,
    device: str = "cpu",
) -> torch.Tensor:
    """Losses and weights [steps, 2, T] of every step."""
    torch.manual_seed(0)
    place = torch.device(device)
    data, built = make(form, rows=ROWS), TABLE.build({"name": engine})
    fitting = fitted(architecture, data.outline, dropout=dropout)
    if trunk:
        fitting = type(fitted(architecture, data.outline)).from_plain({"trunk": {"name": trunk}})  # type: ignore[union-attr]
    assert fitting is not None
    model = Model(fitting, data.outline, 0)
    with_common_batches(model.to(place), world)
    method = WEIGHTINGS.build({"name": weighting} if isinstance(weighting, str) else weighting)
    state = method.start(NAMES, place)
    example = {**OPTIMIZERS.load(optimizer).example(), "lr": 0.05 if optimizer == "sgd" else 0.01}
    update = OPTIMIZERS.build({"name": optimizer, **example})
    torch_optimizer = update.build(model.parameters(), method.parameters(state), built.recipe.update)
    term = PENALTIES.build({"name": penalty, **PENALTIES.load(penalty).example()})
    step = Step(built, model, data.outline, method, state, torch_optimizer, term, Heads(rule=heads), world)
    batches = training_batches(data.train, NAMES, BATCH, 0, place)
    curve = []
    for epoch in range(epochs):
        curve += [torch.stack([value.detach().float() for value in step(batch)]) for batch in batches.epoch(epoch)]
        step.end_epoch()
    world.check_equal(model, "at the end")
    return torch.stack(curve).cpu()


def without_compiler(compile_: Any) -> Callable[..., Any]:
    """torch.compile up to the point where it would call a C++ compiler, which takes many seconds."""
    return lambda function, fullgraph, **_: compile_(function, backend="eager", fullgraph=fullgraph)


def drift(world: World) -> str:
    """What is said where one rank's parameters are not the others'."""
    model = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.constant_(model.bias, float(world.rank))
    try:
        world.check_equal(model, "at the end")
    except MtlbenchError as error:
        return str(error)
    return ""


def lost(world: World) -> bool:
    """Whether a sum fails that the last rank has left."""
    if world.rank == world.size - 1:
        return True
    try:
        world.total(torch.ones(1))
    except PeerLostError:
        return True
    return False


def learned(world: World, name: str) -> list[float]:
    """The records of a learner that stops early, times and memory aside, by its own way from problem to records."""
    usual = Job(
        data=make("masked", rows=ROWS),
        tasks=NAMES,
        architecture=ARCHITECTURES.build({"name": "shared", "hidden": [8]}),
        weighting=WEIGHTINGS.build({"name": "dwa"}),
        engine=TABLE.build({"name": "fused"}),
        optimizer=OPTIMIZERS.build({"name": "adam", "lr": 0.03}),
        schedule=SCHEDULES.build({"name": "plateau", "patience": 1}),
        train=Train(until="plateau", epochs=6, patience=2, patience_steps=1, batch_size=BATCH),
        seed=0,
        device=torch.device("cpu"),
        world=world,
    )
    learner: Learner = LEARNERS.build({"name": name})
    job = replace(usual, tasks=learner.stages(NAMES)[-1])
    return [r.value for r in learner.run(job) if not r.metric.endswith(("seconds", "per_second"))]


def main(rank: int, folder: Path, device: str, *sizes: int) -> None:
    """All that one rank finds in groups of these sizes, to ``<size>-<rank>.pt``."""
    torch.compile = without_compiler(torch.compile)
    for size in (size for size in sizes if rank < size):
        world = World(rank, size, rank, f"{folder}/store{size}")
        with world.joined(device):
            listed = cases(size == max(sizes))
            found: dict[str, Any] = {
                "curves": {name: curve(world, device=device, **case) for name, case in listed.items()},
                "dropout": [curve(world, dropout=0.5, weighting=w, device=device) for w in ("random", "pcgrad")],
            }
            if device == "cpu":
                found["learners"] = {name: learned(world, name) for name in LEARNED}
                found |= {"drift": drift(world), "lost": lost(world)}
            torch.save(found, folder / f"{size}-{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
