"""`restore`: the commands that put a store back. Each shows its plan, and asks before it begins."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from langfuse_aws.automation.engine.deployed import Folder, open_stack
from langfuse_aws.automation.engine.offline_workspace import REPOSITORY
from langfuse_aws.automation.plan import (
    CommandLineError,
    UserError,
    carry_out,
    console,
    one_line_errors,
)
from langfuse_aws.automation.restore import backup as restore_backup
from langfuse_aws.automation.restore import objects as restore_objects
from langfuse_aws.automation.restore import postgres as restore_postgres
from langfuse_aws.automation.restore import volume as restore_volume
from langfuse_aws.automation.waiting import waits

app = typer.Typer(
    no_args_is_help=True, help="Put a store back. Every command shows its plan and asks first."
)

Stack = Annotated[str, typer.Option("--stack", help="The stack, such as prod.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def clickhouse_volume(
    stack: Stack,
    snapshot: Annotated[
        str, typer.Option(help="EBS snapshot of the data volume, also one made by AWS Backup.")
    ],
    folder: Folder = REPOSITORY,
    yes: Yes = False,
) -> None:
    """Replace ClickHouse's data volume by one made from an EBS snapshot."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_volume.plan(deployed, snapshot)
        carry_out(plan, yes=yes)


@app.command()
def clickhouse_backup(
    stack: Stack,
    show: Annotated[bool, typer.Option("--list", help="List the complete backups.")] = False,
    source: Annotated[
        str | None, typer.Option("--from", help="URL of a backup, or its name in the list.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--as", help="New database to restore into, instead of Langfuse's own."),
    ] = None,
    folder: Folder = REPOSITORY,
    yes: Yes = False,
) -> None:
    """List ClickHouse's own backups, or restore one into tables without rows."""
    with one_line_errors():
        if show == (source is not None):
            raise CommandLineError(
                "either --list or --from is needed, not both. --list shows what is there."
            )
        if source is None:
            if database is not None:
                raise CommandLineError(
                    "--as is for --from. Leave it out, or say which backup to restore."
                )
            _list_backups(stack, folder)
            return
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_backup.plan(deployed, source, database)
        carry_out(plan, yes=yes)


@app.command()
def postgres(
    stack: Stack,
    snapshot: Annotated[str, typer.Option(help="Snapshot of the cluster, or of the instance.")],
    folder: Folder = REPOSITORY,
    yes: Yes = False,
) -> None:
    """Replace the PostgreSQL database by one made from a snapshot."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_postgres.plan(deployed, snapshot)
        carry_out(plan, yes=yes)


@app.command()
def objects(
    stack: Stack,
    prefix: Annotated[str, typer.Option(help="What the keys begin with, such as media/.")],
    since: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="Deleted then or later, such as 2026-11-20T10:00:00Z.",
        ),
    ],
    folder: Folder = REPOSITORY,
    yes: Yes = False,
) -> None:
    """Bring back deleted objects of Langfuse's bucket, if it keeps versions."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_objects.plan(deployed, prefix, since)
        carry_out(plan, yes=yes)


def _list_backups(stack: str, folder: Path) -> None:
    deployed = open_stack(stack, folder)
    with waits("asking AWS"):
        found = restore_backup.backups(deployed)
    if not found:
        raise UserError(
            f"stack {stack}: has no complete backup yet. The first one is made in the night."
        )
    table = Table("Name, for --from", "Kind", "Complete since, UTC", box=None, pad_edge=False)
    for backup in found:
        table.add_row(backup.name, backup.kind, f"{backup.completed:%Y-%m-%d %H:%M}")
    console.print(table)
