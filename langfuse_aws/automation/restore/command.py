"""`restore`: the commands that put a store back. Each shows its plan, and asks before it begins."""

from datetime import datetime
from pathlib import Path

from rich.table import Table

from langfuse_aws.automation.engine.deployed import open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.plan import carry_out
from langfuse_aws.automation.restore import backup as restore_backup
from langfuse_aws.automation.restore import objects as restore_objects
from langfuse_aws.automation.restore import postgres as restore_postgres
from langfuse_aws.automation.restore import volume as restore_volume
from langfuse_aws.automation.terminal import console, one_line_errors


def clickhouse_volume(stack: str, snapshot: str, folder: Path, yes: bool) -> None:
    """Replace ClickHouse's data volume by one made from an EBS snapshot."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_volume.plan(deployed, snapshot)
        carry_out(plan, yes=yes)


def clickhouse_backup(
    stack: str, show: bool, source: str | None, database: str | None, folder: Path, yes: bool
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


def postgres(stack: str, snapshot: str, folder: Path, yes: bool) -> None:
    """Replace the PostgreSQL database by one made from a snapshot."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_postgres.plan(deployed, snapshot)
        carry_out(plan, yes=yes)


def objects(stack: str, prefix: str, since: datetime, folder: Path, yes: bool) -> None:
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
