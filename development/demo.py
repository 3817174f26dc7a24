"""Brings a stack up with the real Pulumi engine on in-memory providers: `make demo`.

It finds or installs the Pulumi CLI, and runs `python3 -m automation up --offline` (`destroy` with
`--destroy`). The stack lives in `.state/`, so that a second run finds nothing to change. It needs
no AWS account and calls none; what AWS itself would refuse, the in-memory providers do not know.
"""

import os
import time
from typing import Annotated, Final

import typer
from rich.text import Text

from development import pulumi_cli
from langfuse_aws.automation.cli import deploy
from langfuse_aws.automation.engine.folders import STATE_FOLDER
from langfuse_aws.automation.terminal import console, error_console

NEXT: Final = (
    "Next: change Pulumi.{0}.yaml, and make demo again",
    "      python3 -m automation cost --stack {0}: its price",
    "      README.md, Quick start: the same in your AWS account",
)
"""What to try, for who has seen it; fits 60 columns."""


def demo(
    stack: Annotated[str, typer.Option(help="Which Pulumi.<stack>.yaml.")] = "dev",
    destroy: Annotated[bool, typer.Option("--destroy", help="Destroy and remove it.")] = False,
) -> None:
    """Bring a stack up offline, with the real Pulumi engine."""
    started = time.monotonic()
    try:
        os.environ["PATH"] = pulumi_cli.search_path(pulumi_cli.ensure())
    except pulumi_cli.PulumiUnavailableError as error:
        error_console.print(Text(f"error: {error}"))
        raise typer.Exit(1) from None
    if destroy:
        deploy.destroy(stack, offline=True, yes=True, remove=True)
    else:
        deploy.up(stack, offline=True, yes=True)
    console.print(f"{time.monotonic() - started:.1f} s in all; the state is in {STATE_FOLDER}")
    if not destroy:
        for line in NEXT:
            console.print(Text(line.format(stack)))


if __name__ == "__main__":
    typer.run(demo)
