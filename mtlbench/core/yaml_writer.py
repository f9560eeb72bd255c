"""Plain values as YAML text, and the scalars of YAML 1.2 that reader and writer agree on."""

from __future__ import annotations

import re
from typing import Any

import yaml

TAG = "tag:yaml.org,2002:"
# The core schema of YAML 1.2: `1e-3` is a number; `yes`, `on`, `012:30` and dates are text.
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
SCALARS = (  # tag, pattern, first characters ("" for the empty scalar)
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    ("float", _FLOAT, [*"-+.0123456789"]),
    ("merge", r"<<", ["<"]),
)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would not read back as the same text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _name, _pattern, _first in SCALARS:
    _Dumper.add_implicit_resolver(TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def to_yaml(value: Any) -> str:
    """Plain Python values as YAML text; keys keep their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
