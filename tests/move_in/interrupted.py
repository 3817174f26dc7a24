"""A move that stops for ever in the middle of a stage, for a test to end it there.

    python -m tests.move_in.interrupted STAGE PORTS DATABASE S3

It prints `halfway` when it is there. What it patches is where the stage has done half of its work.
"""

import itertools
import json
import sys
import time
from typing import IO, Any
from unittest.mock import patch

from langfuse_aws.automation.move_in import copying, objects, postgres
from langfuse_aws.automation.move_in.clickhouse import ClickHouse
from tests.move_in.installation import Pair, Servers
from tests.move_in.s3_server import S3


def stop(*_: Any, **__: Any) -> Any:
    """Say that it is there, and stay."""
    print("halfway", flush=True)
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


def main(stage: str, ports: str, number: str, s3_url: str) -> None:
    """Move until there."""
    numbers: list[int] = json.loads(ports)
    s3 = S3()
    s3.url = s3_url
    servers = Servers((numbers[0], numbers[1]), (numbers[2], numbers[3]))
    sides = Pair(servers, s3, int(number)).sides()
    with STAGES[stage]:
        sides.progress.begin(sides.source.identity)
        copying.copy_objects(sides, print)
        copying.copy_clickhouse(sides, print)
        copying.copy_postgres(sides, print)


if __name__ == "__main__":
    main(*sys.argv[1:])
