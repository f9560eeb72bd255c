"""Architectures whose trunk is chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from ..core.config import Config
from ..core.errors import did_you_mean, either
from ..core.task import Outline
from ..core.wording import first_sentence
from .base import Architecture, Seeded
from .trunks import TRUNKS, affine
from .trunks.base import (
    Activation,
    AttentionHeads,
    Bidirectional,
    Channels,
    Depth,
    Dropout,
    Embedding,
    Form,
    Hidden,
    KernelSize,
    Pooling,
    Trunk,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .base import Inputs


def _known(name: str) -> str:
    if name not in TRUNKS:
        raise ValueError(f"unknown trunk '{name}', {did_you_mean(name, TRUNKS)}")
    return name


TrunkName = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": list(TRUNKS)})]


_ENCODERS = "give each task an encoder (encoders)"
_OTHER = "no trunk does it: use another architecture"


class TrunkChoice(Config):
    """A trunk and its parameters (``mtlbench list trunks``) side by side; each has the trunk's own default."""

    trunk: TrunkName = Field("mlp", description="how inputs become features")
    hidden: Hidden | None = None
    activation: Activation | None = None
    dropout: Dropout | None = None
    channels: Channels | None = None
    kernel_size: KernelSize | None = None
    pooling: Pooling | None = None
    depth: Depth | None = None
    embedding: Embedding | None = None
    bidirectional: Bidirectional | None = None
    attention_heads: AttentionHeads | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Give the trunk's parameters their defaults, refuse those of other trunks."""
        model = TRUNKS.load(self.trunk)
        given = {name: value for name in PARAMETERS if (value := getattr(self, name)) is not None}
        for name in given:
            if name not in model.model_fields:
                having = [trunk for trunk in TRUNKS if name in TRUNKS.load(trunk).model_fields]
                raise ValueError(f"{name}: only trunk {either(having)} has it, got trunk {self.trunk}; remove it")
        try:
            body = model(**given)
        except ValidationError as error:
            raise ValueError(first_sentence(error)) from error
        for name in model.model_fields:
            object.__setattr__(self, name, getattr(body, name))  # the model is frozen, but not yet handed out
        return self

    @model_serializer(mode="wrap")
    def _without_idle(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the parameters of other trunks, so that a new trunk leaves the identity of old trials alone."""
        return {name: value for name, value in inner(self).items() if name not in PARAMETERS or value is not None}

    @classmethod
    def listed(cls) -> tuple[str, ...]:
        """Without the trunks' parameters, which are listed with the trunks."""
        return tuple(name for name in cls.model_fields if name not in PARAMETERS)

    @property
    def body(self) -> Trunk:
        """The trunk."""
        model = TRUNKS.load(self.trunk)
        found = model(**{name: getattr(self, name) for name in model.model_fields})
        assert isinstance(found, Trunk)
        return found

    def check_trunk(self, trunk: Trunk, form: Form) -> str:
        """What makes a trunk impossible here for a form of inputs, to be read after "trunk x "; empty if nothing."""
        return trunk.check(form)

    def misfits(self, forms: Mapping[str, Form], instead: str = _OTHER) -> list[str]:
        """What makes the trunk impossible for forms of inputs, by the words that name them, with the trunks that would
        do for all of them, or what to do instead.
        """
        reasons = {where: self.check_trunk(self.body, form) for where, form in forms.items()}
        fitting = [name for name in TRUNKS if not any(self.check_trunk(_default(name), f) for f in forms.values())]
        advice = f"use trunk {either(fitting)}" if fitting else instead
        ending = "" if self.trunk in fitting else f": {advice}"
        return [f"trunk {self.trunk} {reason}, in {where}{ending}" for where, reason in reasons.items() if reason]


PARAMETERS = tuple(name for name in TrunkChoice.model_fields if name != "trunk")


def _default(name: str) -> Trunk:
    found = TRUNKS.build({"name": name})
    assert isinstance(found, Trunk)
    return found


class Trunked(TrunkChoice, Architecture):
    """An architecture made of trunks of one kind, behind an encoder for each task where tasks differ in kind of input.

    An encoder is a trunk and a linear layer to ``encoder_width``: x_t to V_t trunk_t(x_t). The architecture then sees
    vectors of that width. Encoders count as shared parameters, since they stand in front of what is shared; where some
    of the tasks are trained, as in the single-task baseline, there are theirs alone.
    """

    encoders: dict[str, TrunkChoice] = Field({}, description="task: its own trunk, in front of the architecture")
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
        return self.misfits(found, self.instead if len(found) > 1 else _OTHER)

    @property
    def instead(self) -> str:
        """What to do where no trunk takes the inputs of all tasks."""
        vectors = Form((self.encoder_width,))
        return _OTHER if all(self.check_trunk(_default(name), vectors) for name in TRUNKS) else _ENCODERS

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
        return dict(zip(inputs, found.split(sizes), strict=True))
    parts = zip(*(tensor.split(sizes) for tensor in found), strict=True)
    return {name: list(part) for name, part in zip(inputs, parts, strict=True)}
