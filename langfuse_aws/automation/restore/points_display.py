"""Shows what a store can be restored from: a table for people, JSON for tools."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import typer

from langfuse_aws.automation.cli.rows import print_rows
from langfuse_aws.automation.cli.words import TIME_FORMAT
from langfuse_aws.automation.restore.objects import Deleted
from langfuse_aws.automation.restore.points import RestorePoint

HOUR: Final = 3600
DAY: Final = 24 * HOUR


def show_points(
    points: Sequence[RestorePoint], stack: str, option: str, now: datetime, *, as_json: bool
) -> None:
    """Print them. `option` takes an identifier."""
    if as_json:
        entries = [
            {
                "identifier": each.identifier,
                "taken": each.taken and each.taken.isoformat(),
                "ageSeconds": each.taken and int((now - each.taken).total_seconds()),
                "madeBy": each.made_by,
                "state": each.state,
                "complete": each.complete,
                "sizeGib": each.size_gib,
                "label": each.label or None,
            }
            for each in points
        ]
        typer.echo(json.dumps({"stack": stack, "restorePoints": entries}, indent=2))
        return
    print_rows(
        (f"For {option}", "Taken, UTC", "Age", "Made by", "GiB", "Label", "State"),
        [
            (
                each.identifier,
                f"{each.taken:%Y-%m-%d %H:%M}" if each.taken else "now",
                age((now - each.taken).total_seconds()) if each.taken else "",
                each.made_by,
                "" if each.size_gib is None else str(each.size_gib),
                each.label,
                each.state,
            )
            for each in points
        ],
    )


def show_deleted(found: Sequence[Deleted], stack: str, now: datetime, *, as_json: bool) -> None:
    """Print what of the objects can come back."""
    if as_json:
        entries = [
            {
                "prefix": each.prefix,
                "since": each.since.strftime(TIME_FORMAT),
                "until": each.until.strftime(TIME_FORMAT),
                "objects": each.count,
            }
            for each in found
        ]
        typer.echo(json.dumps({"stack": stack, "deleted": entries}, indent=2))
        return
    print_rows(
        ("For --prefix", "For --since", "Last, UTC", "Age", "Objects"),
        [
            (
                each.prefix,
                each.since.strftime(TIME_FORMAT),
                f"{each.until:%Y-%m-%d %H:%M}",
                age((now - each.until).total_seconds()),
                f"{each.count:,}",
            )
            for each in found
        ],
    )


def age(seconds: float) -> str:
    """Write an age in its largest unit: `5 min`, `3 h`, `12 d`."""
    if seconds < HOUR:
        return f"{max(int(seconds), 0) // 60} min"
    if seconds < 2 * DAY:
        return f"{int(seconds) // HOUR} h"
    return f"{int(seconds) // DAY} d"
