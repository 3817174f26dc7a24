"""`preview`, `up`, `refresh`, `destroy` and `outputs` of a stack, on the command line.

Exit code 0: done. 1: not, and a line says why. 2: the command line is
wrong. 130: cancelled.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from langfuse_aws.automation.cli.display import Display, TerminalDisplay
from langfuse_aws.automation.cli.ndjson import NdjsonDisplay
from langfuse_aws.automation.engine.destruction import Destruction
from langfuse_aws.automation.engine.folders import REPOSITORY, STATE_FOLDER
from langfuse_aws.automation.engine.operation import CancelledError
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.engine.stopping import STOPPED, Interrupted
from langfuse_aws.automation.engine.target import Target
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError, is_expected, messages
from langfuse_aws.automation.new.pin import check_release
from langfuse_aws.automation.stack import LangfuseStack, NoStackError
from langfuse_aws.automation.terminal import (
    ask,
    ask_for,
    exit_code_of,
    need_folder_of,
    need_terminal,
)
from langfuse_aws.graph.model import Resource, ResourceGraph

if TYPE_CHECKING:
    from langfuse_aws.automation.hours.asleep import Asleep


def preview(
    name: str,
    folder: Path = REPOSITORY,
    offline: bool = False,
    as_json: bool = False,
    save: Path | None = None,
) -> None:
    """Show what `up` would change, and save it as a plan if `save` says where."""
    with _opened(name, folder, offline, as_json) as (stack, display):
        need_folder_of("--save", save)
        display.preview(lambda: stack.start_preview(save), alone=True)
        if save is not None:
            display.note(f"saved: up --stack {name} {save} does this and nothing else")


def up(
    name: str,
    folder: Path = REPOSITORY,
    offline: bool = False,
    as_json: bool = False,
    yes: bool = False,
    create: bool = False,
    plan: Path | None = None,
) -> None:
    """Deploy: show a preview or what a plan has, ask, and make the changes."""
    with _opened(name, folder, offline, as_json) as (stack, display):
        _check_asking(as_json, yes)
        stack.check()
        if plan is not None:
            _carry_out(plan, stack, display, yes=yes)
            _tell_of_memory(display, offline)
            return
        # Offline the state is this folder's own.
        with waits(f"stack {name} in the backend"):
            makes = not offline and not stack.exists()
            backend = stack.backend() if makes else ""
        if makes:
            _check_making(name, backend, display, may_ask=not yes, create=create)
        target = None if yes else _target(stack)
        expected: Sequence[Resource] = ()
        # What the preview refuses, the update would meet half-way. Offline nothing is lost by that.
        if not (yes and offline):
            previewed = display.preview(stack.start_preview, alone=False)
            expected = previewed.touched
            if (previewed.steps or makes) and target is not None:
                display.target(target)
                ask(f"Make the stack {name}, and go on?" if makes else "Go on?")
        display.done(display.change(stack.start_up, expected))
        _tell_of_memory(display, offline)


def refresh(
    name: str, folder: Path = REPOSITORY, offline: bool = False, as_json: bool = False
) -> None:
    """Read into the state what AWS has. Changes nothing in AWS."""
    with _opened(name, folder, offline, as_json) as (stack, display):
        display.done(display.change(stack.start_refresh))


def destroy(
    name: str,
    folder: Path = REPOSITORY,
    offline: bool = False,
    as_json: bool = False,
    yes: bool = False,
    remove: bool = False,
) -> None:
    """Destroy every resource: show what is lost, and ask for the stack's name."""
    with _opened(name, folder, offline, as_json) as (stack, display):
        _check_asking(as_json, yes)
        try:
            with waits(f"the state of stack {name}"):
                deployed = stack.deployed()
            found = Destruction.of(name, deployed)
            target = None if yes else _target(stack)
            display.destruction(name, found)
        except NoStackError:
            display.note(f"the stack {name} is not up: there is nothing to destroy")
            display.done(Result({}, {}, 0.0))
            return
        if target is not None:
            display.target(target)
            ask_for(name, "to destroy it")
        if not offline:
            _start_clusters(stack, deployed, display)
        destroys = display.change(lambda: stack.start_destroy(remove=remove), found.resources)
        display.done(destroys)


def outputs(
    name: str, folder: Path = REPOSITORY, offline: bool = False, as_json: bool = False
) -> None:
    """Show the outputs of what is deployed."""
    with _opened(name, folder, offline, as_json) as (stack, display):
        with waits(f"the outputs of stack {name}"):
            found = stack.outputs()
            asleep = None if offline else _asleep(stack)
        display.outputs(found, asleep)


@contextmanager
def _opened(
    name: str, folder: Path, offline: bool, as_json: bool
) -> Generator[tuple[LangfuseStack, Display]]:
    """Open the stack, and end the command with a message where something is wrong."""
    display: Display = NdjsonDisplay() if as_json else TerminalDisplay()
    work_dir = folder / STATE_FOLDER.name if offline else None
    with waits.silent(as_json), ends_with_a_message(display):
        check_release(folder)
        with LangfuseStack(name, project=folder, work_dir=work_dir, offline=offline) as stack:
            if stack.replaced_secrets:
                names = ", ".join(stack.replaced_secrets)
                display.note(f"encrypted settings are left out or hold a placeholder here: {names}")
            yield stack, display


@contextmanager
def ends_with_a_message(display: Display) -> Generator[None]:
    """End the command where something is wrong, and let the display say what."""
    try:
        yield
    except (CancelledError, Interrupted) as error:
        display.failed(messages(error))
        raise typer.Exit(STOPPED) from None
    except BrokenPipeError:  # nobody is left to be told
        raise
    except Exception as error:
        if not (isinstance(error, OSError) or is_expected(error)):
            raise
        display.failed(messages(error))
        raise typer.Exit(exit_code_of(error)) from None


def _carry_out(plan: Path, stack: LangfuseStack, display: Display, *, yes: bool) -> None:
    """Do what was saved, if it is still what would be done. Raises PlanError if not."""
    with waits(f"what {plan} is of"):
        found = stack.read_plan(plan)
    target = None if yes else _target(stack)
    display.plan(found)
    if found.steps and target is not None:
        display.target(target)
        ask()
    display.done(display.change(lambda: stack.start_up(found)))


def _tell_of_memory(display: Display, offline: bool) -> None:
    if offline:
        display.note("Nothing was made in AWS: this one is in memory.")
        display.note("The addresses above do not exist.")


def _asleep(stack: LangfuseStack) -> "Asleep | None":
    """Whether it is asleep; None too if it never sleeps, or nobody says."""
    if not stack.sleeps:
        return None
    from langfuse_aws.automation.hours.asleep import seen_asleep

    with suppress(UserError):  # of a region that only Pulumi ESC knows
        return seen_asleep(stack.name, stack.deployed().resources, stack.clients())
    return None


def _start_clusters(stack: LangfuseStack, deployed: ResourceGraph, display: Display) -> None:
    """Start what AWS deletes only while it runs."""
    from langfuse_aws.automation.hours.before_destroy import (
        StoppedCluster,
        start_clusters,
        stopped_clusters,
    )

    stopped: Sequence[StoppedCluster] = ()
    with suppress(UserError), waits("asking AWS"):  # as above; the engine says what is wrong
        stopped = stopped_clusters(deployed, stack.clients)
    for each in stopped:
        display.note(str(each))
    if stopped:
        with waits("asking AWS") as update:
            start_clusters(stopped, update)


def _target(stack: LangfuseStack) -> Target:
    with waits("the account of these credentials"):
        return stack.target()


def _check_making(
    name: str, backend: str, display: Display, *, may_ask: bool, create: bool
) -> None:
    """Say that a stack would be made. Raises CommandLineError if nobody has asked for it."""
    missing = f"the backend {backend} has no stack {name}"
    if not may_ask and not create:
        raise CommandLineError(
            f"nothing was changed: {missing}, and up --yes makes none. If it is in another "
            "backend: pulumi login URL, or PULUMI_BACKEND_URL. To have a new stack made here, with "
            "resources of its own beside those of any other: add --create."
        )
    display.note(f"{missing}: a new one will be made there, with resources of its own")


def _check_asking(as_json: bool, yes: bool) -> None:
    if as_json and not yes:
        raise CommandLineError("nothing was changed: --json cannot ask. Add --yes.")
    if not yes:
        need_terminal()
