from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlbench.suite.tree import Node, Place, merge, tree

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("base", "override", "merged"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"d": 3}}, {"a": 1, "b": {"c": 2, "d": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"name": "adam", "lr": 1}, {"lr": 2}, {"name": "adam", "lr": 2}),
        ({"name": "adam", "lr": 1}, {"name": "adam", "eps": 2}, {"name": "adam", "lr": 1, "eps": 2}),
        ({"name": "adam", "lr": 1}, {"name": "sgd"}, {"name": "sgd"}),
        ({"trunk": {"name": "mlp", "hidden": 3}}, {"trunk": {"name": "cnn"}}, {"trunk": {"name": "cnn"}}),
        ({"methods": {"name": {"a": 1}}}, {"methods": {"name": {"b": 2}}}, {"methods": {"name": {"a": 1, "b": 2}}}),
    ],
)
def test_merge(base: Any, override: Any, merged: Any) -> None:
    assert merge(tree(base), tree(override)).plain() == merged


@given(PLAIN, PLAIN)
def test_an_override_twice_is_an_override_once(a: Any, b: Any) -> None:
    assert merge(tree(a), tree(a)).plain() == a
    once = merge(tree(a), tree(b))
    assert merge(once, tree(b)).plain() == once.plain()


def test_merged_values_keep_their_places() -> None:
    base, override = tree({"a": 1, "b": 2}, Place(1, 1)), tree({"b": 3}, Place(9, 5))
    merged = merge(base, override)
    assert merged["a"].place == Place(1, 1)
    assert merged["b"].place == Place(9, 5)


def test_follow_skips_what_is_not_there() -> None:
    node = tree({"hidden": [8, {"x": 1}]})
    path, found = node.follow(("hidden", "tuple[int, ...]", 1, "x", "int"))
    assert path == ("hidden", 1, "x")
    assert found == Node(1)
    assert node.follow(("hidden", 7))[0] == ("hidden",)
