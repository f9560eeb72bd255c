"""The code that each trial of a plan would be computed by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.metrics import SKLEARN
from ..core.parts import single
from ..core.registry import third_party
from ..core.sources import KERNELS, Manifest, kernels_digest, manifest_digest, manifest_of
from ..core.task import Outline
from ..core.trial import KernelTrial, Spec, TrainTrial, Trial
from ..suite.entries import Tables

# What every trial of a kind runs through, whatever its entries.
_COMMON = {"train": ("mtlbench.learners.base", "mtlbench.problems.folds"), "kernel": ("mtlbench.kernels.bench",)}

_SOLVERS = "mtlbench/ops/gramian_weights.py"


@dataclass
class Provenance:
    """Manifests of the code behind trials, each made once for all trials of the same entries."""

    tables: Tables
    outlines: Mapping[str, Outline]
    _found: dict[tuple[frozenset[str], frozenset[str]], tuple[str, Manifest]] = field(default_factory=dict)
    _words: dict[int, frozenset[str]] = field(default_factory=dict)  # by the id of a spec that a trial holds

    def of(self, trials: Iterable[Trial]) -> tuple[tuple[Trial, ...], dict[str, Manifest]]:
        """The trials with their ``sources``, and what these stand for. A trial that starts from another's trunk
        comes from that one's code too.
        """
        listed = tuple(trials)
        by_id = {trial.id: trial for trial in listed} if any(trial.source for trial in listed) else {}
        manifests: dict[str, Manifest] = {}
        found = []
        for trial in listed:
            line = [trial]
            while line[-1].source in by_id:
                line.append(by_id[line[-1].source])
            sources, manifest = self._of(line)
            manifests[sources] = manifest
            found.append(replace(trial, sources=sources))
        return tuple(found), manifests

    def _of(self, line: list[Trial]) -> tuple[str, Manifest]:
        words = frozenset(word for trial in line for word in self._named(trial))
        modules = frozenset(module for trial in line for module in (*_COMMON[trial.kind], *self._rows(trial)))
        if (words, modules) not in self._found:
            beside = {target.partition(":")[0] for word in words for target in _targets(word)}
            manifest = manifest_of(sorted(modules | beside), words)
            if any(self._on_kernels(trial, words) for trial in line):
                manifest[KERNELS] = kernels_digest()
            self._found[words, modules] = (manifest_digest(manifest), manifest)
        return self._found[words, modules]

    def _named(self, trial: Trial) -> Iterator[str]:
        """Every word of a trial's entries that may be a name: theirs, those within them, and those of metrics."""
        if isinstance(trial, KernelTrial):
            yield from self._in(trial.kernel)
        elif isinstance(trial, TrainTrial):
            yield trial.engine
            for spec in (trial.problem, *(spec for name, spec in trial.parts.items() if name != "start")):
                yield from self._in(spec)
            if trial.problem_name in self.outlines:
                yield from (name for task in self.outlines[trial.problem_name].tasks for name in task.metrics)

    def _in(self, spec: Spec) -> frozenset[str]:
        if id(spec) not in self._words:
            self._words[id(spec)] = frozenset(strings(spec))
        return self._words[id(spec)]

    def _rows(self, trial: Trial) -> Iterator[str]:
        """The modules of a trial's entries among the rows of tables."""
        if isinstance(trial, KernelTrial):
            specs = {"kernel": trial.kernel["case"]}
        else:
            assert isinstance(trial, TrainTrial)
            specs = {"problem": trial.problem, "engine": {"name": trial.engine}}
            specs |= {part.room: trial.parts[part.coordinate] for _, part in single() if part.room}
        for room, spec in specs.items():
            row = self.tables[room].get(spec.get("name", ""), "")
            if row:
                yield row.partition(":")[0]

    def _on_kernels(self, trial: Trial, words: frozenset[str]) -> bool:
        """Whether a trial calls the compiled operations: because its engine does or, whatever the engine, because the
        code of its weighting can reach those that solve for task weights.
        """
        if isinstance(trial, TrainTrial) and trial.engine:
            weighting = trial.parts["weighting"].get("name", "")
            row = self.tables["weighting"].get(weighting, "")
            modules = [target.partition(":")[0] for target in (row, *_targets(weighting)) if target]
            recipe = getattr(self.tables["engine"].load(trial.engine), "recipe", ())
            return "kernel" in recipe or _SOLVERS in manifest_of(modules, words)
        return isinstance(trial, KernelTrial)


def strings(value: Any) -> Iterator[str]:
    """Every text in a spec."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for one in value.values() for text in strings(one))
    elif isinstance(value, list | tuple):
        yield from (text for one in value for text in strings(one))


def _targets(word: str) -> tuple[str, ...]:
    """What a name stands for beside the rows of mtlbench's own tables."""
    return (word,) if ":" in word and not word.startswith(SKLEARN) else third_party(word)
