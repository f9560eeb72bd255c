"""Writes the page of the reference runs: python docs/make_reference.py > results/reference/README.md.

Questions are the first sentences of the suites' files, answers the verdicts of the reports, word for word.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results" / "reference"
INTRO = """\
<!-- Written by docs/make_reference.py from the reports; do not edit. -->
# Reference runs

What the suites of [`bench/suites`](../../bench/suites) gave on machines of ours: one folder for each machine, and in
it one for each suite. It holds what

```
mtlbench run bench/suites/<suite>.yaml
```

writes to `results/<suite>/`, except the files of single trials and whatever can be derived from the rest: `report.md`
to read, `tables/` as CSV, `figures/`, `suite.yaml` (every default filled in), and the records (`records.parquet`, one
row for each fact). Where `trials.parquet` and `run.json` lie beside the records, `mtlbench report <folder>` writes
`report.html`, the LaTeX tables and everything else again; runs made before mtlbench kept these two files have to be
run again for that.

Each report states its environment, and how many trials had their cores to themselves. Accuracies repeat bit for bit on
the same versions and kind of processor. Times taken while the machine did other work are marked “shared” or “busy”:
they are hints.

Runs that are marked “not made again yet” in the last table were made before the protocol: their methods are untuned,
many of their trainings were cut by a cap, and some have a task (`ink`) that is linear in its inputs. Do not build on
them.

To save space, the tables of School's 139 tasks are left out (`relation`, `deep_relation`), and so are the records of
`weightings`, of `leaderboard` and of `deep_relation`'s candidates.

`leaderboard` stands with three of its nine seeds (`--seeds 3`): what two cores did in two hours beside other work. It
says by how much methods differ, on six problems, and not yet which of them is better: one of twelve can be told from
single-task training from nine seeds on. The same command without `--seeds` trains the six that are missing.
"""

CHANGES = """\
## What changed

Verdicts published before every method was tuned with one budget, trained to its plateau, and judged with floors,
matched sizes and a smallest effect of interest ([the protocol](../../docs/protocol.md)), and what they are now. The
earlier ones and the reasons are from `earlier.csv`.

| suite | earlier verdict | verdict now | why |
| :--- | :--- | :--- | :--- |"""


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    for machine in sorted(path for path in REFERENCE.iterdir() if path.is_dir()):
        runs = sorted(path for path in machine.iterdir() if (path / "report.md").exists())
        if not runs:
            continue
        links = (f"[{run.name}]({machine.name}/{run.name}/report.md)" for run in runs)
        rows = [f"| {link} | {question(run.name)} | {answer(run)} |" for link, run in zip(links, runs, strict=True)]
        head = ["| suite | question | verdict |", "| :--- | :--- | :--- |"]
        parts.append("\n".join([f"## {machine.name}\n", f"{hardware(runs)}\n", *head, *rows, ""]))
    return "\n".join([*parts, *changes()])


def changes() -> Iterator[str]:
    """What the verdicts were before the protocol of ``docs/protocol.md``, what they are now, and why they differ."""
    rows = list(csv.DictReader((REFERENCE / "earlier.csv").read_text(encoding="utf-8").splitlines()))
    yield CHANGES
    for row in rows:
        runs = [path for path in sorted(REFERENCE.glob(f"*/{row['suite']}")) if (path / "report.md").exists()]
        now = "<br>".join(map(answer, runs)) if row["why"] else "not made again yet"
        yield f"| {row['suite']} | {row['verdict']} | {now} | {row['why'] or 'see the top of this page'} |"
    yield ""


def question(suite: str) -> str:
    """The first sentence of the comment at the head of the suite's file, and the profile that ran, if any."""
    path = ROOT / "bench" / "suites" / f"{suite}.yaml"
    if not path.exists():
        name, _, profile = suite.rpartition("-")
        return f"{question(name)} (profile {profile})"
    text = path.read_text(encoding="utf-8")
    lines = (line.removeprefix("#").strip() for line in text.splitlines()[1:] if line.startswith("#"))
    found = re.match(r".*?[?.](?=\s|$)", " ".join(lines))
    assert found, f"bench/suites/{suite}.yaml: expected a sentence in its second line"
    return found[0]


def answer(run: Path) -> str:
    """The statements of the report's verdict, without the details under each and those on what seeds can tell."""
    verdict = (run / "report.md").read_text(encoding="utf-8").split("## Verdict\n", 1)[1].split("\n## ", 1)[0]
    stated = [line.removeprefix("- ") for line in verdict.splitlines() if line.startswith("- ")]
    return "<br>".join(line for line in stated if not line.startswith(("With ", "The smallest effect")))


def hardware(runs: list[Path]) -> str:
    """What the runs of a folder say about their machine."""
    found = {" · ".join(_machine(run)) for run in runs}
    return "; ".join(sorted(found))


def _machine(run: Path) -> Iterator[str]:
    fields = pd.read_csv(run / "tables" / "environment.csv").drop_duplicates("field").set_index("field")["value"]
    yield f"{fields['cpu']}, {fields['cores']} cores ({fields['cpu_features']})"
    yield f"GPU {fields['gpus']}" if pd.notna(fields["gpus"]) else "no GPU"
    yield f"torch {fields['versions.torch']}"


if __name__ == "__main__":
    print(page(), end="")
