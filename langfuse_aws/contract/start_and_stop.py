"""How Langfuse's containers start and stop: commands, and how long each takes.

Source: Langfuse 3.225.4 and 4.16.0, web/entrypoint.sh, web/src/instrumentation.ts,
web/src/utils/shutdown.ts, worker/src/utils/shutdown.ts.
"""

from typing import Final

WEB_DRAIN_SECONDS: Final = 110
"""How long web goes on serving after SIGTERM."""

STOP_TIMEOUT_SECONDS: Final = 120
"""Time between SIGTERM and SIGKILL: Fargate's maximum, and more than web's drain."""

CLICKHOUSE_REQUEST_SECONDS: Final = 30
"""The longest that a request of Langfuse's to ClickHouse takes, exports and deletions left aside
(packages/shared/src/server/clickhouse/client.ts)."""

WORKER_STOP_SECONDS: Final = 2 * CLICKHOUSE_REQUEST_SECONDS
"""What a job of ingestion needs after SIGTERM: to read from ClickHouse, and to have its rows
written. The worker waits for all jobs under way (BullMQ's close), writes what it holds, and then
does not exit: each stop takes this long. Model calls of evaluations, exports and deletions may need
more, and are begun again by another worker: their locks expire after 60 s."""

START_LIMIT_SECONDS: Final = 300
"""The longest start period of a container in ECS."""

WEB_START_SECONDS: Final = 21
WORKER_START_SECONDS: Final = 43
"""The slowest starts that were seen, on a machine of two cores: 7 to 21 s and 15 to 43 s. The
databases were migrated before."""
START_CPU_UNITS: Final = 2048
START_MARGIN: Final = 2

BOOTSTRAP_PREFIX: Final = "LANGFUSE_INIT_"
"""Variables by which web makes the first organization, project, keys and user as it starts."""

MIGRATION_COMMAND: Final = ("echo", "migrated")
"""Web's entrypoint migrates both databases and then runs its arguments, which end the task."""

SERVER_COMMAND: Final = ("node", "./web/server.js")
"""What the web image runs after its entrypoint."""


def start_seconds(seen: int, cpu: int) -> int:
    """What a start may take until the port is open, in a task of `cpu` CPU units.

    `seen` is the slowest one on START_CPU_UNITS: less CPU takes as much longer, more does not help
    a single thread. Twice that is no healthy start any more.
    """
    slower = max(1.0, START_CPU_UNITS / cpu)
    return min(START_LIMIT_SECONDS, int(START_MARGIN * seen * slower))
