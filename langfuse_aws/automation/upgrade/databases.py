"""Asks a stack's databases whether they are ready for a release, by a task inside its network.

Langfuse tells of its background migrations to signed-in users and in its table alone, and the
table and ClickHouse let in nobody else. A row that a variable holds back (`args.envGate`) is not
due: https://github.com/langfuse/langfuse/pull/14206
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.aws import worker_script
from langfuse_aws.automation.engine.deployed import Deployed

SCRIPT: Final = Path(__file__).with_name("databases.js")
MARK: Final = "upgrade: "
"""What each line of the script begins with; Langfuse's own code writes others."""

PAGE: Final = "docs/upgrade.md, A background migration that has failed"

GIB: Final = 2**30
BACKFILL_NEEDS: Final = 2
"""Times the disk in use, besides that: three times in all.
https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4#step-1"""
FREE_PERCENT: Final = 20
"""Of the disk, at the least: the alarm clickhouse-disk goes off below it. Merges need room."""


@dataclass(frozen=True)
class Migration:
    """A background migration that is due and not done."""

    name: str
    failed: str | None
    """Why it failed; None: it runs or waits."""
    taken: bool
    """Whether a worker says that it runs it."""


@dataclass(frozen=True)
class Answers:
    """What the databases said; None: they did not."""

    migrations: Sequence[Migration] | None = None
    used: int | None = None
    """Bytes of ClickHouse's tables."""
    free: int = 0
    total: int = 0
    """Bytes of its disk."""
    errors: tuple[str, ...] = ()

    def found(self) -> Iterator[str]:
        """Say it, for people."""
        if self.migrations is not None:
            count = len(self.migrations)
            yield f"Background migrations: {f'{count} are not done' if count else 'all are done'}."
        if self.used is not None:
            yield (
                f"ClickHouse: {self.used / GIB:.1f} GiB of tables, {self.free / GIB:.1f} of "
                f"{self.total / GIB:.1f} GiB free."
            )

    def faults(self, *, backfill: bool) -> Iterator[str]:
        """What an upgrade must not begin with. `backfill`: whether it begins one."""
        runs = any(each.taken for each in self.migrations or ())
        for each in self.migrations or ():
            yield f"background migration {each.name}: {_state(each, runs=runs)}."
        if self.used is not None:
            yield from self._room(self.used, backfill=backfill)
        yield from self.errors

    def _room(self, used: int, *, backfill: bool) -> Iterator[str]:
        needed = BACKFILL_NEEDS * used if backfill else 0
        purpose = "the backfill needs" if backfill else "merges need"
        least = self.total * FREE_PERCENT // 100
        if self.free >= max(needed, least):
            return
        more = -(-(max(needed, least) - self.free) // GIB)
        yield (
            f"ClickHouse's disk: {self.free / GIB:.1f} GiB are free, and {purpose} "
            f"{max(needed, least) / GIB:.1f}. Raise langfuse:clickhouse.volumeGib by {more} or "
            "more, pulumi up, and wait until the file system has grown."
        )


def _state(migration: Migration, *, runs: bool) -> str:
    """Say what is wrong and what helps. `runs`: whether any is run; the others wait for it.

    A worker looks once, as it starts, and leaves those that another one has then.
    https://github.com/langfuse/langfuse/blob/v4.16.0/worker/src/backgroundMigrations/backgroundMigrationManager.ts
    """
    if migration.failed:
        return (
            f"has failed: {migration.failed}. Look into the worker's log, and have it run again: "
            f"{PAGE}"
        )
    if runs:
        return "is not done. Wait for it; Langfuse shows it by a click on its version"
    return (
        "is not done, and no worker runs it. Start the workers anew: aws ecs update-service "
        f"--force-new-deployment ({PAGE})"
    )


def ask(deployed: Deployed) -> Answers:
    """Have the task ask, and read what it wrote. UserError if it does not run."""
    return read(worker_script.run(deployed, orders()))


def orders() -> dict[str, Any]:
    """Write what the container does instead of working."""
    return worker_script.orders(SCRIPT)


def read(messages: Iterator[str]) -> Answers:
    """Read the task's lines. What is missing is an error too."""
    found: dict[str, Any] = {}
    errors: list[str] = []
    for message in messages:
        if not message.startswith(MARK):
            continue
        answer = json.loads(message.removeprefix(MARK))
        if "error" in answer:
            errors.append(f"{answer['part']} could not be asked: {answer['error']}")
        found |= answer
    migrations = found.get("migrations")
    if not errors and (migrations is None or "used" not in found):
        errors.append("the task that asks the databases has said nothing; its log may say why")
    return Answers(
        migrations=None if migrations is None else [Migration(**each) for each in migrations],
        used=found.get("used"),
        free=found.get("free", 0),
        total=found.get("total", 0),
        errors=tuple(errors),
    )
