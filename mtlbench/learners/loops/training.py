"""A training run: epochs of steps, early stopping, and one evaluation on the test split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from statistics import median

from ...core.errors import MtlbenchError
from ...core.record import HALF_PATIENCE, Record
from ...core.score import relative_score
from ...engine.batches import training_batches
from ...engine.common_batch_norm import with_common_batches
from ...engine.distributed import World
from ...engine.graph import graphed
from ...engine.model import Model
from ...engine.step import Step
from ...measure.clock import now
from ..base import Job
from ..correlations import correlations
from .divergence import check_epoch, check_validation
from .early_stopping import BestEpoch, Shorter, check_scored
from .evaluate import Evaluator
from .trace import Epoch, Trace


class Training:
    """The state of one training run; ``records`` grows as it proceeds."""

    def __init__(self, job: Job) -> None:
        self.job, self.outline = job, job.data.outline.only(job.tasks)
        names, device = self.outline.names, job.device
        self.model = Model(job.architecture, self.outline, job.seed)
        if job.init_from:
            self.model.start_from(job.init_from.trunk, job.init_from.freeze)
        self.world = job.world or World()
        with_common_batches(self.model, self.world)
        self.model.to(device)
        state = job.weighting.start(names, device)
        self.optimizer = job.optimizer.build(
            self.model.parameters(), job.weighting.parameters(state), job.engine.recipe.update
        )
        # Every epoch has a step or more, so that there are no more of them than steps.
        most = job.train.epochs or job.train.steps or 1
        self.rates = job.schedule.build(self.optimizer, most, job.optimizer.momentum_key)
        self.step = graphed(
            Step(
                job.engine,
                self.model,
                self.outline,
                job.weighting,
                state,
                self.optimizer,
                job.penalty,
                job.heads,
                self.world,
            )
        )
        size = job.optimizer.batch_size(job.train.batch_size, job.data.train.size)
        self.batches = training_batches(job.data.train, names, size, job.seed, device)
        self.validation = Evaluator(job.data.validation, self.outline, job.train.evaluation_batch_size, device)
        self.best = BestEpoch(job.train.stopping, self.model)
        self.trace = Trace(len(names), device)
        self.records: list[Record] = []
        self.epochs: list[tuple[float, int, int]] = []  # seconds, steps, rows of every epoch

    def run(self) -> list[Record]:
        """Train, pass the trunk of the best epoch to ``job.keep`` if there is one, and test that epoch."""
        step, job = self.fit(), self.job
        if job.keep:
            job.keep(self.model.trunk())
        test = Evaluator(job.data.test, self.outline, job.train.evaluation_batch_size, job.device)
        tested = test.records(self.model, "test", step)
        return [*self.records, *tested, *self._totals(), *self._at_half_patience(test, tested)]

    def fit(self) -> int:
        """Train until a cap or the validation split ends it; returns the epoch whose weights the model then has."""
        train = self.job.train
        first = self._validate(0)
        if self.job.schedule.by_score or train.stopping:
            check_scored(first)
        for epoch in count(1):
            self.epoch(epoch)
            score = self.world.first(relative_score(self._validate(epoch), first))
            self.world.check_equal(self.model, f"after epoch {epoch}")
            if self.best.update(epoch, self.steps, score) or train.capped(epoch, self.steps):
                break
            self.rates.step(score)
        return self.best.restore()

    def epoch(self, epoch: int) -> None:
        """One pass over the training split, or what the budget of steps leaves of it; losses and weights are copied
        from the device once, at its end.
        """
        self.model.train()
        steps = rows = 0
        start = now(self.job.device)
        budget = self.job.train.steps
        for batch in islice(self.batches.epoch(epoch), budget and budget - self.steps):
            self.job.check_deadline(f"in epoch {epoch}, step {steps}")
            losses, weights = self.step(batch)
            self.trace.add(losses, batch.counts, weights)
            steps, rows = steps + 1, rows + batch.rows
        if not steps:
            raise MtlbenchError(f"tasks {', '.join(self.outline.names)}: expected labelled training rows, got none")
        self.step.end_epoch()
        ended = self.trace.end()
        self.epochs.append((now(self.job.device) - start, steps, rows))
        self._record_epoch(epoch, ended)

    @property
    def seconds(self) -> float:
        """Time of all epochs so far, evaluation excluded."""
        return sum(seconds for seconds, _, _ in self.epochs)

    @property
    def steps(self) -> int:
        """Steps of all epochs so far."""
        return sum(steps for _, steps, _ in self.epochs)

    def _record_epoch(self, epoch: int, ended: Epoch) -> None:
        check_epoch(self.job, ended, epoch)
        for name, loss, weight in zip(self.outline.names, ended.losses, ended.weights, strict=True):
            self.records.append(Record("loss", loss, "train", name, higher_is_better=False, step=epoch))
            self.records.append(Record("weight", weight, "train", name, step=epoch))
        seconds = self.epochs[-1][0]
        self.records.append(Record("epoch_seconds", seconds, "train", unit="s", higher_is_better=False, step=epoch))

    def _validate(self, epoch: int) -> dict[str, float]:
        """Record validation losses, main metrics and the model's own observations; returns the losses by task."""
        self.records += [Record(name, value, "train", step=epoch) for name, value in self.model.observe().items()]
        records = self.validation.records(self.model, "validation", epoch, main_only=True)
        self.records += records
        losses = {record.task: record.value for record in records if record.metric == "loss"}
        for name, loss in losses.items():
            check_validation(self.job, name, loss, epoch)
        return losses

    def _totals(self) -> list[Record]:
        """Records of the whole run: its rates, learned correlations, time and sizes."""
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        covariance = self.job.penalty.covariance(self.model.trunk_and_heads()[1])
        return [
            *self._rates(),
            *(correlations(self.outline.tasks, covariance.cpu().numpy()) if covariance is not None else ()),
            Record("scale_free", float(self.job.optimizer.scale_free)),
            Record("train_seconds", self.seconds, unit="s", higher_is_better=False),
            Record("parameters", parameters, higher_is_better=False),
            Record("epochs", len(self.epochs)),
            Record("steps", self.steps),
        ]

    def _at_half_patience(self, test: Evaluator, tested: list[Record]) -> Iterator[Record]:
        """What the same training with half the patience would have ended with; the model has its weights afterwards.

        Where a cap ended both, that is what this one ended with. None without patience, and none of a training that
        starts from a trained trunk: with half the patience it would start from another one.
        """
        stopping = self.job.train.stopping
        if stopping is None or stopping.halved == stopping or self.job.init_from:
            return
        shorter = self.best.shorter or Shorter(len(self.epochs), self.steps, self.best.epoch, {})
        if shorter.best != self.best.epoch:
            self.model.load_state_dict(shorter.weights)
            tested = test.records(self.model, "test", shorter.best)
        seconds = sum(seconds for seconds, _, _ in self.epochs[: shorter.epochs])
        ended = [
            Record("train_seconds", seconds, unit="s", higher_is_better=False),
            Record("epochs", shorter.epochs),
            Record("steps", shorter.steps),
        ]
        yield from (replace(record, split=HALF_PATIENCE) for record in (*tested, *ended))

    def _rates(self) -> list[Record]:
        """Median rates over the epochs after warm-up; none if no epoch is left, since warm-up epochs are slower."""
        timed = self.epochs[self.job.train.warmup_epochs :]
        if not timed:
            return []
        rate, step = median(r / s for s, _, r in timed), median(s / n for s, n, _ in timed)
        return [
            Record("samples_per_second", rate, "train", unit="1/s", higher_is_better=True),
            Record("step_seconds", step, "train", unit="s", higher_is_better=False),
        ]
