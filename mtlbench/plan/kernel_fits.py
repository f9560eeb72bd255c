"""What only the kernels themselves and the machine can tell of a suite's ``kernels``."""

from __future__ import annotations

from collections.abc import Iterator

from ..core.errors import did_you_mean
from ..kernels.base import Kernel
from ..suite.suite import Kernels
from ..suite.tree import Node, Place


def kernel_faults(kernels: Kernels, gpus: bool) -> Iterator[tuple[Place, str]]:
    """Cases that are not kernels, unknown contenders, and missing GPUs."""
    for case in kernels.cases:
        if case.config and not isinstance(case.config, Kernel):
            yield (
                case.node["name"].place,
                f"kernel '{case.name}': expected a subclass of {Kernel.__module__}.{Kernel.__name__}, "
                f"got {type(case.config).__name__}",
            )
    timing = kernels.timing
    if timing.config is None:
        return
    cases = [case for case in kernels.cases if isinstance(case.config, Kernel)]
    titles: set[str] = set()
    for case in cases:
        if kernels.title(case) in titles:
            yield case.node.place, f"two kernels are called '{kernels.title(case)}': give each a label of its own"
        titles.add(kernels.title(case))
    contenders = dict.fromkeys(name for case in cases for name in case.checked.contenders)
    whole = len(cases) == len(kernels.cases)  # the contenders of a faulty case are unknown
    for i, name in enumerate(timing.config.contenders or ()):
        if whole and name not in contenders:
            yield _item(timing.node, "contenders", i), f"unknown contender '{name}', {did_you_mean(name, contenders)}"
    for case in cases:
        if not kernels.contenders(case):
            yield case.node.place, f"kernel '{case.name}': none of kernels.contenders competes in it"
    for i, device in enumerate(timing.config.devices):
        if device == "cuda" and not gpus:
            yield _item(timing.node, "devices", i), "kernels.devices: expected a GPU on this machine for cuda, got none"


def _item(node: Node, key: str, index: int) -> Place:
    if key not in node:
        return node.place
    place: Place = node[key].value[index].place
    return place
