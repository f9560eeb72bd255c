"""Tables for papers: booktabs, best in bold, second underlined, ties marked."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.wording import clean
from .parts import Cell, Panel, Table

_LONG = 40  # rows beyond which a table breaks over pages
_LETTERS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    '"': r"\textquotedbl{}",
    "↑": r"\ensuremath{\uparrow}",
    "↓": r"\ensuremath{\downarrow}",
    "Δ": r"\ensuremath{\Delta}",
    "Σ": r"\ensuremath{\Sigma}",
    "λ": r"\ensuremath{\lambda}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "−": r"\ensuremath{-}",
    "≈": r"\ensuremath{\approx}",
    "≠": r"\ensuremath{\neq}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "°": r"\textdegree{}",
    "²": r"\textsuperscript{2}",
    "–": "--",
    "\u00a0": "~",
    "…": r"\dots{}",
    "“": "``",
    "”": "''",
    "\ufffd": "?",
}


def escape(text: object) -> str:
    """Text that LaTeX sets as it is; letters beyond the table need a font that has them."""
    return "".join(_LETTERS.get(character, character) for character in clean(text))


def latex_table(table: Table) -> str:
    """Every panel as one table, in the order of the report."""
    panels = [*table.panels, *table.folded]
    packages = r"% \usepackage{booktabs,longtable}, UTF-8"
    return "\n\n".join([packages, *(_panel(table, panel, i) for i, panel in enumerate(panels))]) + "\n"


def _panel(table: Table, panel: Panel, index: int) -> str:
    title = f"{table.title}: {panel.title}" if panel.title else table.title
    caption = rf"\caption{{{escape(title)}. {escape(table.caption)}}}"
    label = rf"\label{{tab:{table.name}{f'-{index + 1}' if index else ''}}}"
    columns = "".join("r" if column.number else "l" for column in panel.columns)
    head = [r"\toprule", _line([escape(column.label) for column in panel.columns]), r"\midrule"]
    rows = [line for row in panel.rows for line in _row(row)]
    if len(panel.rows) > _LONG:
        body = [rf"\begin{{longtable}}{{{columns}}}", rf"{caption}{label}\\", *head, r"\endhead"]
        return "\n".join([*body, *rows, r"\bottomrule", r"\end{longtable}"])
    body = [r"\begin{table}", r"\centering", caption, label, rf"\begin{{tabular}}{{{columns}}}", *head, *rows]
    return "\n".join([*body, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _row(row: tuple[Cell, ...]) -> list[str]:
    """One line, and a smaller one below if cells have details."""
    lines = [_line(map(_cell, row))]
    if any(cell.detail for cell in row):
        details = (rf"{{\footnotesize {escape(cell.detail)}}}" if cell.detail else "" for cell in row)
        lines.append(_line(details))
    return lines


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.mark == "best":
        text = rf"\textbf{{{text}}}"
    elif cell.mark == "second":
        text = rf"\underline{{{text}}}"
    return text + (r"\textsuperscript{\ensuremath{\approx}}" if cell.tie else "")


def _line(cells: Iterable[str]) -> str:
    text = " & ".join(cells)
    return ("{}" if text.startswith(("[", "*")) else "") + text + r" \\"  # or \\ above would take it as its option
