"""`validate`: every mistake of every stack file, without an engine, a backend or an account.

Exit code 0: there is none. 2: there is one, or the command line is wrong.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from langfuse_aws.automation.engine.offline_workspace import (
    NotYamlError,
    file_of,
    files_in,
    own_name,
    stacks,
)
from langfuse_aws.automation.engine.stack_file import InvalidSettingsError, check_alone
from langfuse_aws.automation.errors import (
    WRONG_COMMAND_LINE,
    CommandLineError,
    UserError,
    messages,
)
from langfuse_aws.automation.terminal import console, error_console, one_line_errors


@dataclass(frozen=True)
class _Told:
    """A mistake for tools."""

    stack: str
    key: str | None
    """With its namespace; None: the file as a whole is meant."""
    message: str
    """As every command prints it, without the place."""
    line: int | None = None


def validate(wanted: Sequence[str], folder: Path, as_json: bool) -> None:
    """Tell the mistakes of stack files."""
    with one_line_errors():
        names = list(dict.fromkeys(wanted)) or stacks(folder)
        if not names:
            raise CommandLineError(f"--dir: {files_in(folder)}: there is nothing to check.")
    found: list[_Told] = []
    wrong = 0
    for name in names:
        lines, told = _mistakes(name, folder, quiet=as_json)
        wrong += bool(told)
        found += told
        for line in () if as_json else lines:
            console.print(line, markup=False)
    if as_json:
        typer.echo(json.dumps([_object(each) for each in found], ensure_ascii=False, indent=2))
    elif found:
        error_console.print(f"error: {_count(found, wrong, len(names))}.", markup=False)
    if found:
        raise typer.Exit(WRONG_COMMAND_LINE)


def _mistakes(name: str, folder: Path, *, quiet: bool) -> tuple[Sequence[str], list[_Told]]:
    """What to print of a stack file, and its mistakes."""
    own, file = own_name(name), file_of(name, folder).name
    try:
        whole = check_alone(name, folder)
    except InvalidSettingsError as error:
        told = [_Told(own, each.key, each.message, each.line) for each in error.mistakes]
        return error.messages, told
    except UserError as error:
        line = error.line if isinstance(error, NotYamlError) else None
        return messages(error), [_Told(own, None, "\n".join(messages(error)), line)]
    if not whole and not quiet:
        error_console.print(
            f"warning: {file}: only the engine knows what Pulumi ESC or Pulumi.yaml's config add, "
            "so no more than secrets, namespaces and the keys of aws: was checked.",
            markup=False,
        )
    return [f"{file}: ok"], []


def _object(told: _Told) -> dict[str, Any]:
    return {key: value for key, value in asdict(told).items() if key != "line" or value}


def _count(found: Sequence[_Told], wrong: int, files: int) -> str:
    mistakes = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
    return f"{mistakes} in {wrong} of {files} stack files" if files > 1 else mistakes
