"""`graph`: the architecture of a stack as a picture, from its resource graph."""

import shutil
import subprocess
from pathlib import Path
from typing import Final, get_args

import typer

from langfuse_aws.automation.cli.words import Format
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.dot import dot
from langfuse_aws.graph.grouping import Detail
from langfuse_aws.graph.mermaid import mermaid
from langfuse_aws.graph.model import STACK_TYPE, ResourceGraph
from langfuse_aws.graph.picture import Picture

_ENDINGS: Final[dict[str, Format]] = {
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".svg": "svg",
    ".png": "png",
}
DOTS_PER_INCH: Final = 150
"""Of a PNG: text is readable in a page as wide as a screen."""


def graph(
    stack: str,
    file_format: Format | None,
    output: Path | None,
    detail: Detail,
    deployed: bool,
    folder: Path,
) -> None:
    """Draw the architecture of a stack from its resource graph."""
    with one_line_errors():
        chosen = file_format or _format_of(output)
        if chosen == "png" and output is None:
            raise CommandLineError(
                "--format png: is not for a terminal. Name a file with --output FILE."
            )
        program = _graphviz(chosen) if chosen in ("svg", "png") else None
        picture = architecture(_resources(stack, folder, deployed=deployed), detail)
        content = _drawn(picture, chosen, program)
        if output is None:
            typer.echo(content.decode(), nl=False)
            return
        try:
            output.write_bytes(content)
        except OSError as error:
            raise UserError(f"--output {output}: cannot be written: {error.strerror}.") from None
        console.print(f"wrote {output}", markup=False)


def _resources(name: str, folder: Path, *, deployed: bool) -> ResourceGraph:
    what = f"the state of stack {name}" if deployed else f"an offline preview of stack {name}"
    with waits(what), LangfuseStack(name, project=folder, offline=not deployed) as stack:
        found = stack.deployed() if deployed else stack.planned()
    if not found.of_type(STACK_TYPE):
        raise UserError(f"stack {name}: nothing is deployed: up first, or leave out --deployed.")
    return found


def _format_of(output: Path | None) -> Format:
    if output is None:
        return "mermaid"
    if output.suffix.lower() not in _ENDINGS:
        raise CommandLineError(
            f"--output {output}: its ending says no format. Add --format, one of "
            f"{', '.join(get_args(Format))}."
        )
    return _ENDINGS[output.suffix.lower()]


def _graphviz(chosen: Format) -> str:
    """Find Graphviz, before anything takes time."""
    program = shutil.which("dot")
    if program is None:
        raise UserError(
            f"--format {chosen}: is drawn by Graphviz, whose program dot is not on PATH. Install "
            "it (apt-get install graphviz, brew install graphviz, https://graphviz.org/download/), "
            "or take --format mermaid or --format dot."
        )
    return program


def _drawn(picture: Picture, chosen: Format, program: str | None) -> bytes:
    if program is None:
        text = mermaid(picture) if chosen == "mermaid" else dot(picture)
        return f"{text}\n".encode()
    resolution = [f"-Gdpi={DOTS_PER_INCH}"] if chosen == "png" else []
    done = subprocess.run(  # noqa: S603
        [program, f"-T{chosen}", *resolution],
        input=dot(picture).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise UserError(f"--format {chosen}: {program} ended with {done.returncode}: {said}")
    return done.stdout
