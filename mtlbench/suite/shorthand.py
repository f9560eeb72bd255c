"""Overrides of an entry inside an entry, which a suite may write nested and a method flat, or the other way round."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any, get_origin

from ..core.config import Config
from .explain import models_of
from .tree import Node, merge, tree


def merged_for(model: type[Config], node: Node) -> Node:
    """The parameters of a ``model``, merged anew where some layers write its ``shorthand`` flat and others nested.

    Over ``{trunk: mlp, hidden: [64]}``, ``{trunk: {name: cnn}}`` is another trunk, without ``hidden``; over ``{trunk:
    {name: cnn, pooling: 1}}``, ``{channels: [8]}`` is a parameter of the trunk. Flat layers alone merge key by key.
    """
    if model.shorthand and any(_is_nested(model, layer) for layer in node.layers):
        node = reduce(partial(_over, model), node.layers)
    for name, field in model.model_fields.items():
        inner = _of_items(field.annotation)
        if inner is not None and name in node and node[name].is_mapping:
            items = {key: merged_for(inner, child) if child.is_mapping else child for key, child in node[name].items()}
            node = node.plus(**{name: node[name].plus(**items)})
    return node


def _of_items(annotation: Any) -> type[Config] | None:
    """The model of the items of a mapping, where it has a shorthand."""
    models = models_of(annotation) if get_origin(annotation) is dict else ()
    return next((model for model in models if issubclass(model, Config) and model.shorthand), None)


def _is_nested(model: type[Config], node: Node) -> bool:
    return model.shorthand in node and node[model.shorthand].is_mapping


def _over(model: type[Config], base: Node, override: Node) -> Node:
    if not (_is_nested(model, base) or _is_nested(model, override)):
        return merge(base, override)
    default = tree(model.model_fields[model.shorthand].default, base.place)
    return merge(_nested(model, base, {"name": default}), _nested(model, override, {}))


def _nested(model: type[Config], node: Node, default: dict[str, Node]) -> Node:
    """The node with its shorthand as a mapping."""
    key = model.shorthand
    if _is_nested(model, node):
        return node.plus(**{key: node[key].plus(**{**default, **node[key].value})})
    name = {"name": node[key]} if key in node else default
    outside = {*model.model_fields, "name"}
    beside = {name: child for name, child in node.items() if name not in outside}
    written = {name: child for name, child in beside.items() if child.value is not None}
    if not (name or written):
        return node.without(*beside)
    place = node[key].place if key in node else node.place
    return node.without(*beside).plus(**{key: Node({**name, **written}, place, place)})
