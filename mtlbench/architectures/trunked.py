"""Architectures with a trunk that is chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, Field

from ..core.errors import did_you_mean
from ..core.task import Outline
from .base import Architecture, Seeded
from .trunks import TRUNKS, affine
from .trunks.base import Form, scaled_size
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
    """An architecture of trunks of one kind, preceded by one encoder per task if tasks differ in their kind of input.

    An encoder is a trunk and a linear layer to ``encoder_width``: x_t to V_t trunk_t(x_t). The architecture then
    receives vectors of that width. Encoders count as shared parameters, since they precede the shared modules; if only
    some of the tasks are trained, as in the single-task baseline, only their encoders exist.
    """

    encoders: dict[str, Encoder] = Field({}, description="task: its encoder, a trunk in front of the architecture")
    encoder_width: int = Field(64, ge=1, description="number of features that every encoder outputs")

    @property
    def transferable(self) -> bool:
        """Not with encoders, which are task-specific."""
        return not self.encoders

    def check(self, outline: Outline) -> list[str]:
        """The reasons why encoders or trunk cannot take the inputs, as sentences."""
        if missing := [name for name in outline.names if name not in self.encoders] if self.encoders else []:
            return [f"encoders: expected one for task '{name}', got {self._nearest(name)}" for name in missing]
        if at := [task for task in outline.tasks if task.positions] if self.encoders else []:
            got = f"got labels of task '{at[0].name}' at positions {list(at[0].positions)}"
            return [f"encoders: expected labels of whole rows, {got}: leave out the task, or the encoders"]
        alone = {name: outline.only((name,)) for name in outline.names if self.encoders}
        single_forms = {name: {f"the inputs of task '{name}'": form_of(alone[name])} for name in alone}
        faults = [sentence for name in single_forms for sentence in self.encoders[name].misfits(single_forms[name])]
        return faults or self.check_behind(self.behind(outline))

    def scaled(self, factor: float) -> Self:
        """The same architecture with the widths of its trunk and of its encoders times ``factor``."""
        encoders = {task: encoder.with_scaled_trunk(factor) for task, encoder in self.encoders.items()}
        width = scaled_size(self.encoder_width, factor)
        return self.with_scaled_trunk(factor).model_copy(update={"encoders": encoders, "encoder_width": width})

    def strangers(self, tasks: Iterable[str]) -> list[str]:
        """Encoders for tasks that do not exist."""
        existing = set(tasks)
        unknown = [name for name in self.encoders if name not in existing]
        return [f"encoders: no problem here has a task '{name}': {did_you_mean(name, existing)}" for name in unknown]

    def _nearest(self, task: str) -> str:
        """The encoder that was probably meant for a task, or all that exist."""
        near = get_close_matches(task, self.encoders, n=1)
        return f"one for '{near[0]}': did you mean '{task}'?" if near else ", ".join(self.encoders)

    def check_behind(self, outline: Outline) -> list[str]:
        """The reasons why the architecture cannot take the inputs, or what the encoders output, as sentences."""
        input_forms = forms(outline)
        return self.misfits(input_forms, self.instead if len(input_forms) > 1 else OTHER_ARCHITECTURE)

    @property
    def instead(self) -> str:
        """Advice for inputs that no single trunk can take."""
        vectors = Form((self.encoder_width,))
        return OTHER_ARCHITECTURE if all(self.check_trunk(usual(name), vectors) for name in TRUNKS) else _ENCODERS

    def behind(self, outline: Outline) -> Outline:
        """The outline, with vectors of the encoders' width as inputs if there are encoders."""
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
    """An architecture with a trunk that processes the rows of all tasks."""

    def check_behind(self, outline: Outline) -> list[str]:
        """The inputs of all tasks must have one shape."""
        shapes = {where: form.shape for where, form in forms(outline).items()}
        if len(set(shapes.values())) > 1:
            listed = "; ".join(f"{where} have shape {list(shape)}" for where, shape in shapes.items())
            return [f"a trunk of all tasks expects inputs of one shape, but {listed}: {self.instead}"]
        if isinstance(outline.vocabulary, Mapping) and len(outline.names) > 1:
            return [f"a trunk of all tasks expects one vocabulary, but each task's words are its own: {self.instead}"]
        return positions_differ(outline) or super().check_behind(outline)


def positions_differ(outline: Outline) -> list[str]:
    """A sentence if tasks have labels at positions of different shapes."""
    shapes = {task.positions for task in outline.tasks if task.positions}
    if len(shapes) <= 1:
        return []
    return [f"expected labels at positions of one shape, got {', '.join(str(list(shape)) for shape in sorted(shapes))}"]


def forms(outline: Outline) -> dict[str, Form]:
    """The forms of the inputs, by the phrases that refer to them in messages."""
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
    """One task's value from inputs, shapes or features, which all tasks share or which are a mapping {task: value}."""
    return value[name] if isinstance(value, Mapping) else value


def in_one_pass(function: Callable[[Tensor], Any], inputs: Inputs) -> Any:
    """Apply a function of rows, which returns a tensor or a list of tensors, to the rows of all tasks in one call.

    Returns its result, or {task: the result on the task's rows} if the inputs are such a mapping.
    """
    if not isinstance(inputs, Mapping):
        return function(inputs)
    import torch

    result = function(torch.cat(list(inputs.values())))
    sizes = [len(rows) for rows in inputs.values()]
    if isinstance(result, torch.Tensor):
        return dict(zip(inputs, result.split(sizes), strict=True))
    parts = zip(*(tensor.split(sizes) for tensor in result), strict=True)
    return {name: list(part) for name, part in zip(inputs, parts, strict=True)}
