"""How a suite chooses a task's loss: by its name, or with its parameter as ``{name: smooth_l1, beta: 0.5}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from ..core.errors import did_you_mean
from ..core.losses import LOSSES, Kind, losses_for
from ..core.wording import shown


@dataclass(frozen=True)
class ChosenLoss:
    """A loss and the number stated for it (``beta`` of smooth_l1, ``delta`` of huber), None for the usual one."""

    name: str
    beta: float | None = None

    @property
    def plain(self) -> str | dict[str, Any]:
        """As it stands in a suite and in a trial's identity: its name alone where its parameter is the usual one."""
        parameter = LOSSES[self.name].parameter
        if parameter is None or self.beta in (None, parameter.default):
            return self.name
        return {"name": self.name, parameter.name: self.beta}


def choice_of(*kinds: Kind) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    """What makes ``Annotated[ChosenLoss, *choice_of("regression")]`` a parameter that takes these kinds of losses."""
    names = losses_for(*kinds)
    return (
        PlainValidator(lambda value: _choose(value, names)),
        PlainSerializer(lambda chosen: chosen.plain),
        WithJsonSchema(_schema(names)),
    )


def _choose(value: Any, names: tuple[str, ...]) -> ChosenLoss:
    """The loss that a value of YAML names. Raises ValueError."""
    if isinstance(value, ChosenLoss):
        return value
    spec = {"name": value} if isinstance(value, str) else value
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise ValueError(f"expected the name of a loss, or a mapping with its name, got {shown(value)}")
    name = spec["name"]
    if name not in names:
        raise ValueError(f"unknown loss '{name}' of such a task, {did_you_mean(name, names)}")
    row = LOSSES[name]
    numbers = {key: number for key, number in spec.items() if key != "name"}
    if row.parameter is None:
        if numbers:
            raise ValueError(f"loss {name} takes no parameter, got {', '.join(map(str, numbers))}")
        return ChosenLoss(name)
    number = numbers.pop(row.parameter.name, row.parameter.default)
    if numbers:
        raise ValueError(f"loss {name}: expected only {row.parameter.name} beside its name, got {', '.join(numbers)}")
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"loss {name}: expected a number as {row.parameter.name}, got {shown(number)}")
    return ChosenLoss(name, row.number(float(number)))


def _schema(names: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of such a parameter, for editors."""
    forms: list[dict[str, Any]] = [{"enum": list(names), "type": "string"}]
    for name in names:
        parameter = LOSSES[name].parameter
        if parameter is not None:
            least = {"minimum" if parameter.closed else "exclusiveMinimum": parameter.above}
            number = {"default": parameter.default, "type": "number", **least}
            forms.append(
                {
                    "additionalProperties": False,
                    "properties": {"name": {"const": name}, parameter.name: number},
                    "required": ["name"],
                    "type": "object",
                }
            )
    return {"anyOf": forms} if len(forms) > 1 else forms[0]


NumbersLoss = Annotated[ChosenLoss, *choice_of("regression")]
VectorsLoss = Annotated[ChosenLoss, *choice_of("regression", "direction")]  # each number, or the direction alone
