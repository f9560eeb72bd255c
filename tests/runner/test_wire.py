"""Events come back from their lines as they were, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from mtlbench.core.record import Record, Result
from mtlbench.runner.events import Event, Finished, Started
from mtlbench.runner.wire import from_line, to_line
from tests.trials import train_trial

RESULT = Result("ok", 2, records=(Record("accuracy", float("nan"), "test", "größe"), Record("epochs", 3.0)))
EVENTS: list[Event] = [
    Started(train_trial()),
    Finished(train_trial(), RESULT),
    Finished(train_trial(), RESULT, retried=True, trunk=b"\x00\xff" * 50),
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_one_line_that_means_the_same(event: Event) -> None:
    line = to_line(event)
    assert line.isascii()
    assert "\n" not in line
    assert repr(from_line(line)) == repr(event)  # of NaN, which does not equal itself


@pytest.mark.parametrize(
    "line", ["", "done    digits/equal", to_line(EVENTS[1])[:-9], to_line(EVENTS[1])[9:], "mtlbench-event e30="]
)
def test_what_is_no_event_is_none(line: str) -> None:
    assert from_line(line) is None
