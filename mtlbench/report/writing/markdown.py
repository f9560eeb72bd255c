"""Tables and the short report in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...core.wording import clean
from .parts import Cell, Panel, Part, Statement, Table

_TONES = {"good": "✔ ", "bad": "✘ ", "mixed": "± ", "unclear": "? ", "warning": "⚠ "}


def escape(text: object) -> str:
    """Text that Markdown and the HTML in it show as it is, on one line."""
    shown = clean(text)
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|~$]|\](?=[(\[:]))", r"\\\1", shown)


def _block(text: str) -> str:
    """Escaped text at the start of a line, where signs and numbers would make it a heading or a list."""
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", re.sub(r"^([-+#=[])", r"\\\1", escape(text)))


def markdown_table(table: Table) -> str:
    """All panels of a table, folded ones too, with its caption."""
    panels = [_panel(panel) for panel in (*table.panels, *table.folded)]
    return "\n\n".join([f"**{escape(table.title)}**", *panels, escape(table.caption)]) + "\n"


def _panel(panel: Panel) -> str:
    head = " | ".join(escape(column.label) for column in panel.columns)
    rule = " | ".join("---:" if column.number else ":---" for column in panel.columns)
    rows = (" | ".join(map(_cell, row)) for row in panel.rows)
    grid = "\n".join(f"| {line} |" for line in (head, rule, *rows))
    return f"*{escape(panel.title)}*\n\n{grid}" if panel.title else grid


def _cell(cell: Cell) -> str:
    text = f"**{escape(cell.text)}**" if cell.mark == "best" else escape(cell.text)
    text += " ≈" if cell.tie else ""
    return f"{text}<br>{escape(cell.detail)}" if cell.detail else text


def markdown_report(name: str, description: str, facts: Mapping[str, str], parts: Sequence[Part]) -> str:
    """Verdict, tables and figures; what report.html folds away is left out."""
    lines = [f"# {_block(name)}"]
    lines += [_block(description)] if description else []
    lines.append(" · ".join(f"{escape(key)}: {escape(value)}" for key, value in facts.items()))
    for part in parts:
        lines += _part(part)
    return "\n\n".join([*lines, "More in `report.html`; raw numbers in `tables/*.csv`."]) + "\n"


def _part(part: Part) -> list[str]:
    blocks = [f"## {escape(part.title)}"]
    if part.statements:
        blocks.append("\n".join(line for statement in part.statements for line in _statement(statement)))
    for table in part.tables:
        if table.panels:
            blocks += [*map(_panel, table.panels), f"<sub>{escape(table.caption)}</sub>"]
    for figure in part.figures:
        alt = escape(figure.alt.replace("[", "(").replace("]", ")"))  # brackets would end it
        blocks.append(f"![{alt}](figures/{figure.name}.svg)\n\n<sub>{escape(figure.title)}</sub>")
    return blocks if len(blocks) > 1 else []


def _statement(statement: Statement) -> list[str]:
    first = f"- {_TONES.get(statement.tone, '')}{_block(statement.text)}"
    return [first, *(f"  - {_block(point)}" for point in statement.points)]
