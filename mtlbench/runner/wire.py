"""What a scheduler tells, as lines of text: from a run on a cluster to who asked for it, through the log of its job."""

from __future__ import annotations

import base64
import json
import zlib

from ..core.record import Result
from ..core.trial import trial_from_json
from .events import Event, Finished, Started

_MARK = "mtlbench-event "


def to_line(event: Event) -> str:
    """An event as one line, packed: what a trial leaves is kilobytes of numbers."""
    told: dict[str, object] = {"trial": event.trial.to_json()}
    if isinstance(event, Finished):
        told |= {"result": event.result.to_json(), "retried": event.retried}
        told["trunk"] = base64.b64encode(event.trunk).decode()
    return _MARK + base64.b64encode(zlib.compress(json.dumps(told).encode())).decode()


def from_line(line: str) -> Event | None:
    """The event of a line; None where it tells none, or was cut."""
    if not line.startswith(_MARK):
        return None
    try:
        told = json.loads(zlib.decompress(base64.b64decode(line.removeprefix(_MARK), validate=True)))
        trial = trial_from_json(told["trial"])
        if "result" not in told:
            return Started(trial)
        return Finished(trial, Result.from_json(told["result"]), told["retried"], base64.b64decode(told["trunk"]))
    except (ValueError, KeyError, TypeError, zlib.error):
        return None
