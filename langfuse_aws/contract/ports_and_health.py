"""Ports that web, worker and the stores listen on, and what says that web and worker are well.

Source: Langfuse 3.225.4 and 4.16.0, web/Dockerfile, worker/Dockerfile,
web/src/pages/api/public/health.ts, worker/src/features/health.
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
"""Prisma's pool of each web and worker task unless the stack file sets another, a bound on what
would grow with the CPU count (`num_cpus * 2 + 1`). https://www.prisma.io/docs/orm/prisma-client/setup-and-configuration/databases-connections/connection-pool"""

POSTGRES_PORT: Final = 5432
REDIS_PORT: Final = 6379


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
