"""Measures a move between two local PostgreSQL, two ClickHouse engines and an S3 over HTTP.

    python -m tests.move_in.throughput ROWS

One process asks each engine, and everything is on one machine: it shows what the copying itself
costs, not a network.
"""
# ruff: noqa: S608 -- texts of this file alone

import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from langfuse_aws.automation.move_in import copying, verification
from langfuse_aws.automation.move_in.amounts import rate, size
from tests.move_in.installation import Pair, Servers
from tests.move_in.s3_server import S3
from tests.move_in.servers import clickhouse_server, postgres_server


def main(rows: int) -> None:
    """Fill the source, move, count."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = Servers(
            (stack.enter_context(postgres_server()), stack.enter_context(postgres_server())),
            (
                stack.enter_context(clickhouse_server(folder / "source")),
                stack.enter_context(clickhouse_server(folder / "target")),
            ),
        )
        pair = Pair(servers, stack.enter_context(S3("langfuse", "langfuse-prod-storage").serving()))
        pair.fill()
        source = pair.clickhouse(0)
        source.execute(
            "INSERT INTO traces (id, timestamp, name, project_id, input, event_ts) SELECT "
            "toString(generateUUIDv4()), toDateTime64('2025-06-01 00:00:00', 3, 'UTC') + "
            "toIntervalSecond(number % 5000000), 'chat', 'project-1', "
            "repeat(hex(rand64(number)), 60), now() "  # about a kilobyte, half of it random
            f"FROM numbers({rows})"
        )
        pair.postgres(0).run(
            "INSERT INTO prompts SELECT 'p-' || n, jsonb_build_object('text', "
            "repeat(md5(n::text), 30)), '{}' "
            f"FROM generate_series(1, {rows // 10}) AS n;"
        )
        for number in range(rows // 1000):
            pair.s3.put("langfuse", f"events/project-1/trace/{number}-1.json", bytes(10_000))
        sides = pair.sides()
        print(f"{platform.machine()}, {platform.system()}, {rows:,} traces")
        sides.progress.begin(sides.source.identity)
        for what, copy, amount in (
            ("objects", copying.copy_objects, sides.objects["events"].total().bytes),
            ("ClickHouse", copying.copy_clickhouse, sides.tables["traces"].bytes),
            ("PostgreSQL", copying.copy_postgres, sides.postgres.size()),
        ):
            begin = time.monotonic()
            copy(sides, print)
            took = time.monotonic() - begin
            print(f"{what}: {size(amount)} as stored, {took:.1f} s, {rate(amount / took)}")
        begin = time.monotonic()
        differing = [each for each in verification.compare(sides) if not each.same]
        print(f"counted in {time.monotonic() - begin:.1f} s, {len(differing)} differ")
        pair.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
