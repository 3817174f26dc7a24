"""Copies a source's stores into the target: objects, ClickHouse by table and partition, PostgreSQL.

Each part that is done is noted, and is not done again unless it has changed. PostgreSQL comes last
and whole: one transaction, after which the target has the source's projects and keys.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.move_in import clickhouse, objects, postgres
from langfuse_aws.automation.move_in.amounts import counted, duration, rate, size
from langfuse_aws.automation.move_in.clickhouse import Partition, Table
from langfuse_aws.automation.move_in.sides import Sides

FILE_LOG: Final = "blob_storage_file_log"
"""ClickHouse's table of the events' objects."""
MEDIA: Final = "media"
"""PostgreSQL's table of media."""
TELLING_SECONDS: Final = 10
"""Before which no rate says how long it takes: small tables come at the pace of their questions."""
POSTGRES: Final = "postgres"
"""The item of the database."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """A partition to copy."""

    table: Table
    partition: Partition

    @property
    def item(self) -> str:
        """What it is noted as."""
        return f"clickhouse/{self.table.name}/{self.partition.id}"


def copy_objects(sides: Sides, say: Say) -> None:
    """Copy what the target's bucket lacks, a prefix after the other."""
    for use, source in sides.objects.items():
        target = sides.target.objects[use]
        begin = time.monotonic()
        with waits(f"objects of {use}") as update:

            def progress(done: int, copied: int, use: str = use, begin: float = begin) -> None:
                took = max(time.monotonic() - begin, 0.001)
                update(f"objects of {use}: {done:,} copied, {size(copied)}, {rate(copied / took)}")

            expected = sides.by_s3[use]
            copied, by_s3 = objects.copy(source, target, progress, by_s3=expected)
        how = "by S3 itself, " if by_s3 else "S3 refused to copy by itself, " if expected else ""
        say(
            f"objects of {use}: {copied.objects:,} copied, {size(copied.bytes)}, {how}"
            f"in {duration(time.monotonic() - begin)}"
        )


def to_copy(sides: Sides) -> list[Work]:
    """List the partitions that are new or have changed."""
    return _not_moved(sides, sides.progress.items())


def _not_moved(sides: Sides, moved: Mapping[str, str]) -> list[Work]:
    found: list[Work] = []
    for name, table in sides.common_tables.items():
        there = sides.target.clickhouse.partitions(name)
        for partition in sides.clickhouse.partitions(name).values():
            work = Work(table, partition)
            # Rows may all be deleted ones, of which nothing arrives.
            gone = partition.id not in there and partition.rows
            if moved.get(work.item) != partition.fingerprint or gone:
                found.append(work)
    return found


def copy_clickhouse(sides: Sides, say: Say) -> None:
    """Copy each partition that is new or has changed, a table after the other."""
    moved = sides.progress.items()
    work = _not_moved(sides, moved)
    total, done, begin = sum(each.partition.bytes for each in work), 0, time.monotonic()
    for name, table in sides.common_tables.items():
        own = [each for each in work if each.table == table]
        started, sent = time.monotonic(), 0
        with waits(f"ClickHouse, {name}") as update:
            for number, each in enumerate(own, start=1):
                took = time.monotonic() - begin
                known = took > TELLING_SECONDS and done > total / 50
                left = f", about {duration(took / done * (total - done))} left" if known else ""
                update(f"ClickHouse, {name}: partition {number} of {len(own)}{left}")
                sent += clickhouse.copy_partition(
                    sides.clickhouse,
                    sides.target.clickhouse,
                    table,
                    sides.target_tables[name],
                    sides.columns(name),
                    each.partition.id,
                    _expressions(sides, name),
                )
                sides.progress.note(each.item, each.partition.fingerprint)
                done += each.partition.bytes
        dropped = _drop_what_is_gone(sides, name, moved)
        took = time.monotonic() - started
        rows = sum(each.partition.rows for each in own)
        parts = counted(len(own), "partition")
        say(
            f"ClickHouse, {name}: "
            + (
                f"{parts}, {counted(rows, 'row')}, {size(sent)} in {duration(took)}, "
                f"{rate(sent / max(took, 0.001))}"
                if own
                else "nothing new"
            )
            + (
                f"; {counted(dropped, 'partition')} dropped, which the source has no more"
                if dropped
                else ""
            )
        )


def _drop_what_is_gone(sides: Sides, table: str, moved: Iterable[str]) -> int:
    prefix = f"clickhouse/{table}/"
    there = sides.clickhouse.partitions(table)
    gone = [
        item for item in moved if item.startswith(prefix) and item.removeprefix(prefix) not in there
    ]
    for item in gone:
        clickhouse.drop_partition(
            sides.target.clickhouse, sides.target_tables[table], item.removeprefix(prefix)
        )
        sides.progress.forget(item)
    return len(gone)


def _expressions(sides: Sides, table: str) -> dict[str, str]:
    if table != FILE_LOG:
        return {}
    source, target = sides.objects["events"], sides.target.objects["events"]
    return clickhouse.moved_paths({source.prefix: target.prefix}, target.bucket)


def copy_postgres(sides: Sides, say: Say) -> None:
    """Replace the target's tables by the source's."""
    begin = time.monotonic()
    with waits("PostgreSQL"):
        copied = postgres.copy(sides.postgres, sides.target.postgres, list(_after(sides)))
    took = time.monotonic() - begin
    say(f"PostgreSQL: {size(copied)} in {duration(took)}, {rate(copied / max(took, 0.001))}")


def _after(sides: Sides) -> Iterator[str]:
    if MEDIA in sides.postgres_tables and "media" in sides.objects:
        source, target = sides.objects["media"], sides.target.objects["media"]
        yield from postgres.move_paths(MEDIA, {source.prefix: target.prefix}, target.bucket)
    yield sides.progress.statement(POSTGRES, str(sides.postgres.address))
