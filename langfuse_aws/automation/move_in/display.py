"""What a plan shows: a table of what comes how, what is lost, and what it needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text

from langfuse_aws.automation.cli.rows import print_rows
from langfuse_aws.automation.move_in.amounts import counted, duration, rate, size
from langfuse_aws.automation.move_in.copying import to_copy
from langfuse_aws.automation.move_in.measuring import Rates
from langfuse_aws.automation.move_in.refusals import SECRETS
from langfuse_aws.automation.move_in.sides import Sides
from langfuse_aws.automation.move_in.verification import Comparison
from langfuse_aws.automation.terminal import console

HEADINGS: Final = ("What", "Source", "Target", "How", "Takes")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    source: str
    target: str = ""
    how: str = ""
    seconds: float | None = None
    """None: nothing to copy, or not known beforehand."""

    @property
    def takes(self) -> str:
        """For people."""
        return f"about {duration(self.seconds)}" if self.seconds is not None else ""


def rows(sides: Sides, rates: Rates) -> Iterator[Row]:
    """Work the table out, by asking both sides."""
    target = sides.target
    yield Row("Langfuse", sides.source_release or UNKNOWN, target.release)
    there = sides.postgres.size()
    speed = rates.of(rates.postgres)
    yield Row(
        "PostgreSQL",
        f"{sides.postgres.major()}, {size(there)}",
        f"{target.postgres.major()}, {size(target.postgres.size())}",
        "pg_dump, one transaction",
        there / speed if speed else None,
    )
    yield Row("ClickHouse", sides.clickhouse.version(), target.clickhouse.version())
    work = to_copy(sides)
    speed = rates.of(rates.clickhouse)
    for name, table in sides.common_tables.items():
        own = [each.partition for each in work if each.table == table]
        new = sum(each.bytes for each in own)
        yield Row(
            f"  {name}",
            f"{table.rows:,} rows, {size(table.bytes)}",
            f"{sides.target_tables[name].rows:,} rows",
            counted(len(own), "partition") if own else "nothing new",
            new / speed if speed and own else None,
        )
    for use, prefix in sides.objects.items():
        total, here = prefix.total(), target.objects[use].total()
        yield Row(
            f"Objects {use}",
            f"{total.objects:,}, {size(total.bytes)}",
            f"{here.objects:,}, {size(here.bytes)}",
            "by S3 itself" if sides.by_s3[use] else "through this machine",
        )
    for name in SECRETS:
        here = name in target.secrets
        yield Row(name, "set" if name in sides.source.environment else "none",
                  "the same" if target.secrets.get(name) == sides.source.environment.get(name)
                  else "another" if here else UNKNOWN)  # fmt: skip


def lost(sides: Sides) -> Iterator[str]:
    """Say what does not come along."""
    yield (
        "What waits in the source's queues when its worker stops: stop its web first, and wait "
        "until the worker has nothing to do."
    )
    yield "What the target's PostgreSQL has now: the source's takes its place."
    yield "Links to batch exports that were made before: the files come along, the links expire."
    for name in sides.left_tables:
        yield f"ClickHouse's table {name}: Langfuse {sides.target.release} has it no more."
    for name in sides.common_tables:
        columns = sides.columns(name)
        gone = [each for each in sides.tables[name].columns if each not in columns]
        if gone:
            yield f"ClickHouse's {name}: {', '.join(gone)}, which the target has no more."


def needs() -> Iterator[str]:
    """Say what must be so."""
    yield "The source's web and worker stopped for the last run; before that it may go on."
    yield "The target's worker stopped: run stops it, and starts it at the end."
    yield "This machine for as long as it copies; what is done stays done if it stops."


def show(table: Sequence[Row], rates: Rates, parts: Mapping[str, Sequence[str]]) -> None:
    """Print the table, and what belongs to it."""
    print_rows(
        HEADINGS, [(each.what, each.source, each.target, each.how, each.takes) for each in table]
    )
    known = [each.seconds for each in table if each.seconds is not None]
    measured = [
        f"{name} {rate(each)}"
        for name, each in (
            ("PostgreSQL's dump", rates.postgres),
            ("ClickHouse", rates.clickhouse),
            ("the way to the target", rates.way),
        )
        if each
    ]
    if known:
        console.print(
            Text(
                f"\nAbout {duration(sum(known))} for the databases, as measured: "
                f"{', '.join(measured)}. Objects say how fast they go once they do."
            )
        )
    for title, lines in parts.items():
        console.print(title, style="bold", markup=False)
        for line in lines:
            console.print(f"  {line}", markup=False)


def as_json(
    sides: Sides, table: Sequence[Row], rates: Rates, refused: Sequence[str]
) -> dict[str, Any]:
    """Give the same for a tool."""
    return {
        "stack": sides.target.name,
        "source": sides.source.identity,
        "items": [
            {
                "what": each.what.strip(),
                "source": each.source,
                "target": each.target,
                "how": each.how or None,
                "seconds": None if each.seconds is None else round(each.seconds, 1),
            }
            for each in table
        ],
        "bytesPerSecond": {
            "postgres": rates.postgres,
            "clickhouse": rates.clickhouse,
            "target": rates.way,
        },
        "lost": list(lost(sides)) if table else [],
        "refusals": list(refused),
    }


def show_comparisons(compared: Sequence[Comparison]) -> None:
    """Print what both sides were counted as."""
    print_rows(
        ("Counted", "Source", "Target", "", ""),
        [
            (
                each.what,
                f"{each.source:,}",
                f"{each.target:,}",
                f"{each.unit}, {each.remark}" if each.remark else each.unit,
                "same" if each.same else "DIFFERENT",
            )
            for each in compared
        ],
    )
