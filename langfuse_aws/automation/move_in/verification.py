"""Counts both sides of a move: rows by table and day, objects, bytes, and a sample's checksums."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from langfuse_aws.automation.move_in import objects
from langfuse_aws.automation.move_in.amounts import counted
from langfuse_aws.automation.move_in.sides import Sides

BEHIND: Final = (
    "the source's server that answers lacks what others of its cluster have, so it was copied "
    "without that: wait, or name another one by CLICKHOUSE_URL"
)


@dataclass(frozen=True)
class Comparison:
    """Of one table or prefix."""

    what: str
    source: int
    target: int
    unit: str
    """`rows` or `objects`."""
    differing: tuple[str, ...] = ()
    """Days or keys that differ, and how."""
    remark: str = ""
    expires: bool = False
    """Whether each side takes rows away by itself: each partition was counted as it was copied."""

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return (self.source == self.target or self.expires) and not self.differing


def compare(sides: Sides) -> Iterator[Comparison]:
    """Compare everything that was copied."""
    yield from compare_postgres(sides)
    yield from compare_clickhouse(sides)
    yield from compare_objects(sides)


def compare_postgres(sides: Sides) -> Iterator[Comparison]:
    """Count the rows of each table."""
    there, here = sides.postgres.counts(), sides.target.postgres.counts()
    for table, rows in there.items():
        yield Comparison(f"PostgreSQL {table}", rows, here.get(table, 0), "rows")


def compare_clickhouse(sides: Sides) -> Iterator[Comparison]:
    """Count the rows of each table by day, once each server has all of them."""
    replicated = any(table.replicated for table in sides.tables.values())
    behind = sides.clickhouse.behind() if replicated else []
    for name, table in sides.common_tables.items():
        sides.target.clickhouse.settle(sides.target_tables[name])
        there = sides.clickhouse.days(table)
        here = sides.target.clickhouse.days(sides.target_tables[name])
        days = sorted({*there, *here})
        expires = table.expires or sides.target_tables[name].expires
        lacking = [BEHIND] if name in behind else []
        yield Comparison(
            f"ClickHouse {name}",
            sum(there.values()),
            sum(here.values()),
            "rows",
            (*lacking, *([] if expires else _differing(there, here, days))),
            "rows expire" if expires else counted(len(days), "day") if table.day_column else "",
            expires,
        )


def _differing(
    there: Mapping[str, int], here: Mapping[str, int], days: Sequence[str]
) -> Iterator[str]:
    for day in days:
        if there.get(day, 0) != here.get(day, 0):
            yield f"{day}: {there.get(day, 0):,} and {here.get(day, 0):,}"


def compare_objects(sides: Sides) -> Iterator[Comparison]:
    """Count objects and bytes, and compare the content of a sample."""
    for use, source in sides.objects.items():
        target = sides.target.objects[use]
        there, here = source.total(), target.total()
        looked, differ = objects.differing(source, target)
        bytes_differ = (
            [f"bytes: {there.bytes:,} and {here.bytes:,}"] if there.bytes != here.bytes else []
        )
        yield Comparison(
            f"Objects {use}",
            there.objects,
            here.objects,
            "objects",
            (*bytes_differ, *(f"{key}: another content" for key in differ)),
            f"{there.bytes:,} bytes, {counted(looked, 'checksum')}",
        )
