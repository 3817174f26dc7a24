"""A move that stops for ever in the middle of a stage, for a test to end it there.

What it patches is where the stage has done half of its work.
"""

import itertools
import signal
import time
from multiprocessing.synchronize import Event
from typing import IO, Any
from unittest.mock import patch

from langfuse_aws.automation.move_in import copying, objects, postgres
from langfuse_aws.automation.move_in.clickhouse import ClickHouse
from tests.move_in.installation import Pair

there: Event


def stop(*_: Any, **__: Any) -> Any:
    """Say that it is there, and stay."""
    there.set()
    while True:
        time.sleep(60)


def some_objects(source: objects.Prefix, target: objects.Prefix) -> Any:
    """Find some that are to be copied."""
    yield from itertools.islice(real_missing(source, target), 11)
    stop()


def half_of_dump(stream: postgres.Stream, into: IO[bytes]) -> int:
    """Send half of the rows."""
    whole = b"".join(iter(lambda: stream.read1(1 << 20), b""))
    into.write(whole[: len(whole) // 2])
    into.flush()
    return stop()


def half_of_blocks(self: ClickHouse, statement: str, blocks: Any, encoding: str | None) -> None:
    """Begin to send a partition."""
    if "`observations_move_in`" not in statement:
        return real_insert(self, statement, blocks, encoding)

    def some() -> Any:
        yield next(blocks)[:100]
        stop()

    return real_insert(self, statement, some(), encoding)


def before_replacing(self: ClickHouse, statement: str) -> None:
    """Have a partition ready, and not yet in its place."""
    if "REPLACE PARTITION" in statement and "`scores`" in statement:
        stop()
    real_execute(self, statement)


real_insert, real_execute, real_missing = ClickHouse.insert, ClickHouse.execute, objects.missing
STAGES = {
    "objects": patch.object(objects, "missing", some_objects),
    "a partition under way": patch.object(ClickHouse, "insert", half_of_blocks),
    "a partition that is ready": patch.object(ClickHouse, "execute", before_replacing),
    "PostgreSQL": patch.object(postgres, "_pump", half_of_dump),
}


def until_halfway(stage: str, pair: Pair, reached: Event) -> None:
    """Move until there."""
    global there
    there = reached
    # What this process was forked from handles its signals otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sides = pair.sides()
    with STAGES[stage]:
        sides.progress.begin(sides.source.identity)
        copying.copy_objects(sides, ignore)
        copying.copy_clickhouse(sides, ignore)
        copying.copy_postgres(sides, ignore)


def ignore(_: str) -> None:
    """Say nothing."""
