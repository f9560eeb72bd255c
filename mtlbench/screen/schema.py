"""The JSON Schema of suite files: editors complete names and parameters from it, and mark what is wrong."""

from __future__ import annotations

from typing import Any

from ..core.config import Config
from ..core.literature import PublishedNumber
from ..core.parts import PARTS, tunable
from ..core.registry import Registry
from ..core.settings import MAX_CANDIDATES, Timing
from ..plan.reading import tables
from ..suite.frontier import UNVARIED, FrontierSettings
from ..suite.header import Header, keys
from ..suite.suite import AUTO

Schema = dict[str, Any]
_OWN = {"type": "string", "pattern": "^[^:]+:[^:]+$", "description": "package.module:attribute"}
_LABELLED = ("problem", "kernel", "learner")


def json_schema() -> Schema:
    """The schema of a whole suite file, every entry of every table included (draft 2020-12)."""
    defs: dict[str, Schema] = {}
    for key, registry in tables().items():
        _define_table(defs, key, registry)
    for key, part in PARTS.items():
        if part.settings is not None:
            defs[key] = _of(part.settings, key, defs)
    defs["method"] = _object({key: _choice(key, ".override") for key in PARTS})
    baseline = {key: _choice(key, ".override") for key in PARTS if key != "problem"}
    defs["single_task"] = _object({**baseline, "label": {"type": "string"}})
    points = _of(FrontierSettings, "frontier", defs)["properties"]
    defs["frontier"] = _object({**points, **{key: _choice(key, ".override") for key in PARTS if key not in UNVARIED}})
    published = _of(PublishedNumber, "literature", defs)
    defs["literature"] = {**_object(published["properties"]), "required": published["required"]}
    defs["kernels"] = _kernels(defs)
    defs["kernels.override"] = {**defs["kernels"], "required": []}
    defs["profile"] = _suite(".override", defs)
    whole = _suite("", defs)
    whole["properties"]["profiles"] = _described("profiles", _map_to("#/$defs/profile"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mtlbench suite",
        **whole,
        "anyOf": [{"required": ["methods"]}, {"required": ["kernels"]}],
        "$defs": defs,
    }


def _suite(variant: str, defs: dict[str, Schema]) -> Schema:
    header = _of(Header, "header", defs)["properties"]
    described = {
        **header,
        **{key: _choice(key, variant) for key in PARTS},
        "methods": _map_to("#/$defs/method"),
        "single_task": {"$ref": "#/$defs/single_task"},
        "frontier": {"$ref": "#/$defs/frontier"},
        "affinity": {"type": "string"},
        "literature": {"type": "array", "items": {"$ref": "#/$defs/literature"}},
        "references": {"anyOf": [{"const": AUTO}, {"type": "array", "items": {"$ref": "#/$defs/learner"}}]},
        "kernels": {"$ref": f"#/$defs/kernels{variant}"},
    }
    return _object({key: _described(key, described[key]) for key in keys() if key in described})


def _kernels(defs: dict[str, Schema]) -> Schema:
    cases = {"type": "array", "items": {"$ref": "#/$defs/kernel"}, "minItems": 1, "description": "what is timed"}
    return {**_object({"cases": cases, **_of(Timing, "kernels", defs)["properties"]}), "required": ["cases"]}


def _choice(key: str, variant: str) -> Schema:
    if key == "tune":
        return _tune()
    part = PARTS[key]
    if part.settings is not None:
        settings = {"$ref": f"#/$defs/{key}"}
        short = part.shorthand in part.settings.model_fields
        return {"anyOf": [{"type": "string"}, settings]} if short else settings
    if key == "engines":
        return {"anyOf": [{"$ref": "#/$defs/engine"}, {"type": "array", "items": {"$ref": "#/$defs/engine"}}]}
    entry = {"$ref": f"#/$defs/{key}{variant}"}
    return {"anyOf": [entry, {"type": "array", "items": entry, "minItems": 1}]} if key == "problem" else entry


def _tune() -> Schema:
    """Lists of values by dotted key, or budget and search."""
    values = {"type": "array", "minItems": 1}
    keyed = {"type": "object", "propertyNames": {"pattern": rf"^({'|'.join(tunable())})(\.\w+)*$"}}
    ends = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    ranges = {
        "log": {**ends, "items": {"type": "number", "exclusiveMinimum": 0}, "description": "low and high, by ratio"},
        "linear": {**ends, "description": "low and high"},
        "values": {**values, "description": "all values"},
    }
    one = {"anyOf": [{**_object(ranges), "minProperties": 1, "maxProperties": 1}, {"type": "null"}]}
    budget = {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_CANDIDATES,
        "description": "points that each method tries",
    }
    search = _object({"budget": budget, "search": {**keyed, "additionalProperties": one}})
    return {"anyOf": [{**keyed, "additionalProperties": values}, {**search, "minProperties": 1}]}


def _define_table(defs: dict[str, Schema], key: str, registry: Registry) -> None:
    """Two definitions a table: ``key`` for whole entries, ``key.override`` for what a method or a profile may say."""
    models = {name: registry.load(name) for name in registry}
    if key == "engine":
        defs[key] = {"anyOf": [{"enum": list(models)}, _OWN]}
        return
    for name, model in models.items():
        body = _of(model, f"{key}.{name}", defs)
        body["properties"] = {"name": {"const": name}, **_label(key), **body.get("properties", {})}
        defs[f"{key}.{name}"] = {**body, "required": ["name", *body.get("required", ())]}
        defs[f"{key}.{name}.override"] = {**body, "required": ["name"]}
    own = {"type": "object", "properties": {"name": _OWN}, "required": ["name"]}
    bare = [name for name, model in models.items() if not any(f.is_required() for f in model.model_fields.values())]
    whole = [{"$ref": f"#/$defs/{key}.{name}"} for name in models]
    changed = [{"$ref": f"#/$defs/{key}.{name}.override"} for name in models]
    unnamed = {"type": "object", "not": {"required": ["name"]}}  # parameters of the entry that it overrides
    defs[key] = {"anyOf": [{"enum": bare}, _OWN, *whole, own]}
    defs[f"{key}.override"] = {"anyOf": [{"enum": list(models)}, _OWN, *changed, own, unnamed]}


def _label(key: str) -> Schema:
    return {"label": {"type": "string", "description": "what tables call it"}} if key in _LABELLED else {}


def _of(model: type[Config], prefix: str, defs: dict[str, Schema]) -> Schema:
    """The schema of one model; models inside it become definitions of their own."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, inner in schema.pop("$defs", {}).items():
        defs[f"{prefix}.{name}"] = inner
    return schema


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _map_to(reference: str) -> Schema:
    return {"type": "object", "additionalProperties": {"$ref": reference}}


def _described(key: str, schema: Schema) -> Schema:
    return {**schema, "description": keys()[key]}
