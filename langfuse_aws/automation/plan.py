"""A plan: what was found, what will be lost, and steps. It is shown, asked for, and carried out."""

import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import typer
from botocore.exceptions import BotoCoreError, ClientError
from pulumi import automation as auto
from rich.console import Console

from langfuse_aws.automation.engine.stopping import STOPPED, Interrupted
from langfuse_aws.settings.loading import SettingsError

console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(highlight=False, soft_wrap=True, emoji=False, stderr=True)


class UserError(Exception):
    """One line for whoever called: what, where, the bound, the remedy."""

    @property
    def messages(self) -> Sequence[str]:
        """What to show, each with a heading of its own; most errors are one line."""
        return [" ".join(str(self).split())]


class CommandLineError(UserError):
    """The command line itself is wrong."""


WRONG_COMMAND_LINE: Final = 2
"""Exit code, as click has it for what it finds out itself."""


class MistakesError(UserError):
    """Several mistakes at once, a line for each."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Take the lines."""
        super().__init__(" ".join(messages))
        self._messages = messages

    @property
    def messages(self) -> Sequence[str]:
        """The lines."""
        return self._messages


_LOGGED_OUT: Final = "PULUMI_ACCESS_TOKEN must be set for login"
NOT_LOGGED_IN: Final = (
    "pulumi: no state backend is chosen, where it keeps what is deployed. Run pulumi login URL, "
    "such as s3://BUCKET or file://FOLDER, or set PULUMI_BACKEND_URL; Pulumi Cloud needs "
    "PULUMI_ACCESS_TOKEN."
)


class WrongOptionsError(MistakesError, CommandLineError):
    """Several options are wrong, a line for each."""


EXPECTED = (UserError, SettingsError, BotoCoreError, ClientError, auto.errors.CommandError)
"""What needs no traceback: the message says it all."""


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    title: str
    action: Callable[[], None]
    failed: str
    """What state things are in if it fails."""


@dataclass(frozen=True)
class Plan:
    """What a command will do, worked out before it changes anything."""

    found: Sequence[str]
    lost: Sequence[str]
    steps: Sequence[Step]
    go_on: str = "Correct the cause and run the same command again: it goes on from there."


def show(plan: Plan) -> None:
    """Print it."""
    for title, lines in (
        ("Found", plan.found),
        ("Lost", plan.lost or ["Nothing."]),
        ("Steps", [f"{number}. {step.title}" for number, step in enumerate(plan.steps, start=1)]),
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
        console.print(f"{label}: {step.title}", style="bold", markup=False)
        begin = time.monotonic()
        try:
            step.action()
        except BaseException as error:
            for line in (f"error: {label} failed: {one_line(error)}", step.failed, plan.go_on):
                errors.print(line, markup=False)
            if isinstance(error, (KeyboardInterrupt, Interrupted)):
                raise typer.Exit(STOPPED) from None
            if isinstance(error, EXPECTED):
                raise typer.Exit(1) from None
            raise
        console.print(f"{label}: done after {time.monotonic() - begin:.0f} s")


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def need_terminal() -> None:
    """Raise UserError if nobody can be asked."""
    if not has_terminal():
        raise UserError(
            "nothing was changed: there is no terminal to ask at. --yes goes on without asking."
        )


def ask(question: str = "Go on?") -> None:
    """Ask whether to go on. Raises UserError."""
    if not typer.confirm(question, default=False):
        raise UserError("nothing was changed.")


def ask_for(word: str, purpose: str) -> None:
    """Ask for a word to be typed. Raises UserError."""
    if typer.prompt(f"Type {word} {purpose}", default="", show_default=False) != word:
        raise UserError(f"nothing was changed: that is not {word}.")


@contextmanager
def one_line_errors(exit_code: int = 1) -> Generator[None]:
    """End the command with its messages where a traceback would help nobody."""
    try:
        yield
    except EXPECTED as error:
        tell(messages(error))
        raise typer.Exit(exit_code_of(error, exit_code)) from None


def exit_code_of(error: BaseException, otherwise: int = 1) -> int:
    """What a command ends with."""
    return WRONG_COMMAND_LINE if isinstance(error, CommandLineError) else otherwise


def tell(what: Sequence[str]) -> None:
    """Print the messages of an error."""
    for message in what:
        errors.print(f"error: {message}", markup=False)


def messages(error: BaseException) -> Sequence[str]:
    """What to show of an error: one line for most, a line for every mistake in settings."""
    if isinstance(error, UserError):
        return error.messages
    return error.problems if isinstance(error, SettingsError) else [one_line(error)]


def is_logged_out(error: auto.errors.CommandError) -> bool:
    """Whether pulumi knows no backend."""
    return _LOGGED_OUT in str(error)


def one_line(error: BaseException) -> str:
    """Say what an error is about."""
    text = str(error)
    if isinstance(error, auto.errors.CommandError):
        # Its text is the command's exit code, stdout and stderr.
        if is_logged_out(error):
            return NOT_LOGGED_IN
        lines = [line.strip() for line in text.rpartition("stderr: ")[2].splitlines()]
        said = [line for line in lines if line.startswith("error:")] or lines or [text]
        return f"pulumi: {said[0].removeprefix('error:').strip()}"
    return " ".join(text.split()) or type(error).__name__
