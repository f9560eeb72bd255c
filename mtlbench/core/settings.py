"""Settings of a run that belong to no table: how long to train, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, isfinite
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from .config import Config

MATCHED, WIDENED = "matched", "widened"  # values of ``capacity``
MAX_CANDIDATES = 100  # of one method: combinations of ``tune``, or weights that are tried
EPOCHS = 10  # of ``until: epochs``
CAP, PATIENCE, PATIENCE_STEPS, MIN_DELTA = 1000, 20, 500, 1e-3  # of ``until: plateau``
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def _seconds(value: object) -> object:
    """``"90s"``, ``"10min"``, ``"1.5h"`` or a number of seconds."""
    if not isinstance(value, str):
        return value
    for unit, factor in sorted(_UNITS.items(), key=lambda item: -len(item[0])):
        number = value.strip().removesuffix(unit)
        if number != value.strip():
            try:
                return float(number) * factor
            except ValueError:
                break
    raise ValueError(f"expected a duration such as 90s, 10min or 1h, got '{value}'")


_SCHEMA = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^[0-9.]+ *(s|min|h)$"}]}
Seconds = Annotated[
    float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False), WithJsonSchema(_SCHEMA, mode="validation")
]


class EarlyStopping(Config):
    """Stop when the validation score has not improved for ``patience`` epochs, and keep the best epoch's weights.

    The score is the mean over tasks of L_t(epoch) / L_t(0) on the validation split, where L_t(0) is the loss at the
    initial weights: free of the losses' units, and with the same denominators for all methods of a seed.
    """

    patience: int = Field(5, ge=1, description="epochs without improvement before stopping")
    min_delta: float = Field(0.0, ge=0, description="smallest decrease of the score that counts as improvement")

    def improves(self, score: float, best: float) -> bool:
        """Whether a score counts as better than the best one so far; both are losses, lower being better."""
        return score < best - self.min_delta

    def over(self, epochs: int, steps: float) -> bool:
        """Whether so many epochs without improvement, and the optimizer's steps in them, end training."""
        return epochs >= self.patience

    @property
    def halved(self) -> Self:
        """The rule with half the patience, rounded up."""
        return self.model_copy(update={"patience": ceil(self.patience / 2)})


class Plateau(EarlyStopping):
    """Early stopping whose ``min_delta`` is a share of the best score, so that it means the same at every scale, and
    whose patience lasts at least ``patience_steps`` steps of the optimizer: with few steps an epoch, many epochs are
    too short a rest to tell a plateau from a slow stretch.
    """

    patience_steps: int = Field(0, ge=0, description="steps without improvement before stopping, at least")

    def over(self, epochs: int, steps: float) -> bool:
        """See ``EarlyStopping``: as many epochs and as many steps."""
        return super().over(epochs, steps) and steps >= self.patience_steps

    @property
    def halved(self) -> Self:
        """See ``EarlyStopping``: half of both."""
        return super().halved.model_copy(update={"patience_steps": ceil(self.patience_steps / 2)})

    def improves(self, score: float, best: float) -> bool:
        """score < best - min_delta |best|; the first finite score always does."""
        return score < (best - self.min_delta * abs(best) if isfinite(best) else best)


class Train(Config):
    """How a trial trains, and until when. One epoch is one pass over the training split of the trial's tasks.

    ``until: epochs`` trains for ``epochs``, or stops early. ``until: plateau`` trains until the validation score has
    not improved by the share ``min_delta`` for ``patience`` epochs that have together ``patience_steps`` steps or more,
    and keeps the best epoch's weights; ``epochs`` is then no plan but a cap, and a trial that reaches it is reported as
    undertrained. ``steps`` ends either after so many steps of the optimizer: since tasks of unequal size have epochs of
    unequal length, it is what gives every trial the same number of updates.
    """

    later: ClassVar[frozenset[str]] = frozenset({"until", "patience", "patience_steps", "min_delta", "steps"})

    epochs: int | None = Field(
        EPOCHS,
        ge=1,
        description="passes over the training split, at most; unless given, 10, with until: plateau 1000, and with "
        "steps as many as these take",
    )
    steps: int | None = Field(None, ge=1, description="steps of the optimizer, at most")
    until: Literal["epochs", "plateau"] = Field("epochs", description="what ends training: a number, or a plateau")
    patience: int | None = Field(
        None, ge=1, description="of until: plateau: epochs without improvement before it ends; 20 unless given"
    )
    patience_steps: int = Field(
        0,
        ge=0,
        description="of until: plateau: steps of the optimizer that the patience lasts, at least; "
        f"{PATIENCE_STEPS} unless given",
    )
    min_delta: float | None = Field(
        None, ge=0, lt=1, description="of until: plateau: smallest improvement, as a share; 0.001 unless given"
    )
    batch_size: int = Field(128, ge=1, description="rows per step")
    evaluation_batch_size: int = Field(4096, ge=1, description="rows per forward pass when evaluating")
    early_stopping: EarlyStopping | None = Field(None, description="stop on the validation split; best epoch is kept")
    warmup_epochs: int = Field(1, ge=0, description="first epochs left out of step times and throughput")

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, written: Any) -> Any:
        """With the defaults that depend on how training ends; null asks for them, too."""
        if not isinstance(written, Mapping):
            return written
        dependent = {"epochs", "steps", "patience", "patience_steps", "min_delta"}
        given = {key: value for key, value in written.items() if value is not None or key not in dependent}
        plateau = given.get("until") == "plateau"
        usual = {"patience": PATIENCE, "patience_steps": PATIENCE_STEPS, "min_delta": MIN_DELTA, "epochs": CAP}
        return {**(usual if plateau else {}), **({"epochs": None} if "steps" in given else {}), **given}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.until == "plateau" and self.early_stopping:
            raise ValueError(
                "early_stopping: expected none beside until: plateau, which stops by a patience of its own; remove it "
                "(early_stopping: null), and give train.patience if the default does not suit"
            )
        for key in ("patience", "patience_steps", "min_delta"):
            if self.until == "epochs" and getattr(self, key) != type(self).model_fields[key].default:
                instead = "" if key == "patience_steps" else f", or early_stopping: {{{key}: …}}"
                raise ValueError(
                    f"{key}: expected until: plateau beside it, got until: epochs; write until: plateau{instead}"
                )
        return self

    @classmethod
    def of_trial(cls, spec: Mapping[str, Any]) -> Self:
        """The settings that a trial has; one of before ``patience_steps`` existed trained as with none."""
        return cls.from_plain({"patience_steps": 0, **spec})

    @property
    def stopping(self) -> EarlyStopping | None:
        """What ends training before its caps, by the validation split; None where nothing does."""
        if self.patience is None or self.min_delta is None:
            return self.early_stopping
        return Plateau(patience=self.patience, patience_steps=self.patience_steps, min_delta=self.min_delta)

    @property
    def length_known(self) -> bool:
        """Whether it is known beforehand how many epochs there are, unless training is stopped early."""
        return self.until == "epochs" and self.steps is None

    def allows(self, other: Train) -> bool:
        """Whether its caps are no lower than another's."""
        caps = ((self.epochs, other.epochs), (self.steps, other.steps))
        return all(mine is None or (theirs is not None and mine >= theirs) for mine, theirs in caps)

    def capped(self, epochs: int, steps: int) -> bool:
        """Whether training that has come so far has to end."""
        return epochs == self.epochs or steps == self.steps

    @property
    def longer(self) -> str:
        """How to let a training go on that a cap ended."""
        caps = " or ".join(f"`train.{key}`" for key in ("epochs", "steps") if getattr(self, key) is not None)
        return f"raise its cap, {caps}" if self.until == "plateau" else "`train: {until: plateau}`, or a higher cap"


HeadsRule = Literal["own", "weighted", "published"]


class Heads(Config):
    """By which multiple h_t of grad L_t the parameters that belong to task t alone move.

    ``own``: h_t = 1/T, the task's share of the mean loss, under every weighting; lambda acts on the shared parameters
    alone. 1/T rather than 1, so that equal weights remain gradient descent on one function, the mean loss, and so that
    methods with lambda_t = 1/T take the same steps, whether they get there from losses or from gradients.
    ``weighted``: h_t = lambda_t, so that the whole network descends sum_t lambda_t L_t.
    ``published``: what the method's paper or its authors' code does, see each weighting.
    """

    rule: HeadsRule = Field(
        "own", description="own: 1/T under every weighting; weighted: lambda_t; published: as in the method's paper"
    )


class InitFrom(Config):
    """The trained trunk that a model starts from: all its shared parameters. Heads start afresh.

    It is that of another method of the suite, trained with the same seed, or a file of ``checkpoints/`` in any results
    folder. What training it cost is on its own record, and no part of the times of what starts from it.
    """

    method: str | None = Field(None, description="label of the method that trained it; on the same engine if it can")
    problem: str | None = Field(None, description="the problem that this method trained on; the same unless given")
    file: str | None = Field(None, description="a trunk's file, instead of a method")
    freeze: bool = Field(False, description="whether training leaves the trunk as it is")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.file is not None and (self.method is not None or self.problem is not None):
            raise ValueError("expected a method or a file, got both; remove one")
        if self.method is None and self.file is None and (self.problem is not None or self.freeze):
            raise ValueError("expected a method or a file to take the trunk of, got neither")
        return self

    @property
    def given(self) -> bool:
        """Whether there is anything to start from."""
        return self.method is not None or self.file is not None


_Whole = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class Resources(Config):
    """What one trial needs: ``cpus`` cores, and as many threads, in each of its processes, of which there is one for
    every GPU, or ``workers`` on the CPU. Several share each step, see docs/clusters.md.
    """

    cpus: int = Field(1, ge=1, description="CPU cores and threads of each process of a trial")
    gpus: _Whole | _Share = Field(
        0, description="GPUs of one trial; 1 trains on CUDA, more with a process on each; 0.5 shares one, untimed"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that share each step, on CUDA one for every GPU")
    timeout: Seconds = Field(3600.0, description="a trial that takes longer is stopped, with the status timeout")
    exclusive: Literal["first_seed", "all", "none"] = Field(
        "first_seed", description="which trials run alone on their node, so that their throughput counts"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.gpus, float) and self.exclusive != "none":
            raise ValueError(
                f"gpus: expected a whole GPU for trials that are timed, got {self.gpus:g} of one; add exclusive: none, "
                "which times nothing"
            )
        if self.gpus and self.workers not in (1, self.gpus):
            raise ValueError(
                f"workers: expected one for every GPU, got {self.workers} for gpus: {self.gpus:g}; remove workers, or "
                "set gpus to as many"
            )
        return self

    @property
    def processes(self) -> int:
        """How many there are of one trial."""
        return max(self.workers, int(self.gpus))


class Timing(Config):
    """How the cases of ``kernels`` are timed: all contenders of a case by turns, in each of several processes."""

    contenders: tuple[str, ...] | None = Field(None, min_length=1, description="who competes; everyone unless given")
    devices: tuple[Literal["cpu", "cuda"], ...] = Field(("cpu",), min_length=1, description="where")
    threads: int = Field(1, ge=1, description="CPU cores and threads of one process")
    processes: int = Field(3, ge=1, le=100, description="processes that time a case, one after the other")
    rounds: int = Field(30, ge=1, description="blocks of a process for each state of the caches, at most")
    seconds: float = Field(2.0, gt=0, allow_inf_nan=False, description="time after which no further block begins")
    timeout: Seconds = Field(600.0, description="a process that takes longer is stopped, with the status timeout")
