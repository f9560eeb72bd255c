"""The choice of a trunk: an entry inside an architecture, nested or flat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from ...core.config import Config
from ...core.errors import either
from ...core.registry import UnknownName
from ...core.wording import shown
from . import TRUNKS
from .base import Form, Trunk

Location = tuple[int | str, ...]
OF_A_USER = {"type": "string", "pattern": "^[^:]+:[^:]+$", "description": "package.module:attribute"}
OTHER_ARCHITECTURE = "no trunk does it: use another architecture"


@dataclass(frozen=True)
class NamedTrunk:
    """A trunk, and the name that it was chosen by."""

    name: str
    body: Trunk


def _read(value: Any) -> NamedTrunk:
    """The trunk that a name, or a mapping with a name and the trunk's parameters, describes."""
    if isinstance(value, NamedTrunk):
        return value
    spec = {"name": value} if isinstance(value, str) else value
    if not isinstance(spec, Mapping):
        raise ValueError(f"expected a name, or a mapping with a name, got {shown(value)}")
    model = _load(spec["name"])
    parameters = {key: parameter for key, parameter in spec.items() if key != "name"}
    try:
        return NamedTrunk(spec["name"], model.from_plain(parameters))
    except ValidationError as error:
        raise _invalid(_told(item, spec["name"], model) for item in error.errors(include_url=False)) from None


def _load(name: Any) -> type[Trunk]:
    if not isinstance(name, str):
        raise _invalid([_sentence(("name",), name, f"expected a name, got {shown(name)}")])
    try:
        model = TRUNKS.load(name)
    except UnknownName as error:
        raise _invalid([_sentence(("name",), name, str(error))]) from error
    if not issubclass(model, Trunk):
        kind = f"{Trunk.__module__}.{Trunk.__name__}"
        raise _invalid([_sentence(("name",), name, f"expected a subclass of {kind}, got {model.__name__}")])
    return model


def _told(item: Any, name: str, model: type[Trunk]) -> InitErrorDetails:
    """A fault of a trunk's parameters; one of an unknown key says who has it, or which keys there are."""
    if item["type"] != "extra_forbidden":
        return _fault(item["loc"], item)
    key = item["loc"][-1]
    if having := [other for other in TRUNKS if key in TRUNKS.load(other).model_fields]:
        return _sentence(item["loc"], item["input"], f"only trunk {either(having)} has it, got trunk {name}; remove it")
    return _fault(item["loc"], {**item, "ctx": {"keys": list(model.model_fields)}})


def _fault(loc: Location, item: Any) -> InitErrorDetails:
    """A fault of another model at a place in this one; a custom error, since those alone can be written anew."""
    return {
        "type": PydanticCustomError(item["type"], item["msg"], item.get("ctx")),
        "loc": loc,
        "input": item["input"],
    }


def _sentence(loc: Location, value: Any, sentence: str) -> InitErrorDetails:
    return _fault(loc, {"type": "value_error", "msg": sentence, "input": value, "ctx": {"error": ValueError(sentence)}})


def _invalid(faults: Iterable[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("trunk", list(faults))


def _write(trunk: NamedTrunk, info: SerializationInfo) -> dict[str, Any]:
    return {"name": trunk.name, **trunk.body.model_dump(mode=info.mode)}


# Its JSON Schema is written by TrunkChoice, when it is asked for: it takes the files of all trunks.
AnyTrunk = Annotated[NamedTrunk, PlainValidator(_read), PlainSerializer(_write), WithJsonSchema({})]


class TrunkChoice(Config):
    """A trunk with its parameters (``mtlbench list trunks``), each of which has the trunk's own default.

    ``trunk: {name: cnn, channels: [8, 16]}``, or flat: ``trunk: cnn, channels: [8, 16]``. Both are read. A trunk of the
    table is written flat, so that trials keep their identity; nested are a ``module:Class``, and a trunk one of whose
    parameters is called as a key beside it.
    """

    shorthand: ClassVar[str] = "trunk"

    trunk: AnyTrunk = Field("mlp", validate_default=True, description="how inputs become features")

    @classmethod
    def from_plain(cls, parameters: Mapping[str, Any]) -> Self:
        """Takes both forms. Faults lie where the parameters are written."""
        trunk = parameters.get("trunk", cls.model_fields["trunk"].default)
        if isinstance(trunk, Mapping):
            trunk = {"name": cls.model_fields["trunk"].default, **trunk}
        if not isinstance(trunk, str):
            return cls._checked({**parameters, "trunk": trunk}, flat=False)
        beside = {key: value for key, value in parameters.items() if key not in cls.model_fields and key != "name"}
        here = {key: value for key, value in parameters.items() if key not in beside}
        if doubtful := [key for key in here if key != "trunk" and key in _fields(trunk)]:
            advice = f"trunk {trunk} has a parameter of this name, too: write trunk: {{name: {trunk}, …}}"
            raise _invalid(_sentence((key,), here[key], advice) for key in doubtful)
        written = {key: value for key, value in beside.items() if value is not None}  # null stands for the default
        return cls._checked({**here, "trunk": {"name": trunk, **written}}, flat=True)

    @classmethod
    def _checked(cls, nested: Mapping[str, Any], flat: bool) -> Self:
        try:
            return super().from_plain(nested)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            raise _invalid(cls._placed(item, nested["trunk"], flat) for item in faults) from None

    @classmethod
    def _placed(cls, item: Any, trunk: Any, flat: bool) -> InitErrorDetails:
        """A fault of the nested form, at the place of the form that was written."""
        loc = item["loc"]
        if flat and loc[:1] == ("trunk",):
            loc = ("trunk",) if loc[1:] == ("name",) else loc[1:]
        if item["type"] == "extra_forbidden" and len(loc) == 1:
            name = trunk.get("name") if isinstance(trunk, Mapping) else trunk
            if not flat and loc[0] in _fields(name):
                sentence = "expected inside trunk, since that is written as a mapping here"
                return _sentence(loc, item["input"], sentence)
            item = {**item, "ctx": {"keys": sorted(cls.keys({"trunk": name if flat else trunk}))}}
        return _fault(loc, item)

    @model_serializer(mode="wrap")
    def _flat_where_it_can_be(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = inner(self)
        beside = {key: value for key, value in written["trunk"].items() if key != "name"}
        if ":" in self.trunk.name or beside.keys() & type(self).model_fields.keys():
            return written
        return {"trunk": self.trunk.name, **beside, **{key: value for key, value in written.items() if key != "trunk"}}

    @classmethod
    def keys(cls, written: Mapping[str, Any]) -> Set[str]:
        """With the parameters of the trunk, where that is not a mapping itself."""
        return super().keys(written) | _fields(written.get("trunk", cls.model_fields["trunk"].default))

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        models = {name: TRUNKS.load(name).__pydantic_core_schema__ for name in TRUNKS}
        bodies = {name: handler.resolve_ref_schema(handler(model)) for name, model in models.items()}
        trunk = {**schema["properties"]["trunk"], **_nested(bodies)}
        schema["properties"] = {**_flat_schema(bodies), **schema["properties"], "trunk": trunk}
        return schema

    def with_scaled_trunk(self, factor: float) -> Self:
        """The same with the trunk's widths times ``factor``."""
        return self.model_copy(update={"trunk": NamedTrunk(self.trunk.name, self.body.scaled(factor))})

    @property
    def body(self) -> Trunk:
        """The trunk."""
        return self.trunk.body

    def check_trunk(self, trunk: Trunk, form: Form) -> str:
        """What makes a trunk impossible here for a form of inputs, to be read after "trunk x "; empty if nothing."""
        return trunk.check(form)

    def misfits(self, forms: Mapping[str, Form], instead: str = OTHER_ARCHITECTURE) -> list[str]:
        """What makes the trunk impossible for forms of inputs, by the words that name them, with the trunks that would
        do for all of them, or what to do instead.
        """
        reasons = {where: self.check_trunk(self.body, form) for where, form in forms.items()}
        fitting = [name for name in TRUNKS if not any(self.check_trunk(usual(name), f) for f in forms.values())]
        advice = f"use trunk {either(fitting)}" if fitting else instead
        ending = "" if self.trunk.name in fitting else f": {advice}"
        return [f"trunk {self.trunk.name} {reason}, in {where}{ending}" for where, reason in reasons.items() if reason]


def usual(name: str) -> Trunk:
    """The trunk of that name with its defaults, and the parameters of its example where some have none."""
    built = TRUNKS.build({"name": name, **TRUNKS.load(name).example()})
    assert isinstance(built, Trunk)
    return built


def _fields(name: Any) -> Set[str]:
    """The parameters of the trunk of that name; of what is no name of a trunk, none."""
    with suppress(UnknownName):
        return TRUNKS.load(name).model_fields.keys() if isinstance(name, str) else frozenset()
    return frozenset()


def _nested(bodies: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a trunk as a name or a mapping; without a name it changes the one that it is laid over."""
    bare = [name for name, body in bodies.items() if not body.get("required")]
    whole = [
        {**body, "properties": {"name": {"const": name}, **body.get("properties", {})}, "required": ["name"]}
        for name, body in bodies.items()
    ]
    others = {"type": "object", "properties": {"name": OF_A_USER}, "required": ["name"]}
    return {"anyOf": [{"enum": bare}, OF_A_USER, *whole, others, {"type": "object", "not": {"required": ["name"]}}]}


def _flat_schema(bodies: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of all trunks' parameters beside the trunk; null stands for a trunk's default."""
    kinds: dict[str, list[Any]] = {}
    for body in bodies.values():
        for key, described in body.get("properties", {}).items():
            kind = {word: value for word, value in described.items() if word not in ("default", "title")}
            kinds.setdefault(key, []).extend([] if kind in kinds.get(key, []) else [kind])
    return {key: {"anyOf": [*kind, {"type": "null"}]} for key, kind in kinds.items()}
