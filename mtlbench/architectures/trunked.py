"""Architectures whose trunk is chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from ..core.errors import did_you_mean
from ..core.task import Outline
from .base import Architecture, Seeded
from .trunks import TRUNKS, affine
from .trunks.base import Form
from .trunks.choice import OTHER_ARCHITECTURE, TrunkChoice, usual

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs


def _encoder(written: Any) -> Any:
    """Both forms of a trunk, as in the architecture."""
    return TrunkChoice.from_plain(written) if isinstance(written, Mapping) else written


Encoder = Annotated[TrunkChoice, BeforeValidator(_encoder)]
_ENCODERS = "give each task an encoder (encoders)"


class Trunked(TrunkChoice, Architecture):
    """An architecture made of trunks of one kind, behind an encoder for each task where tasks differ in kind of input.

    An encoder is a trunk and a linear layer to ``encoder_width``: x_t to V_t trunk_t(x_t). The architecture then sees
    vectors of that width. Encoders count as shared parameters, since they stand in front of what is shared; where some
    of the tasks are trained, as in the single-task baseline, there are theirs alone.
    """

    encoders: dict[str, Encoder] = Field({}, description="task: its own trunk, in front of the architecture")
    encoder_width: int = Field(64, ge=1, description="features that every encoder gives")

    @property
    def transferable(self) -> bool:
        """Encoders are of their tasks."""
        return not self.encoders

    def check(self, outline: Outline) -> list[str]:
        """What makes encoders or trunk impossible for the inputs."""
        if missing := [name for name in outline.names if name not in self.encoders] if self.encoders else []:
            return [f"encoders: expected one for task '{name}', got {self._nearest(name)}" for name in missing]
        if at := [task for task in outline.tasks if task.positions] if self.encoders else []:
            got = f"got labels of task '{at[0].name}' at positions {list(at[0].positions)}"
            return [f"encoders: expected labels of whole rows, {got}: leave out the task, or the encoders"]
        alone = {name: outline.only((name,)) for name in outline.names if self.encoders}
        own = {name: {f"the inputs of task '{name}'": form_of(alone[name])} for name in alone}
        found = [sentence for name in own for sentence in self.encoders[name].misfits(own[name])]
        return found or self.check_behind(self.behind(outline))

    def strangers(self, tasks: Iterable[str]) -> list[str]:
        """Encoders for no task."""
        known = set(tasks)
        unknown = [name for name in self.encoders if name not in known]
        return [f"encoders: no problem here has a task '{name}': {did_you_mean(name, known)}" for name in unknown]

    def _nearest(self, task: str) -> str:
        """The encoder that may be meant for a task, or all that are given."""
        near = get_close_matches(task, self.encoders, n=1)
        return f"one for '{near[0]}': did you mean '{task}'?" if near else ", ".join(self.encoders)

    def check_behind(self, outline: Outline) -> list[str]:
        """What makes the architecture impossible for inputs as the encoders give them."""
        found = forms(outline)
        return self.misfits(found, self.instead if len(found) > 1 else OTHER_ARCHITECTURE)

    @property
    def instead(self) -> str:
        """What to do where no trunk takes the inputs of all tasks."""
        vectors = Form((self.encoder_width,))
        return OTHER_ARCHITECTURE if all(self.check_trunk(usual(name), vectors) for name in TRUNKS) else _ENCODERS

    def behind(self, outline: Outline) -> Outline:
        """Vectors of the encoders' width, where there are encoders."""
        if not self.encoders:
            return outline
        return replace(outline, input_shape=dict.fromkeys(outline.names, (self.encoder_width,)), vocabulary=0)

    def front(self, outline: Outline, seeded: Seeded) -> nn.Module | None:
        """The encoders."""
        if not self.encoders:
            return None
        from .layers.encoders import Encoders

        parts = {}
        for name in outline.names:
            with seeded("encoder", name):
                trunk, form = self.encoders[name].body, form_of(outline.only((name,)))
                parts[name] = trunk.build(form).append(affine(trunk.width(form), self.encoder_width))
        return Encoders(parts)


class OneForm(Trunked):
    """An architecture in which a trunk sees the rows of every task."""

    def check_behind(self, outline: Outline) -> list[str]:
        """The inputs of all tasks must have one shape."""
        found = {where: form.shape for where, form in forms(outline).items()}
        if len(set(found.values())) > 1:
            listed = "; ".join(f"{where} have shape {list(shape)}" for where, shape in found.items())
            return [f"a trunk of all tasks expects inputs of one shape, but {listed}: {self.instead}"]
        if isinstance(outline.vocabulary, Mapping) and len(outline.names) > 1:
            return [f"a trunk of all tasks expects one vocabulary, but each task's words are its own: {self.instead}"]
        return positions_differ(outline) or super().check_behind(outline)


def positions_differ(outline: Outline) -> list[str]:
    """A sentence where tasks label positions of different shapes."""
    found = {task.positions for task in outline.tasks if task.positions}
    if len(found) <= 1:
        return []
    return [f"expected labels at positions of one shape, got {', '.join(str(list(shape)) for shape in sorted(found))}"]


def forms(outline: Outline) -> dict[str, Form]:
    """The forms of the inputs by the words that name them in messages."""
    if not isinstance(outline.input_shape, Mapping):
        return {"the inputs": form_of(outline)}
    return {f"the inputs of task '{name}'": form_of(outline, name) for name in outline.names}


def form_of(outline: Outline, name: str | None = None) -> Form:
    """The form of one task's inputs (of the first task where none is named), for a trunk that serves all tasks."""
    name = outline.names[0] if name is None else name
    labelled = sorted(outline.tasks, key=lambda task: task.name != name)  # the task itself first
    positions = next((task.positions for task in labelled if task.positions), ())
    return Form(tuple(of_task(outline.input_shape, name)), of_task(outline.vocabulary, name), positions)


def of_task(value: Any, name: str) -> Any:
    """One task's part of inputs, shapes or features that are shared by all tasks or given as {task: value}."""
    return value[name] if isinstance(value, Mapping) else value


def in_one_pass(function: Callable[[Tensor], Any], inputs: Inputs) -> Any:
    """A function of rows, to a tensor or a list of tensors, over the rows of all tasks together.

    Its result, or {task: its result on the task's rows} as the inputs are.
    """
    if not isinstance(inputs, Mapping):
        return function(inputs)
    import torch

    found = function(torch.cat(list(inputs.values())))
    sizes = [len(rows) for rows in inputs.values()]
    if isinstance(found, torch.Tensor):
        return dict(zip(inputs, found.split(sizes), strict=True))  # type: ignore[no-untyped-call]
    parts = zip(*(tensor.split(sizes) for tensor in found), strict=True)
    return {name: list(part) for name, part in zip(inputs, parts, strict=True)}
