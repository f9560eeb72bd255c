"""The page: one file with everything in it, readable without JavaScript and without a network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...core.wording import clean, clean_lines
from .figures import INK, PAPER, QUIET, RULE
from .parts import Cell, Figure, Part

_TEMPLATES = Path(__file__).parent / "templates"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_COLOURS = {INK: "var(--ink)", QUIET: "var(--quiet)", RULE: "var(--rule)", PAPER: "var(--paper)"}


def page(name: str, description: str, facts: Mapping[str, str], parts: Sequence[Part]) -> str:
    """The whole report as HTML. Every string is escaped by jinja2; figures are parsed and written anew."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: value if isinstance(value, Markup) else clean(value),
    )  # fmt: skip
    environment.filters["inline"] = inline
    environment.filters["classes"] = _classes
    environment.filters["sort_key"] = _sort_key
    environment.filters["lines"] = _lines
    environment.filters["split"] = _split
    return environment.get_template("report.html.j2").render(
        name=name,
        description=description,
        facts=facts,
        parts=parts,
        style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup((_TEMPLATES / "sort.js").read_text(encoding="utf-8")),
    )


def inline(figure: Figure) -> Markup:
    """A figure as a part of the page: scaled to it, in its colours, named for readers who cannot see it."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(figure.svg)
    for tag in ("metadata", "title"):
        for element in root.findall(f"{{{_SVG}}}{tag}"):
            root.remove(element)
    for parent in root.findall(f"{{{_SVG}}}defs"):
        for element in parent.findall(f"{{{_SVG}}}style"):  # would style the whole page
            parent.remove(element)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    root.attrib.pop("height")
    root.attrib.update({"role": "img", "aria-label": clean(figure.alt), "style": f"--wide: {width * 1.5:.0f}px"})
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _adapted(key, value, figure.name))
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _adapted(key: str, value: str, name: str) -> str:
    """Ids distinct within the page, and the page's own ink."""
    if key == "id":
        return f"{name}-{value}"
    if key == f"{{{_XLINK}}}href":
        return value.replace("#", f"#{name}-")
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    if key == "style":
        for colour, variable in _COLOURS.items():
            value = value.replace(colour, variable)
    return value


def _classes(cell: Cell) -> str:
    return " ".join(filter(None, [cell.mark, "tie" if cell.tie else ""]))


def _sort_key(cell: Cell) -> str:
    return repr(float(cell.value)) if math.isfinite(cell.value) else ""


def _split(text: str) -> tuple[str, str]:
    """A number and the interval behind it."""
    number, bracket, interval = text.partition(" [")
    return number, bracket + interval


def _lines(text: str) -> Markup:
    """Text over many lines, every one of them clean and escaped."""
    return Markup.escape(clean_lines(text))
