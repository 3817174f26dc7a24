"""Brings a stack up with the real Pulumi engine on in-memory providers: `make demo`.

Shows the resources as the engine reports them, then the outputs and the changes. The stack lives
in `.state/`, so that a second run finds nothing to change. It needs no AWS account and calls none;
what AWS itself would refuse, the in-memory providers do not know.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pulumi.automation import (
    CommandError,
    ConcurrentUpdateError,
    ConfigValue,
    LocalWorkspace,
    Stack,
    StackNotFoundError,
)
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from automation.offline_workspace import (
    PLACEHOLDER,
    SECRETS_PROVIDER,
    STATE_FOLDER,
    OfflineStack,
    OfflineStackError,
    prepare,
)
from automation.progress import Progress
from development import pulumi_cli
from offline.serving import providers

DEFAULT_STACK = "dev"
LAST_EVENTS_SECONDS = 5
REFRESHES_PER_SECOND = 8
ERRORS_QUOTED = 8


class DemoError(Exception):
    """The demonstration cannot go on; the message is for the person at the terminal."""


def main() -> int:
    """Parse the command line and run the demonstration."""
    parser = argparse.ArgumentParser(
        prog="python -m development.demo",
        description="Bring a stack up offline, with the real Pulumi engine.",
    )
    parser.add_argument("--stack", default=DEFAULT_STACK, help="which Pulumi.<stack>.yaml")
    parser.add_argument("--destroy", action="store_true", help="destroy and remove the stack")
    arguments = parser.parse_args()
    console = Console(highlight=False, markup=False)
    started = time.monotonic()
    try:
        folder = pulumi_cli.ensure()
        os.environ["PATH"] = pulumi_cli.search_path(folder)
        stack = prepare(arguments.stack, STATE_FOLDER)
        with providers() as provider_environment:
            environment = stack.environment(provider_environment)
            action = _destroy if arguments.destroy else _up
            action(console, stack, environment)
    except (DemoError, OfflineStackError, pulumi_cli.PulumiUnavailableError) as error:
        Console(stderr=True, highlight=False).print(Text(f"error: {error}"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    console.print(f"{time.monotonic() - started:.1f} s in all; the state is in {STATE_FOLDER}")
    return 0


def _up(console: Console, offline: OfflineStack, environment: dict[str, str]) -> None:
    if offline.replaced_secrets:
        names = ", ".join(offline.replaced_secrets)
        console.print(f"encrypted settings are left out or hold a placeholder here: {names}")
    workspace = _workspace(offline, environment)
    with _explained(offline):
        stack = Stack.create_or_select(offline.name, workspace)
        set_passwords(workspace, offline)
    with _shown(console, offline) as progress:
        stack.up(on_event=progress, show_secrets=False)
    changed = progress.changed
    if changed and console.is_terminal:
        console.print(progress.tree())
    _print_warnings(console, progress)
    with _explained(offline):
        _print_outputs(console, workspace, offline, environment)
    if changed:
        _print_changes(console, progress.changes)
    else:
        total = sum(progress.changes.values())
        console.print(f"nothing changed: {total} resources are as they were (0 changes)")


def set_passwords(workspace: LocalWorkspace, offline: OfflineStack) -> None:
    """Give the program the passwords that it needs and that somebody else's key encrypts."""
    for key in offline.passwords:
        workspace.set_config(offline.name, key, ConfigValue(PLACEHOLDER, secret=True))


def _destroy(console: Console, offline: OfflineStack, environment: dict[str, str]) -> None:
    workspace = _workspace(offline, environment)
    try:
        with _explained(offline):
            stack = Stack.select(offline.name, workspace)
    except StackNotFoundError:
        console.print(f"the stack {offline.name} is not up: there is nothing to destroy")
        return
    with _shown(console, offline) as progress:
        stack.destroy(on_event=progress, show_secrets=False)
    _print_warnings(console, progress)
    _print_changes(console, progress.changes)
    with _explained(offline):
        workspace.remove_stack(offline.name)
    console.print(f"the stack {offline.name} is destroyed and removed")


def _workspace(offline: OfflineStack, environment: dict[str, str]) -> LocalWorkspace:
    return LocalWorkspace(
        work_dir=str(offline.folder),
        pulumi_home=environment["PULUMI_HOME"],
        env_vars=environment,
        secrets_provider=SECRETS_PROVIDER,
    )


@contextmanager
def _shown(console: Console, offline: OfflineStack) -> Generator[Progress]:
    """Show what the engine does while the body runs it, and wait for its last events."""
    if console.is_terminal:
        progress = Progress()
        live = Live(
            progress,
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
        )
        with live, _explained(offline, progress), _interrupts_left_to_the_engine():
            yield progress
    else:
        progress = Progress(report=lambda line: console.print(line, soft_wrap=True))
        with _explained(offline, progress), _interrupts_left_to_the_engine():
            yield progress


@contextmanager
def _interrupts_left_to_the_engine() -> Generator[None]:
    """Let the engine alone react to Ctrl-C, which reaches it too.

    It finishes what it is doing and unlocks the stack; were this process to leave first, the
    providers would go with it, and the stack would stay locked.
    """
    interrupted = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True

    earlier = signal.signal(signal.SIGINT, note)
    try:
        yield
    except CommandError as error:
        if interrupted:
            raise DemoError("interrupted: run it again to go on from here") from error
        raise
    finally:
        signal.signal(signal.SIGINT, earlier)


@contextmanager
def _explained(offline: OfflineStack, progress: Progress | None = None) -> Generator[None]:
    """Turn the engine's failures into its own diagnostics."""
    try:
        yield
    except StackNotFoundError:
        raise
    except ConcurrentUpdateError as error:
        raise DemoError(
            f"another run holds the stack {offline.name}, or was killed while it did. "
            "Wait for it, or forget its state with `make clean`"
        ) from error
    except CommandError as error:
        said = str(error).strip()
        if progress:
            progress.ended.wait(LAST_EVENTS_SECONDS)
            said = _quoted(progress.errors) or said
        advice = _advice(offline) if "protect" in said else ""
        raise DemoError(
            f"the engine stopped on the stack {offline.name}:\n{said}{advice}"
        ) from error
    if progress:
        progress.ended.wait(LAST_EVENTS_SECONDS)


def _quoted(errors: list[str]) -> str:
    left = len(errors) - ERRORS_QUOTED
    more = [f"… and {left} more errors like these"] if left > 0 else []
    return "\n".join([*errors[:ERRORS_QUOTED], *more])


def _advice(offline: OfflineStack) -> str:
    return (
        "\n\nThis stack protects its data. To destroy the demonstration all the same, run "
        f"`make clean`, which forgets it, or set `langfuse:deletionProtection: false` in "
        f"Pulumi.{offline.name}.yaml, run `make demo STACK={offline.name}`, and destroy again."
    )


def _print_warnings(console: Console, progress: Progress) -> None:
    for warning in progress.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)


def _print_changes(console: Console, changes: Counter[str]) -> None:
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(changes.items()))
    console.print(f"resources by kind of change: {kinds or 'none'}")


def _print_outputs(
    console: Console, workspace: LocalWorkspace, offline: OfflineStack, environment: dict[str, str]
) -> None:
    # The engine masks here: the Automation API's own outputs show a secret inside an object.
    answer = workspace.pulumi_command.run(
        ["stack", "output", "--json", "--stack", offline.name], str(offline.folder), environment
    )
    outputs: dict[str, Any] = json.loads(answer.stdout)
    table = Table(title=f"outputs of {offline.name}", show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in sorted(outputs.items()):
        shown = value if isinstance(value, str) else json.dumps(value)
        table.add_row(Text(name), Text(shown))
    if console.is_terminal:
        console.print(table)
        return
    for name, value in sorted(outputs.items()):
        shown = value if isinstance(value, str) else json.dumps(value)
        console.print(Text(f"{name}: {shown}"), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
