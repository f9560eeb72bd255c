"""Facts that a trial leaves behind, and the result that carries them.

Vocabulary of records (``split, task, metric, step``; ``task`` is "" for facts about the whole trial). A fact about a
pair of tasks names the second one in ``other``, which is "" everywhere else:

- train, t, "loss", epoch          mean training loss of task t over the epoch
- train, t, "weight", epoch        lambda_t, mean over the epoch's steps
- validation, t, "loss" | metric   after each epoch; step 0 is before training
- test, t, "loss" | metric, best   once, at the end; step is the epoch whose weights were kept
- half_patience, t, "loss" | metric, best     what test would hold, had the training had half its patience; no choice
- half_patience, "", "epochs" | "steps" | "train_seconds"   reads it. Absent where there is no patience to be halved
- train, t, "cosine", epoch        other u: cosine of the gradients of L_t and L_u with respect to the shared parameters
- train, t, "affinity", epoch      other u: 1 - L_u after a gradient step on L_t of the shared parameters / L_u before
- train, "", x1, gap …, epoch      what the architecture reports about itself; step 0 is before training
- train, "", "epoch_seconds"       training time of that epoch, synchronised, evaluation excluded
- train, "", "samples_per_second"  once: median over the epochs after warm-up (rows seen by the model per second)
- train, "", "step_seconds"        once: median over the epochs after warm-up
- "", "", "pretrain_seconds" | "pretrain_epochs" | "pretrain_steps"  training on other tasks beforehand; train_seconds
  includes it
- "", "", "pretrain_undertrained"  1 if a cap ended that training before its own end (``core.convergence``), or else 0
- train, "" | t, "chosen_<parameter>"      once: what cross-validation on training rows chose (t: for some tasks alone,
                                           of which t is the first)
- train, "" | t, "cross_validation_error"  once: its error on held-out training rows, mean squared or share of errors
- train, t, "correlation"          once, other u: the learned correlation of tasks t and u, each pair once
- "", t, "train_rows" | "test_rows"         labels of task t in the training split; in the test split, of its metrics
- "", "", "scale_free"             whether the optimizer's steps hardly depend (1) on the gradients' scale
- "", "", "train_seconds" | "total_seconds" | "peak_memory" (bytes) | "parameters" | "epochs" | "steps"

Records of a kernel trial have the state of the caches for a split and the contender for a task:

- warm | cold, c, "call_seconds", block    mean over the block of one call of contender c, Python included
- warm | cold, c, "kernel_seconds", block  the same on the device alone, replayed from a CUDA graph
- "", c, "ours"                            whether contender c is of mtlbench (1) or of others (0)
- "", "", "bytes"                          what one call must move by formula; 0 where memory does not bound it

Contender "copy" is the ceiling: a plain copy that moves as many bytes, timed among the others.

Version 3 of this vocabulary; ``record_versions`` reads what earlier ones wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .statuses import ENDED_WELL
from .wording import clean, clean_lines

VERSION = 3
HALF_PATIENCE = "half_patience"  # a split, so that who asks for "test" does not see it
COSINE, LOOKAHEAD_AFFINITY, CORRELATION = "cosine", "affinity", "correlation"  # metrics of pairs of tasks


@dataclass(frozen=True)
class Record:
    """One fact of one trial."""

    metric: str
    value: float
    split: str = ""
    task: str = ""
    unit: str = ""
    higher_is_better: bool | None = None
    step: int = 0
    main: bool = False  # the metric that ranks methods on this task
    other: str = ""  # the second task of a fact about a pair


@dataclass(frozen=True)
class Result:
    """How one attempt at a trial ended.

    ``status`` is one of ``core.statuses``; ``error`` holds the reason in one line and ``traceback`` the whole of it,
    both without characters that a terminal would obey. ``peak_memory`` is what an attempt that ended badly took at
    most, as far as that was seen, in bytes; 0 where nobody saw it (one that ended well has it among its records).
    ``shared`` says that other work ran on the trial's CPUs or GPU, so that its times are not to be compared; ``alone``
    that the scheduler, at least, had put nothing else there.
    """

    status: str
    attempt: int = 1
    records: tuple[Record, ...] = ()
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0
    shared: bool = True
    alone: bool = False
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION
    peak_memory: int = 0

    def __post_init__(self) -> None:
        # Whatever raised an error chose its words, and they go to terminals, logs and tables.
        object.__setattr__(self, "error", clean(self.error))
        object.__setattr__(self, "traceback", clean_lines(self.traceback))
        object.__setattr__(self, "notes", tuple(map(clean, self.notes)))

    @property
    def ok(self) -> bool:
        """Whether the trial finished."""
        return self.status in ENDED_WELL

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; ``from_json`` gives the same result back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """The result that ``to_json`` described."""
        records = tuple(Record(**record) for record in value.get("records", ()))
        return cls(**{**value, "records": records, "notes": tuple(value.get("notes", ()))})
