"""How fast data come from the source and go to the target, measured for a few seconds, by reading.

What is not written yet cannot be measured by writing: the way to the target is measured by reading
from it, which goes over the same connection.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from langfuse_aws.automation.move_in.clickhouse import ClickHouse
from langfuse_aws.automation.move_in.sides import Sides

SECONDS: Final = 3.0
BLOCK: Final = 1 << 20
BLOCKS: Final = 64
"""At the most."""


@dataclass(frozen=True)
class Rates:
    """Bytes a second as they are sent; None: too little to measure."""

    postgres: float | None
    clickhouse: float | None
    way: float | None
    """To the target."""

    def of(self, store: float | None) -> float | None:
        """What a store is copied at: the slower of reading it and of the way."""
        known = [each for each in (store, self.way) if each]
        return min(known) if store and known else None


def measure(sides: Sides) -> Rates:
    """Read from both sides."""
    largest = max(sides.common_tables.values(), key=lambda each: each.bytes, default=None)
    with sides.postgres.dump() as (stream, _):
        postgres = throughput(iter(lambda: stream.read1(BLOCK), b""))
    return Rates(
        postgres,
        _read(sides.clickhouse, f"SELECT * FROM {sides.clickhouse.named(largest.name)}")  # noqa: S608
        if largest
        else None,
        _read(
            sides.target.clickhouse,
            f"SELECT randomString({BLOCK}) FROM numbers({BLOCKS})",  # noqa: S608
        ),
    )


def _read(server: ClickHouse, query: str) -> float | None:
    with server.stream(f"{query} FORMAT RowBinary") as response:
        return throughput(response.iter_raw())


def throughput(blocks: Iterator[bytes]) -> float | None:
    """Read for SECONDS; bytes a second. The first block is what it waited for, and not counted."""
    if not next(blocks, b""):
        return None
    begin, read, took = time.monotonic(), 0, 0.0
    for block in blocks:
        read, took = read + len(block), time.monotonic() - begin
        if took > SECONDS:
            break
    return read / took if read and took else None
