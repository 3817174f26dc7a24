"""A plan: what was found, what will be lost, and steps. It is shown, asked for, and carried out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import typer

from langfuse_aws.automation.engine.operation import CancelledError
from langfuse_aws.automation.engine.stopping import STOPPED, Interrupted
from langfuse_aws.automation.errors import is_expected, one_line
from langfuse_aws.automation.terminal import (
    ask,
    confirmed,
    console,
    error_console,
    need_terminal,
)


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    title: str
    action: Callable[[], None]
    failed: str
    """What state things are in if it fails."""
    back: str = ""
    """How to go back once it is done."""
    question: str = ""
    """Asked before it is begun, beside the plan's own, for what only earlier steps show."""


@dataclass(frozen=True)
class Plan:
    """What a command will do, worked out before it changes anything."""

    found: Sequence[str]
    lost: Sequence[str]
    steps: Sequence[Step]
    go_on: str = "Correct the cause and run the same command again: it goes on from there."


def show(plan: Plan) -> None:
    """Print it."""
    steps: list[str] = []
    for number, step in enumerate(plan.steps, start=1):
        steps.append(f"{number}. {step.title}")
        if step.back:
            steps.append(f"   Back: {step.back}")
    for title, lines in (
        ("Found", plan.found),
        ("Lost", plan.lost or ["Nothing."]),
        ("Steps", steps),
    ):
        console.print(title, style="bold")
        for line in lines:
            console.print(f"  {line}", markup=False)


def carry_out(plan: Plan, *, yes: bool) -> None:
    """Show the plan, ask unless `yes`, and take its steps. Ends the command if one fails."""
    show(plan)
    if not yes:
        need_terminal()
        ask()
    for number, step in enumerate(plan.steps, start=1):
        label = f"Step {number} of {len(plan.steps)}"
        if step.question and not yes and not confirmed(step.question):
            for line in (f"error: stopped before step {number}.", step.failed):
                error_console.print(line, markup=False)
            raise typer.Exit(1)
        console.print(f"{label}: {step.title}", style="bold", markup=False)
        begin = time.monotonic()
        try:
            step.action()
        except BaseException as error:
            for line in (f"error: {label} failed: {one_line(error)}", step.failed, plan.go_on):
                error_console.print(line, markup=False)
            if isinstance(error, (KeyboardInterrupt, Interrupted, CancelledError)):
                raise typer.Exit(STOPPED) from None
            if is_expected(error):
                raise typer.Exit(1) from None
            raise
        console.print(f"{label}: done after {time.monotonic() - begin:.0f} s")
        if step.back:
            console.print(f"  Back from here: {step.back}", markup=False)
