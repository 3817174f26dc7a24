"""`restore`: the commands that put a store back. Each shows its plan, and asks before it begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.plan import carry_out
from langfuse_aws.automation.restore import backup as restore_backup
from langfuse_aws.automation.restore import objects as restore_objects
from langfuse_aws.automation.restore import postgres as restore_postgres
from langfuse_aws.automation.restore import volume as restore_volume
from langfuse_aws.automation.restore.points import TAKE_ONE, RestorePoint
from langfuse_aws.automation.restore.points_display import show_deleted, show_points
from langfuse_aws.automation.terminal import one_line_errors


@dataclass(frozen=True)
class Store:
    """What is listed of a store."""

    points: Callable[[Deployed], Sequence[RestorePoint]]
    option: str
    """Takes one of them."""
    none: str
    """What to say if there is none."""


VOLUME: Final = Store(
    restore_volume.points, "--snapshot", f"has no snapshot of its ClickHouse volume. {TAKE_ONE}"
)
BACKUP: Final = Store(
    restore_backup.points,
    "--from",
    "has no complete backup yet. The first one is made in the night.",
)
POSTGRES: Final = Store(
    restore_postgres.points, "--snapshot", f"has no snapshot of its PostgreSQL. {TAKE_ONE}"
)


def clickhouse_volume(
    stack: str, show: bool, snapshot: str | None, folder: Path, yes: bool, as_json: bool
) -> None:
    """List the snapshots of ClickHouse's data volume, or replace it by one made from one."""
    with one_line_errors():
        if _listed(stack, folder, VOLUME, show, snapshot, as_json):
            return
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_volume.plan(deployed, snapshot or "")
        carry_out(plan, yes=yes)


def clickhouse_backup(
    stack: str,
    show: bool,
    source: str | None,
    database: str | None,
    folder: Path,
    yes: bool,
    as_json: bool,
) -> None:
    """List ClickHouse's own backups, or restore one into tables without rows."""
    with one_line_errors():
        if show and source is None and database is not None:
            raise CommandLineError(
                "--as is for --from. Leave it out, or say which backup to restore."
            )
        if _listed(stack, folder, BACKUP, show, source, as_json):
            return
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_backup.plan(deployed, source or "", database)
        carry_out(plan, yes=yes)


def postgres(
    stack: str, show: bool, snapshot: str | None, folder: Path, yes: bool, as_json: bool
) -> None:
    """List the snapshots of PostgreSQL, or replace the database by one made from one."""
    with one_line_errors():
        if _listed(stack, folder, POSTGRES, show, snapshot, as_json):
            return
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            plan = restore_postgres.plan(deployed, snapshot or "")
        carry_out(plan, yes=yes)


def objects(
    stack: str,
    show: bool,
    prefix: str | None,
    since: datetime | None,
    folder: Path,
    yes: bool,
    as_json: bool,
) -> None:
    """List deleted objects of Langfuse's bucket, or bring them back, if it keeps versions."""
    with one_line_errors():
        _check_list_or_json(show, since is not None, "--since", as_json)
        if since is not None and prefix is None:
            raise CommandLineError("--prefix: is missing, such as media/. --list shows them.")
        with waits.silent(as_json):
            deployed = open_stack(stack, folder)
            if since is None:
                with waits("asking AWS"):
                    found = restore_objects.deleted(deployed, prefix or "")
                if not found and not as_json:
                    raise UserError(f"stack {stack}: has no deleted object that could come back.")
                show_deleted(found, stack, datetime.now(timezone.utc), as_json=as_json)
                return
        with waits("asking AWS"):
            plan = restore_objects.plan(deployed, prefix or "", since)
        carry_out(plan, yes=yes)


def _check_list_or_json(show: bool, given: bool, option: str, as_json: bool) -> None:
    """Raise CommandLineError unless one thing is wanted."""
    if show == given:
        raise CommandLineError(
            f"either --list or {option} is needed, not both. --list shows what is there."
        )
    if not show and as_json:
        raise CommandLineError("--json is for --list. Leave it out.")


def _listed(
    stack: str,
    folder: Path,
    store: Store,
    show: bool,
    source: str | None,
    as_json: bool,
) -> bool:
    """Whether a list was asked for, and is shown. CommandLineError unless one thing is wanted."""
    _check_list_or_json(show, source is not None, store.option, as_json)
    if not show:
        return False
    with waits.silent(as_json):
        deployed = open_stack(stack, folder)
        with waits("asking AWS"):
            points = store.points(deployed)
    if not points and not as_json:
        raise UserError(f"stack {stack}: {store.none.format(stack=stack)}")
    show_points(points, stack, store.option, datetime.now(timezone.utc), as_json=as_json)
    return True
