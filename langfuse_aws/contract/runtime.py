"""Facts about Langfuse's images: ports, health checks, start, shutdown.

Source: Langfuse 3.225.4 and 4.16.0, web/Dockerfile, worker/Dockerfile, web/entrypoint.sh,
web/src/instrumentation.ts, web/src/utils/shutdown.ts, web/src/pages/api/public/health.ts,
worker/src/features/health, worker/src/utils/shutdown.ts.
"""

import shlex
from typing import Final

WEB_PORT: Final = 3000
WORKER_PORT: Final = 3030

WEB_HEALTH_PATH: Final = "/api/public/health"
WORKER_HEALTH_PATH: Final = "/api/health"
"""As it is, it asks PostgreSQL and Redis only: a worker that consumes no queue answers 200 for
ever. https://github.com/langfuse/langfuse/issues/15509"""

QUEUE_CONSUMPTION_CHECK: Final = "failIfQueueConsumptionStuck"
QUEUE_CONSUMPTION_CHECK_SINCE: Final = (4, 0, 0)
QUEUE_CONSUMPTION_VARIABLE: Final = "LANGFUSE_QUEUE_CONSUMPTION_STUCK_THRESHOLD_MINUTES"
"""503 when this worker has begun and ended no job for so long."""

EVENT_PROPAGATION_CHECK: Final = "failIfEventPropagationStuck"
EVENT_PROPAGATION_CHECK_SINCE: Final = (3, 203, 2)
EVENT_PROPAGATION_VARIABLE: Final = "LANGFUSE_EVENT_PROPAGATION_STUCK_THRESHOLD_MINUTES"
"""503 when no worker has begun to fill the new tables for so long, in a write mode that does."""

CLICKHOUSE_HTTP_PORT: Final = 8123
CLICKHOUSE_NATIVE_PORT: Final = 9000
CLICKHOUSE_USER_ID: Final = 101
"""User and group of the server in clickhouse/clickhouse-server."""

CONNECTIONS_PER_TASK: Final = 10
"""Prisma's pool of each web and worker task, a bound on what would grow with the CPU count
(`num_cpus * 2 + 1`). https://www.prisma.io/docs/orm/prisma-client/setup-and-configuration/databases-connections/connection-pool"""

POSTGRES_PORT: Final = 5432
REDIS_PORT: Final = 6379

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

HEAP_SHARE: Final = 0.75
"""Node's heap as a share of the task's memory; the rest is for buffers and native code."""


def health_command(port: int, path: str) -> list[str]:
    """Build the container health check: the images have busybox's wget and no curl.

    127.0.0.1, since `localhost` may resolve to an address the server does not listen on.
    """
    url = shlex.quote(f"http://127.0.0.1:{port}{path}")
    return ["CMD-SHELL", f"wget -q -O /dev/null {url} || exit 1"]


def worker_health_variables(version: tuple[int, int, int], write_mode: str) -> dict[str, str]:
    """Give what the worker of a release can be asked beside its connections.

    By the query's parameter, the variable with its threshold in minutes.
    """
    checks: dict[str, str] = {}
    if version >= QUEUE_CONSUMPTION_CHECK_SINCE:
        checks[QUEUE_CONSUMPTION_CHECK] = QUEUE_CONSUMPTION_VARIABLE
    if version >= EVENT_PROPAGATION_CHECK_SINCE and write_mode != "legacy":
        checks[EVENT_PROPAGATION_CHECK] = EVENT_PROPAGATION_VARIABLE
    return checks


def worker_health_path(version: tuple[int, int, int], write_mode: str) -> str:
    """Build the path that answers 200 while the worker works, as far as its release can say so."""
    checks = worker_health_variables(version, write_mode)
    query = "&".join(f"{check}=true" for check in checks)
    return f"{WORKER_HEALTH_PATH}?{query}" if query else WORKER_HEALTH_PATH


def start_seconds(seen: int, cpu: int) -> int:
    """What a start may take until the port is open, in a task of `cpu` CPU units.

    `seen` is the slowest one on START_CPU_UNITS: less CPU takes as much longer, more does not help
    a single thread. Twice that is no healthy start any more.
    """
    slower = max(1.0, START_CPU_UNITS / cpu)
    return min(START_LIMIT_SECONDS, int(START_MARGIN * seen * slower))


def heap_mib(memory_mib: int) -> int:
    """Node's heap limit (MiB) in a task of `memory_mib`."""
    return int(memory_mib * HEAP_SHARE)
