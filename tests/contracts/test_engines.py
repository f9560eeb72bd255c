"""Every engine trains as eager does, on every architecture and form of problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch

from mtlbench.architectures import TABLE as ARCHITECTURES
from mtlbench.architectures.shared import Shared
from mtlbench.core.settings import Heads, HeadsRule
from mtlbench.engine import TABLE
from mtlbench.engine.batches import training_batches
from mtlbench.engine.model import Model
from mtlbench.engine.step import Step
from mtlbench.optim import OPTIMIZERS
from mtlbench.penalties import TABLE as PENALTIES
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import GRADIENTS
from tests import entries
from tests.toy_data import NAMES, POSITIONED, make
from tests.toy_forms import fitted

# torch meets it behind a break of the graph and hides it, but not from tests for which a warning is an error.
hidden_by_torch = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
CPU = torch.device("cpu")
WITHOUT_EAGER = sorted(set(TABLE) - {"eager"})
COMPILING = {name for name in TABLE if entries.engine(name).recipe.wrapper == "compile"}
OUTLINES = {form: make(form).outline for form in ("shared", "masked", "sets", "images")}
CASES = [  # images for those architectures alone that take no vectors
    (name, form)
    for name in ARCHITECTURES
    for form, outline in OUTLINES.items()
    if fitted(name, outline) and not (form == "images" and fitted(name, OUTLINES["shared"]))
]


def curve(
    engine: str,
    form: str = "shared",
    architecture: str = "shared",
    optimizer: str = "adam",
    weighting: str | dict[str, Any] = "equal",
    batch_size: int = 20,
    penalty: str = "none",
    lr: float = 0.02,
    heads: HeadsRule = "own",
    trunk: str = "",
) -> torch.Tensor:
    """The task losses of every step of two epochs, with dropout where the architecture has it.

    The architecture has a trunk that fits, or is shared with the one that is named.
    """
    data, built = make(form), TABLE.build({"name": engine})
    if built.check("cpu"):
        pytest.skip("; ".join(built.check("cpu")))
    torch.manual_seed(0)
    named = Shared.from_plain({"trunk": trunk, "hidden": [4]}) if trunk else None
    fitting = named or fitted(architecture, data.outline, dropout=0.2)
    assert fitting is not None
    model = Model(fitting, data.outline, 0)
    method = WEIGHTINGS.build({"name": weighting} if isinstance(weighting, str) else weighting)
    state = method.start(NAMES, CPU)
    update = OPTIMIZERS.build({"name": optimizer, **OPTIMIZERS.load(optimizer).example(), "lr": lr})
    torch_optimizer = update.build(model.parameters(), method.parameters(state), built.recipe.update)
    term = PENALTIES.build({"name": penalty, **PENALTIES.load(penalty).example()})
    step = Step(built, model, data.outline, method, state, torch_optimizer, term, Heads(rule=heads))
    batches = training_batches(data.train, NAMES, batch_size, 0, CPU)
    return torch.stack([step(batch)[0] for epoch in (1, 2) for batch in batches.epoch(epoch)])


def assert_as_eager(engine: str, **settings: Any) -> None:
    torch.testing.assert_close(curve(engine, **settings), eagers(**settings), rtol=1e-4, atol=1e-5)


def eagers(**settings: Any) -> torch.Tensor:
    """What every other engine is compared with, trained once."""
    return _eagers(json.dumps(settings, sort_keys=True))


@cache
def _eagers(settings: str) -> torch.Tensor:
    return curve("eager", **json.loads(settings))


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch.compile up to the point where it would call a C++ compiler, which takes many seconds."""
    compile_: Callable[..., Any] = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, fullgraph, **_: compile_(f, backend="eager", fullgraph=fullgraph))
    yield
    torch.compiler.reset()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
@pytest.mark.parametrize(("architecture", "form"), CASES)
def test_the_loss_curve_is_eagers(engine: str, form: str, architecture: str) -> None:
    assert_as_eager(engine, form=form, architecture=architecture)


@hidden_by_torch
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
@pytest.mark.parametrize("form", POSITIONED)
def test_labels_at_positions_train_as_eager_does(engine: str, form: str) -> None:
    assert_as_eager(engine, form=form)


@hidden_by_torch
@pytest.mark.parametrize("weighting", ["equal", "mgda"])
@pytest.mark.parametrize("trunk", ["lstm", "gru"])
def test_torch_compile_leaves_recurrent_layers_to_eager(
    monkeypatch: pytest.MonkeyPatch, trunk: str, weighting: str
) -> None:
    """It would unroll them, and compile a graph of all their steps for minutes."""
    seen: set[str] = set()

    def noting(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        seen.update(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    compile_: Callable[..., Any] = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, fullgraph, **_: compile_(f, backend=noting, fullgraph=fullgraph))
    assert_as_eager("compiled", form="tokens", weighting=weighting, trunk=trunk)
    assert seen
    assert not any(trunk in target for target in seen), seen
    torch.compiler.reset()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
def test_batches_of_several_sizes_and_losses_after_the_step(engine: str) -> None:
    assert_as_eager(engine, weighting="famo", batch_size=16)


@pytest.mark.parametrize("engine", [name for name in WITHOUT_EAGER if entries.engine(name).recipe.wrapper == "none"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_has_every_update(engine: str, optimizer: str) -> None:
    example = OPTIMIZERS.load(optimizer).example()
    refused = OPTIMIZERS.build({"name": optimizer, **example}).check(entries.engine(engine).recipe.update)
    if refused:
        pytest.skip(refused[0])
    weighting = "uncertainty" if entries.optimizer(optimizer).trains_weightings else "equal"
    assert_as_eager(engine, optimizer=optimizer, weighting=weighting)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(optimizer: str) -> None:
    losses = curve("eager", optimizer=optimizer, batch_size=1000, lr=1e-3).mean(1)
    assert losses[-1] < losses[0]


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_every_penalty_is_eagers(engine: str, penalty: str) -> None:
    assert_as_eager(engine, penalty=penalty)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_penalty_that_adds_something_changes_the_curve(penalty: str) -> None:
    outline = make().outline
    built = PENALTIES.build({"name": penalty, **PENALTIES.load(penalty).example()})
    term = built.term(*Model(Shared(), outline, 0).trunk_and_heads())
    assert torch.equal(curve("eager", penalty=penalty), curve("eager")) is (term is None)


LEVELS = ("parameters", "representation")


def with_levels() -> list[dict[str, Any]]:
    """Every weighting on gradients, at every level that it knows."""
    found = []
    for name in WEIGHTINGS:
        kind = entries.weighting(name)
        if kind.needs & GRADIENTS:
            levels = LEVELS if "level" in kind.model_fields else (None,)
            found += [{"name": name, **kind.example(), **({"level": level} if level else {})} for level in levels]
    return found


def with_engines() -> list[Any]:
    """These with every engine. Tracing takes long, and what is compiled, the passes forward, sees no more of a
    weighting than what it needs of them: one of each kind will do.
    """
    found, traced = [], set()
    for spec in with_levels():
        kind = entries.weighting(spec["name"])
        sort = (kind.needs, spec.get("level"))
        engines = [name for name in WITHOUT_EAGER if name not in COMPILING or sort not in traced]
        traced.add(sort)
        found += [pytest.param(spec, name, id=f"{'-'.join(map(str, spec.values()))}-{name}") for name in engines]
    return found


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("weighting", "engine"), with_engines())
def test_every_weighting_on_gradients_has_every_engine(engine: str, weighting: dict[str, Any]) -> None:
    assert_as_eager(engine, weighting=weighting)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("engine", WITHOUT_EAGER)
@pytest.mark.parametrize("heads", ["own", "weighted", "published"])
@pytest.mark.parametrize("weighting", ["sum", "uncertainty", "famo", "mgda", "nash_mtl", "db_mtl", "modo"])
def test_every_rule_for_the_heads_has_every_engine(weighting: str, heads: HeadsRule, engine: str) -> None:
    assert_as_eager(engine, weighting=weighting, heads=heads)


def gradient_cases() -> Iterator[tuple[str, str, str, str]]:
    """(engine, level, architecture, form). Only the passes forward are compiled: they are the same at both levels, and
    every architecture's has been in ``test_the_loss_curve_is_eagers``, so that one architecture a form is traced again.
    """
    traced = {form: architecture for architecture, form in reversed(CASES)}
    for engine in WITHOUT_EAGER:
        for architecture, form in CASES:
            if form != "shared" and engine not in COMPILING:
                yield from ((engine, level, architecture, form) for level in LEVELS)
            elif form != "shared" and traced[form] == architecture:
                yield engine, LEVELS[0], architecture, form


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("engine", "level", "architecture", "form"), [*gradient_cases()])
def test_gradients_of_every_form_and_architecture(engine: str, architecture: str, form: str, level: str) -> None:
    settings = {"form": form, "architecture": architecture, "weighting": {"name": "mgda", "level": level}}
    assert_as_eager(engine, **settings)
    assert eagers(**settings).isfinite().all()


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # torch's own import of its compiler
def test_compiled_code_computes_what_eager_does() -> None:
    assert_as_eager("compiled")
    assert_as_eager("compiled", weighting="mgda")
    torch.compiler.reset()
