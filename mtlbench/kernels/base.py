"""The interface of kernels: an operation on inputs of some shape, and the contenders that implement it."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.config import Config
from ..core.errors import MtlbenchError, UnavailableError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OURS = "fused"


class Wrong(MtlbenchError):
    """A contender's result differs from the reference."""


@dataclass(frozen=True)
class Contender:
    """One implementation of the operation, with separate buffers.

    call   runs it once
    check  raises Wrong if the buffers do not have the values expected after that many calls
    """

    call: Callable[[], object]
    check: Callable[[int], None]


Makers = Mapping[str, Callable[[], Contender]]


class Kernel(Config):
    """An operation. Fields define its shape; ``contenders`` names the competing implementations, with a line each."""

    contenders: ClassVar[Mapping[str, str]]
    ours: ClassVar[frozenset[str]] = frozenset({OURS})

    @property
    @abstractmethod
    def shape(self) -> str:
        """The shape in a few words without a slash, for names of trials and rows of tables."""

    @abstractmethod
    def traffic(self) -> int:
        """The least bytes that one call must read and write, by formula; 0 if it is not bound by memory."""

    @abstractmethod
    def prepare(self, device: torch.device) -> Makers:
        """A factory for each contender. Inputs are common to all; each has separate buffers for what it writes.

        A maker raises UnavailableError, with the reason, for a contender that cannot run here.
        """

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, and the contenders."""
        return f"{super().summary()} Contenders: {', '.join(cls.contenders)}."


def need_kernels(device: torch.device) -> None:
    """Raises UnavailableError if our operations would run their torch reference."""
    from ..ops import backend

    built = backend.backend()
    if not built.available or (device.type == "cuda" and not built.cuda_architectures):
        raise UnavailableError(built.reason or f"the kernels were built without CUDA; {backend.HOW_TO_BUILD}")


def need_package(package: str, device: torch.device) -> None:
    """Raises UnavailableError if a peer's package, which has only CUDA kernels, cannot run."""
    if device.type != "cuda":
        raise UnavailableError(f"{package} runs on CUDA alone")
    if importlib.util.find_spec(package) is None:
        raise UnavailableError(f"{package} is not installed")


def need_few(tensors: int, most: int) -> None:
    """Raises UnavailableError if torch.compile would unroll so many tensors that compiling takes minutes."""
    if tensors > most:
        raise UnavailableError(f"torch.compile unrolls every tensor: {tensors:,} of them, at most {most} are tried")


def expect_close(what: str, actual: Tensor, expected: Tensor, rtol: float = 1e-4, atol: float | Tensor = 1e-7) -> None:
    """Raises Wrong where |actual - expected| > atol + rtol |expected| anywhere, or the shapes differ."""
    if actual.shape != expected.shape:
        raise Wrong(f"{what}: expected shape {tuple(expected.shape)}, got {tuple(actual.shape)}")
    error = (actual.double() - expected.double()).abs()
    if not bool((error <= atol + rtol * expected.double().abs()).all()):  # NaN is not
        raise Wrong(f"{what}: expected the reference's values, got an error of {float(error.max()):.3g}")
