"""Known traps of Langfuse's releases, as `release_traps.csv` has them.

A row is about every upgrade that reaches or passes its release. What is not there is not known: the
release notes say more. https://github.com/langfuse/langfuse/releases
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast, get_args

TABLE: Final = Path(__file__).with_name("release_traps.csv")

Version = tuple[int, int, int]
Concern = Literal["all", "backfill", "events_only", "external store", "queue metrics"]
"""Which stacks: those that copy old events, write in that mode, have an external store, or publish
the metrics of their queues."""


@dataclass(frozen=True)
class Trap:
    """What a release breaks or asks for, and what to do about it."""

    release: Version
    """The first that has it."""
    concerns: Concern
    runs_first: Version | None
    """The least release that must have run before it; None: any."""
    trap: str
    remedy: str
    source: str

    def __str__(self) -> str:
        """Say it, for people."""
        return f"{dotted(self.release)}: {self.trap} {self.remedy} {self.source}"


@cache
def table() -> Sequence[Trap]:
    """Every row."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [_trap(row) for row in csv.DictReader(file)]


def between(old: Version, new: Version) -> Iterator[Trap]:
    """The traps on the way from a release to a later one."""
    return (each for each in table() if old < each.release <= new)


def dotted(version: Version) -> str:
    """`(4, 16, 0)` → `4.16.0`."""
    return ".".join(map(str, version))


def _trap(row: dict[str, str]) -> Trap:
    if row["concerns"] not in get_args(Concern):
        raise ValueError(f"{TABLE.name}: {row['concerns']!r}: is not one of {get_args(Concern)}")
    return Trap(
        release=_version(row["release"]),
        concerns=cast("Concern", row["concerns"]),
        runs_first=_version(row["runs_first"]) if row["runs_first"] else None,
        trap=row["trap"],
        remedy=row["remedy"],
        source=row["source"],
    )


def _version(text: str) -> Version:
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch
