"""Several processes train as one does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mtlbench.core.losses import LOSSES
from mtlbench.engine.batches import labels, training_batches
from mtlbench.engine.distributed import World
from mtlbench.engine.losses import Kinds, reference
from tests.engine import rank_curves
from tests.engine.rank_curves import BATCH, ROWS, SIZES
from tests.toy_data import FORMS, NAMES, POSITIONED, make

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
Found = dict[tuple[int, int], dict[str, Any]]


def found_by_ranks(folder: Path, device: str, *sizes: int) -> Found:
    """What every rank of every size finds, (size, rank)."""
    command = [sys.executable, "-m", "tests.engine.rank_curves"]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(folder), device, *map(str, sizes)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rank in range(max(sizes))
    ]
    said = [rank.communicate()[0].decode() for rank in ranks]
    assert not any(rank.returncode for rank in ranks), "\n".join(said)
    return {(size, rank): torch.load(folder / f"{size}-{rank}.pt") for size in sizes for rank in range(size)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return found_by_ranks(tmp_path_factory.mktemp("ranks"), "cpu", *SIZES)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", rank_curves.without_compiler(torch.compile))


@pytest.mark.usefixtures("traced")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(("size", "name"), [(s, name) for s in SIZES for name in rank_curves.cases(s == max(SIZES))])
def test_losses_and_weights_are_those_of_one_process(found: Found, size: int, name: str) -> None:
    alone = rank_curves.curve(World(), **rank_curves.cases(size == max(SIZES))[name])
    assert alone.isfinite().all()
    torch.testing.assert_close(found[size, 0]["curves"][name], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_see_the_same_bits(found: Found, size: int) -> None:
    for name, curve in found[size, 0]["curves"].items():
        assert all(torch.equal(curve, found[size, rank]["curves"][name]) for rank in range(size)), name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("learner", rank_curves.LEARNED)
def test_learners_record_and_stop_as_one_process_does(found: Found, learner: str, size: int) -> None:
    alone = rank_curves.learned(World(), learner)
    for rank in range(size):
        assert found[size, rank]["learners"][learner] == pytest.approx(alone, rel=1e-3, abs=1e-4)


@pytest.mark.usefixtures("traced")
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="fewer than two GPUs")
def test_two_ranks_on_cuda_train_as_one_does(tmp_path: Path) -> None:
    ranks = found_by_ranks(tmp_path, "cuda", 2)
    for name, case in rank_curves.cases(whole=True).items():
        alone = rank_curves.curve(World(), device="cuda", **case)
        torch.testing.assert_close(ranks[2, 0]["curves"][name], alone, rtol=2e-3, atol=1e-4, msg=name)
        assert torch.equal(ranks[2, 0]["curves"][name], ranks[2, 1]["curves"][name]), name


@pytest.mark.parametrize("size", SIZES)
def test_dropout_of_unequal_parts_leaves_common_draws_common(found: Found, size: int) -> None:
    for mine, *others in zip(*(found[size, rank]["dropout"] for rank in range(size)), strict=True):
        assert all(torch.equal(mine, other) for other in others)
    assert not torch.equal(*found[size, 0]["dropout"])


@pytest.mark.parametrize("size", SIZES)
def test_ranks_that_drift_apart_are_told(found: Found, size: int) -> None:
    for rank in range(size):
        assert "expected equal parameters and buffers in all" in found[size, rank]["drift"]
        assert "bias" in found[size, rank]["drift"]


@pytest.mark.parametrize("size", SIZES)
def test_a_lost_rank_is_an_error_of_the_others(found: Found, size: int) -> None:
    assert all(found[size, rank]["lost"] for rank in range(size - 1))


@pytest.mark.parametrize("form", [*FORMS, *POSITIONED])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_parts_are_the_batch_and_their_shares_sum_to_1(form: str, size: int) -> None:
    for batch in training_batches(make(form, rows=ROWS).train, NAMES, BATCH, 0, CPU).epoch(0):
        worlds = [World(rank, size) for rank in range(size)]
        parts = [world.part(batch) for world in worlds]
        shares = torch.stack([share for _, share in parts if share is not None])
        torch.testing.assert_close(shares.sum(0), (labels(batch) > 0).float())
        for t, target in enumerate(batch.targets):
            kept = [part.targets[t] for (part, _), world in zip(parts, worlds, strict=True) if not world.filled[t]]
            assert torch.equal(torch.cat(kept), target)
        assert all(len(target) for part, _ in parts for target in part.targets)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_a_mean_over_labels(loss: str) -> None:
    """Which alone makes the loss of a batch the sum of its parts times their shares of the labels."""
    chance = torch.Generator().manual_seed(0)
    outputs, known = torch.randn(12, 3, generator=chance), torch.rand(12, generator=chance) < 0.6
    classes = torch.randint(3, (12,), generator=chance)
    binary = torch.randint(2, (12, 3), generator=chance).float()
    targets = {"classification": classes, "binary": binary}.get(LOSSES[loss].kind, torch.rand(12, 3, generator=chance))
    kinds = Kinds([loss], [LOSSES[loss].number(None)])

    def mean(rows: slice) -> torch.Tensor:
        return reference([outputs[rows]], [targets[rows]], kinds, [known[rows]])

    parts = [slice(0, 5), slice(5, 6), slice(6, 12)]
    total = torch.stack([mean(part) * known[part].sum() / known.sum() for part in parts]).sum(0)
    torch.testing.assert_close(total, mean(slice(None)))


def test_one_process_is_given_its_batch_itself() -> None:
    batch = next(iter(training_batches(make().train, NAMES, BATCH, 0, CPU).epoch(0)))
    world, function = World(), len
    assert world.part(batch) == (batch, None)
    assert world.part(batch)[0] is batch
    assert world.drawing(function) is function
    assert world.total(batch.counts) is batch.counts
