"""What a person sees of trials that end: how, why, and nothing that a terminal obeys."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mtlbench.core.record import Result
from mtlbench.core.statuses import CONTENDED, ENDED_BADLY, LOST, OK, OUT_OF_MEMORY, TIMEOUT
from mtlbench.runner.events import Finished, Started
from mtlbench.screen.progress import LiveProgress, PlainProgress, Tally, outcome
from mtlbench.screen.tables import grid, say
from tests.trials import train_trial

TRIAL = train_trial(problem={"name": "digits"}, tasks=("a\x1b[2J",), method="m\x00\x1b[31m", engine="eager")


def ended(status: str, retried: bool = False, peak: int = 0) -> Finished:
    return Finished(
        TRIAL, Result(status, error="" if status in (OK, CONTENDED) else "why\x1b[0m", peak_memory=peak), retried
    )


def test_trials_are_counted_by_how_they_ended() -> None:
    tally = Tally(8, 1)
    for status in (OK, OK, CONTENDED, TIMEOUT, LOST, OUT_OF_MEMORY):
        tally.add(Started(TRIAL))
        tally.add(ended(status))
    tally.add(ended(LOST, retried=True))
    assert tally.line().startswith(
        "3 done, 0 running, 1 timed out, 1 ran out of memory, 1 lost, 1 contended, 1 cached, 1 retried, about"
    )
    assert tally.ended.total() == 6


@pytest.mark.parametrize("status", ENDED_BADLY)
def test_a_line_names_status_reason_and_memory(status: str) -> None:
    line = outcome(ended(status, retried=True, peak=3 << 20))
    assert line.startswith(status)
    assert line.endswith(": why\ufffd[0m, peak memory 3 MiB — trying again")


def test_no_name_and_no_reason_moves_the_cursor() -> None:
    file = io.StringIO()
    console = Console(file=file, width=160)
    plain, live = PlainProgress(Tally(2, 0), console), LiveProgress(Tally(2, 0), console)
    for progress in (plain, live):
        progress.show(Started(TRIAL))
        console.print(live)
        progress.show(ended(LOST))
        progress.show(ended(OK))
    console.print(live)
    console.print(grid("t\x1b[2J", ["c\x1b[2J"], [["cell\x1b[2J\x07"]]))
    say(console, "said\x1b]0;title\x07")
    assert "lost" in file.getvalue()
    assert not {c for c in file.getvalue() if not c.isprintable()} - {"\n"}
