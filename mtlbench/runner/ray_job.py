"""A run on a cluster that this machine is no part of: submitted by Ray's Jobs API, followed by the log of its job.

The suite and its files travel with the job (``shipping``), and so does what was finished before; every trial comes back
through the log the moment it ends (``wire``), so that nothing is lost when the connection is. A job is named by what it
runs: the same command again follows the one that is under way, or takes its results.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from ..core.errors import MtlbenchError, UnavailableError
from ..core.wording import clean
from ..plan.plan import Plan
from .events import Event, Finished
from .shipping import RESULTS, shipment
from .wire import from_line

Ask = Callable[[str], bool]
_LAST = 12  # lines of a log that are shown where a job fails
_GOING = ("PENDING", "RUNNING")


def run_as_job(plan: Plan, command: str, address: str, ask: Ask) -> Iterator[Event]:
    """Submit a run, or follow the one of the same name, and yield its events. Of a job that has ended before, what it
    finished is taken, and what it lacks is submitted.

    command  what asks for the same trials, ``mtlbench run suite.yaml …``
    address  of the cluster's dashboard, ``http://head:8265``
    ask      whether a job that is left by Ctrl-C should stop, too

    Raises UnavailableError where no job can be submitted, MtlbenchError where it fails.
    """
    client = _client(address)
    arguments = shlex.join(shlex.split(command)[3:])  # without mtlbench, run, and the suite's name
    name = _name(plan, arguments)
    status = {job.submission_id: str(job.status.value) for job in client.list_jobs()}.get(name, "")
    if status and status not in _GOING:
        well = set[str]()
        for event in _events(client, name, []):
            if isinstance(event, Finished) and event.result.ok:
                well.add(event.trial.id)
                yield event
        client.delete_job(name)
        if well >= {trial.id for trial in plan.wave}:
            return
    if status not in _GOING:
        _submit(client, name, plan, arguments, address)
    yield from _followed(client, name, address, ask)


def _followed(client: Any, name: str, address: str, ask: Ask) -> Iterator[Event]:
    said: list[str] = []
    try:
        yield from _events(client, name, said)
    except KeyboardInterrupt:
        if ask(f"Stop the job {name} on {address}, too? Otherwise it goes on, and the same command follows it again."):
            client.stop_job(name)
        raise
    if (status := str(client.get_job_status(name).value)) != "SUCCEEDED":
        log = "\n".join(said) or "its log is empty"
        raise MtlbenchError(f"the job {name} on {address} ended as {status}; the last lines of its log:\n{log}")


def _events(client: Any, name: str, said: list[str]) -> Iterator[Event]:
    """What the log of a job tells, and in ``said`` the last of its other lines."""
    for line in _lines(client, name):
        if event := from_line(line):
            yield event
        elif line.strip():
            said[:] = [*said, clean(line)][-_LAST:]


def _client(address: str) -> Any:
    try:
        from ray.job_submission import JobSubmissionClient

        logging.getLogger("ray").setLevel(logging.ERROR)  # it tells what it uploads
        return JobSubmissionClient(address)
    except ImportError as error:
        raise UnavailableError(f"submitting jobs needs more of Ray ({error}): pip install 'ray[default]'") from error
    except Exception as error:  # ConnectionError, RuntimeError, ValueError, and Ray's own where a token is missing
        raise UnavailableError(
            f"cannot reach a Ray dashboard at {address}: {clean(error)}; check --address (http://head:8265), that the "
            "head has 'ray[default]', and, where it asks for a token, RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        ) from error


def _name(plan: Plan, arguments: str) -> str:
    """Of the job of a run: the same for the same trials, whatever has been finished or chosen so far."""
    told = repr((sorted(trial.id for trial in plan.expanded), arguments))
    return f"mtlbench-{plan.suite.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _submit(client: Any, name: str, plan: Plan, arguments: str, address: str) -> None:
    with shipment(plan, results=True) as sent:
        suite = shlex.quote(str(sent.suite))
        entrypoint = f"python -m mtlbench run {suite} {arguments} --address auto --no-ship --out {RESULTS} --events"
        try:
            client.submit_job(entrypoint=entrypoint, submission_id=name, runtime_env={"working_dir": str(sent.folder)})
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UnavailableError(f"cannot submit a job at {address}: {clean(error)}") from error


def _lines(client: Any, name: str) -> Iterator[str]:
    """The lines of a job's log, from its first, as they come."""
    loop = asyncio.new_event_loop()
    pieces, rest = client.tail_job_logs(name), ""
    try:
        while True:
            try:
                rest += loop.run_until_complete(anext(pieces))
            except StopAsyncIteration:
                break
            *lines, rest = rest.split("\n")
            yield from lines
        yield rest
    finally:
        loop.run_until_complete(pieces.aclose())
        loop.close()
