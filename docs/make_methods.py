"""Prints the page of methods from the tables: `make docs` writes it to docs/methods.md.

Rows, first lines and papers are the entries' own. What LibMTL and TorchJD call an entry stands here, and only here;
an entry that neither of them has is not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtlbench.screen.catalogue import Listed, catalogue
from mtlbench.weightings import TABLE as WEIGHTINGS
from mtlbench.weightings.base import GRADIENTS, Need

ROOMS = {
    "problems": "",
    "architectures": "Those with a trunk take `encoders: {{task: …}}` in front, where inputs differ in kind.",
    "trunks": "Chosen within an architecture: `{{name: shared, trunk: cnn}}`.",
    "weightings": "Those on gradients take `level: representation`, gradients of features and not of weights, but for "
    "{}: they compare gradients of different rows, whose features have no coordinates in common.",
    "learners": "",
    "optimizers": "",
    "schedules": "Any of them takes `warmup` (epochs) and `beta_decay`.",
    "penalties": "`on: all`, `trunk` or `heads`.",
    "metrics": "Chosen within a problem, `metrics: {{task: [macro_f1, accuracy]}}` (`tabular`, `text`: in each target "
    "or corpus); the first one ranks methods. scikit-learn's scorers are there by name, `sklearn:average_precision`.",
    "engines": "How a step runs, timed as [kernels.md](kernels.md) says. LibMTL and TorchJD run eagerly.",
}
PEERS = ("LibMTL", "TorchJD")
# LibMTL 1.1.5, commit 4336804 of May 2025: README and code (its EW says mean and takes the sum).
# TorchJD 0.18: its documentation and what torchjd.aggregation and torchjd.scalarization export.
HAVE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "problems": {"dense": ("nyu", "")},
    "architectures": {
        "shared": ("HPS", ""),
        "cross_stitch": ("Cross_stitch", ""),
        "mmoe": ("MMoE", ""),
        "cgc": ("CGC", ""),
        "ple": ("PLE", ""),
        "dselect_k": ("DSelect_k", ""),
        "mtan": ("MTAN", ""),
    },
    "trunks": {"resnet": ("resnet18", "")},
    "weightings": {
        "equal": ("EW", "Mean"),
        "sum": ("EW", "Sum"),
        "fixed": ("", "Constant"),
        "random": ("RLW", "Random"),
        "uncertainty": ("UW", "UW"),
        "dwa": ("DWA", "DWA"),
        "geometric": ("GLS", "GeometricMean"),
        "imtl_l": ("", "IMTLL"),
        "stch": ("STCH", "STCH"),
        "pbi": ("", "PBI"),
        "cosmos": ("", "COSMOS"),
        "famo": ("FAMO", "FAMO"),
        "mgda": ("MGDA", "MGDA"),
        "pcgrad": ("PCGrad", "PCGrad"),
        "cagrad": ("CAGrad", "CAGrad"),
        "upgrad": ("UPGrad", "UPGrad"),
        "dualproj": ("", "DualProj"),
        "nash_mtl": ("Nash_MTL", "NashMTL"),
        "fairgrad": ("FairGrad", "FairGrad"),
        "imtl_g": ("", "IMTLG"),
        "imtl": ("IMTL", ""),
        "aligned_mtl": ("Aligned_MTL", "AlignedMTL"),
        "config": ("", "ConFIG"),
        "gradnorm": ("GradNorm", ""),
        "db_mtl": ("DB_MTL", ""),
        "moco": ("MoCo", ""),
        "auto_lambda": ("AutoLambda", ""),
        "smoothed": ("", "CRMOGMWeighting"),
        "gradvac": ("GradVac", "GradVac"),
        "krum": ("", "Krum"),
        "pcd": ("", "PCD"),
        "sdmgrad": ("SDMGrad", "SDMGradWeighting"),
        "modo": ("MoDo", "MoDoWeighting"),
        "excess_mtl": ("ExcessMTL", "ExcessMTL"),
        "graddrop": ("GradDrop", "GradDrop"),
        "trimmed_mean": ("", "TrimmedMean"),
    },
    "learners": {"gradient": ("Trainer", "")},
    "optimizers": {
        "sgd": ("sgd", ""),
        "momentum": ("sgd", ""),
        "adagrad": ("adagrad", ""),
        "rmsprop": ("rmsprop", ""),
        "adam": ("adam", ""),
    },
    "schedules": {
        "exponential": ("exp", ""),
        "cosine": ("cos", ""),
        "step": ("step", ""),
        "plateau": ("reduce", ""),
    },
}
# What a peer has and mtlbench has not.
MISSING: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "problems": (["cityscapes", "office (Office-31, Office-Home)", "qm9", "xtreme (PAWS-X)"], []),
    "architectures": (["LTB"], []),
    "trunks": (
        [
            *("resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"),
            *("wide_resnet50_2", "wide_resnet101_2", "resnet_dilated"),
        ],
        [],
    ),
    "weightings": (["MOML", "FORUM"], []),
}
INTRO = """\
# Everything that runs, beside LibMTL and TorchJD

`mtlbench list` shows the same entries with their parameters. Formulas, and deviations from the papers, stand in the
docstrings (and so in what `mtlbench schema` prints, which editors show). The last columns are the names that
[LibMTL](https://github.com/median-research-group/LibMTL) 1.1.5 (as of May 2025) and [TorchJD](https://torchjd.org) 0.18
have for the same thing; – is none, and a peer that has nothing of the kind has no column. TorchJD is a library of
weightings: networks, data and training are its user's. Many weightings here run its code; others are tested against it.
"""


def page(rows: Sequence[Listed]) -> str:
    """The whole page."""
    rooms = {room: [row for row in rows if row.room == room] for room in ROOMS}
    parts = [INTRO, _counts(rooms)]
    for room, entries in rooms.items():
        about = ROOMS[room].format(", ".join(f"`{name}`" for name in without_level()))
        parts += [f"## {room.capitalize()}\n", *([f"{about}\n"] if about else []), _table(room, entries)]
        parts += [f"{sentence}\n" for sentence in _only_there(room)]
    return "\n".join(parts).rstrip("\n") + "\n"


def names(room: str, peer: int) -> set[str]:
    """The names that one peer has for the entries of a room."""
    return {have[peer] for have in HAVE.get(room, {}).values() if have[peer]}


def without_level() -> list[str]:
    """The weightings on gradients that take no ``level``."""
    kinds = {name: WEIGHTINGS.load(name) for name in WEIGHTINGS}
    on_gradients = {name: kind for name, kind in kinds.items() if getattr(kind, "needs", Need(0)) & GRADIENTS}
    return [name for name, kind in on_gradients.items() if "level" not in kind.model_fields]


def _counts(rooms: Mapping[str, Sequence[Listed]]) -> str:
    """How many entries each has in total; a peer's entry that corresponds to two here counts once."""
    lines = [f"| | mtlbench | {' | '.join(PEERS)} |", "|---|---:|---:|---:|"]
    for room, entries in rooms.items():
        others = [len(names(room, peer)) + len(MISSING.get(room, ([], []))[peer]) for peer in range(len(PEERS))]
        lines.append(f"| {room} | {len(entries)} | {' | '.join(str(n) if n else '–' for n in others)} |")
    return "\n".join(lines) + "\n"


def _table(room: str, entries: Sequence[Listed]) -> str:
    """One row per entry; empty columns are left out."""
    rows = [["name", "what", "paper", *PEERS]]
    for entry in entries:
        have = [f"`{name}`" if name else "" for name in HAVE.get(room, {}).get(entry.name, ("", ""))]
        rows.append([f"`{entry.name}`", entry.summary.replace("|", "\\|"), entry.paper.replace("|", "\\|"), *have])
    kept = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    lines = ["| " + " | ".join(row[column] or "–" for column in kept) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(kept) + "|", *lines[1:]]) + "\n"


def _only_there(room: str) -> Iterator[str]:
    for peer, missing in zip(PEERS, MISSING.get(room, ([], [])), strict=True):
        if missing:
            yield f"In {peer} and not here: {', '.join(missing)}."


if __name__ == "__main__":
    print(page(list(catalogue())), end="")
