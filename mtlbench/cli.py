"""The command line. No logic lives here; heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .core.errors import MtlbenchError
from .core.wording import clean_lines
from .runner import stopping
from .screen.signs import replace_missing_signs

if TYPE_CHECKING:
    from .plan.plan import Plan

_suite = click.argument("suite", type=click.Path(path_type=Path))
_choice = [
    click.option("--profile", help="Use this profile of the suite."),
    click.option("--seeds", type=click.IntRange(min=1), help="Number of seeds, instead of the suite's."),
    click.option("--only", metavar="PATTERN", help="Only trials whose title matches (problem/method/engine/seed0)."),
    click.option("--accept-stale", is_flag=True, help="Count results that other code made than the code of now."),
    click.option("--out", type=click.Path(path_type=Path), help="Results folder, instead of results/<suite>."),
]


def _with(options: list[Callable[..., Any]]) -> Callable[..., Any]:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mtlbench")
def cli() -> None:
    """Compare multi-task training methods and fused training steps, with numbers that survive a referee."""


@cli.command()
@_suite
@_with(_choice)
@click.option("--executor", type=click.Choice(["ray", "serial"]), default="ray", show_default=True)
@click.option("--address", help="Join this Ray cluster ('auto' for the one this machine belongs to).")
@click.option(
    "--ship/--no-ship", default=None, help="Send the suite's files to all nodes; by default, if --address is elsewhere."
)
@click.option("--max-parallel", type=click.IntRange(min=1), help="Most trials at once.")
@click.option("--dry-run", is_flag=True, help="Show the plan and start nothing.")
@click.option("--events", is_flag=True, hidden=True)  # told line by line, to whom a job was submitted by
def run(suite: Path, dry_run: bool, events: bool, **options: Any) -> None:
    """Run SUITE: only what is missing; then write tables and report."""
    where = {name: options.pop(name) for name in ("executor", "address", "ship", "max_parallel")}
    if dry_run:
        _show_plan(suite, as_json=False, **options)
        return
    from .runner.session import run as run_suite
    from .screen.tables import show_result

    _name_code(suite)
    if events:
        run_suite(suite, display=_told, **where, **options)
        return
    result = run_suite(suite, display=_display, **where, **options)
    show_result(result, _console())
    sys.exit(0 if result.ok else 1)


@cli.command()
@_suite
@_with(_choice)
@click.option("--address", required=True, help="The cluster's dashboard, http://head:8265.")
def submit(suite: Path, address: str, **choice: Any) -> None:
    """Run SUITE as a job of a cluster that this machine is no part of, and bring its results here."""
    from .runner.session import run as run_suite
    from .screen.tables import show_result

    _name_code(suite)

    def ask(question: str) -> bool:
        return sys.stdin.isatty() and click.confirm(question)

    result = run_suite(suite, executor="job", address=address, display=_display, ask=ask, **choice)
    show_result(result, _console())
    sys.exit(0 if result.ok else 1)


@contextlib.contextmanager
def _told(plan: Plan) -> Iterator[Any]:
    from .runner.wire import to_line

    yield lambda event: print(to_line(event), flush=True)


@contextlib.contextmanager
def _display(plan: Plan) -> Iterator[Any]:
    from .screen.progress import Tally, make_progress
    from .screen.tables import show_todo

    console = _console()
    show_todo(plan, console)
    cached = len({planned.id for planned in plan.planned}) - len(plan.todo)  # a trial of several roles counts once
    with make_progress(Tally(len(plan.wave), cached), console) as progress:
        yield progress.show


@cli.command()
@_suite
@_with(_choice)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def plan(suite: Path, as_json: bool, **choice: Any) -> None:
    """Show what SUITE would run, on what, for how long, and what it could prove. Starts nothing."""
    _show_plan(suite, as_json, **choice)


def _name_code(suite: Path) -> None:
    """Say which code of others a suite brings, before any of it is imported: importing runs it."""
    from .core.wording import clean
    from .suite.foreign import foreign_code

    if code := foreign_code(suite):
        click.echo(f"imports {clean(', '.join(code))}, which may do all that you may", file=sys.stderr)


def _show_plan(suite: Path, as_json: bool, **choice: Any) -> None:
    from .plan.plan import make_plan
    from .screen.tables import show_plan

    _name_code(suite)
    made = make_plan(suite, **choice)
    if as_json:
        click.echo(json.dumps(made.to_json(), indent=1))
    else:
        show_plan(made, _console())


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write tables, figures and report.html of a results FOLDER again, from its records."""
    from .runner.session import report_again
    from .screen.tables import show_result

    show_result(report_again(folder), _console())


@cli.command("list")
@click.argument("room", required=False)
def list_entries(room: str | None) -> None:
    """List every entry of every table, or of one ROOM: problems, architectures, weightings, optimizers ..."""
    from .screen.catalogue import catalogue
    from .screen.tables import show_catalogue

    show_catalogue(list(catalogue(room)), _console())


@cli.command()
def doctor() -> None:
    """Show versions, CPU, GPUs and kernels; what is missing; and the command that fixes it."""
    from .screen.doctor import examine
    from .screen.tables import show_checks

    checks = examine()
    show_checks(checks, _console())
    sys.exit(0 if all(check.ok for check in checks) else 1)


@cli.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("suite.yaml"))
def init(path: Path) -> None:
    """Write a commented suite that runs as it is to PATH (suite.yaml)."""
    from .screen.starter import write_starter

    written = write_starter(path)
    click.echo(f"wrote {written}; next: mtlbench run {written}")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from .screen.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1))


def _console() -> Any:
    from rich.console import Console

    # A pipe or a log file has no width of its own; one that is too small would cut tables.
    return Console() if sys.stdout.isatty() else Console(width=160)


def main() -> None:
    """Entry point: errors that the user can fix become their message and their exit code; Ctrl-C ends with 130, SIGTERM
    with 143 and SIGHUP with 129.
    """
    stopping.listen()
    replace_missing_signs()
    try:
        cli(standalone_mode=False)
    except MtlbenchError as error:
        _leave(str(error), error.exit_code)
    except OSError as error:  # a folder that cannot be written, a full disk
        if number := stopping.asked():  # or a terminal that is gone, which took the run with it
            _leave(_STOPPED, 128 + number)
        _leave(f"{error.filename or 'input or output'}: {error.strerror or error}", 2)
    except UnicodeEncodeError as error:  # the name of a file or folder
        _leave(f"'{error.object}': this locale ({error.encoding}) has no such file names; set LC_ALL=C.UTF-8", 2)
    except click.ClickException as error:
        error.show(file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        stopping.ignore()  # another one would only garble the way out
        _leave(_STOPPED, 128 + (stopping.asked() or signal.SIGINT))


def _leave(message: str, code: int) -> NoReturn:
    """Say why and end; without a word where nobody can read it any more."""
    with contextlib.suppress(OSError):
        click.echo(clean_lines(message), file=sys.stderr)  # click's own stream would take no sign for another
    sys.exit(code)


_STOPPED = "stopped: finished trials are kept; the same command goes on from here"
