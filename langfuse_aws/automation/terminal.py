"""What commands print, and ask: standard output, standard error, questions, times."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from langfuse_aws.automation.errors import (
    WRONG_COMMAND_LINE,
    CommandLineError,
    UserError,
    is_expected,
    messages,
    no_place_for,
)

console = Console(highlight=False, soft_wrap=True, emoji=False)


error_console = Console(highlight=False, soft_wrap=True, emoji=False, stderr=True)


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
    if not confirmed(question):
        raise UserError("nothing was changed.")


def confirmed(question: str) -> bool:
    """Ask, and give the answer; no is what Enter says."""
    return typer.confirm(question, default=False)


def ask_for(word: str, purpose: str) -> None:
    """Ask for a word to be typed. Raises UserError."""
    if typer.prompt(f"Type {word} {purpose}", default="", show_default=False) != word:
        raise UserError(f"nothing was changed: that is not {word}.")


@contextmanager
def one_line_errors(exit_code: int = 1) -> Generator[None]:
    """End the command with its messages where a traceback would help nobody."""
    try:
        yield
    except Exception as error:
        if not is_expected(error):
            raise
        tell(messages(error))
        raise typer.Exit(exit_code_of(error, exit_code)) from None


def exit_code_of(error: BaseException, otherwise: int = 1) -> int:
    """What a command ends with."""
    return WRONG_COMMAND_LINE if isinstance(error, CommandLineError) else otherwise


def tell(what: Sequence[str]) -> None:
    """Print the messages of an error."""
    for message in what:
        error_console.print(f"error: {message}", markup=False)


def need_folder_of(option: str, file: Path | None) -> None:
    """Raise CommandLineError if the file that an option names cannot be written for want of one."""
    if file is not None and (why := no_place_for(file)):
        raise CommandLineError(f"{option} {file}: {why}")


def clock_time(seconds: float) -> str:
    """Write seconds as minutes and seconds, such as `3:07`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
