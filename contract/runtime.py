"""Facts about Langfuse's images: ports, health checks, shutdown.

Source: Langfuse 3.225.4 and 4.16.0, web/Dockerfile, worker/Dockerfile, web/entrypoint.sh,
web/src/utils/shutdown.ts, web/src/pages/api/public/health.ts, worker/src/features/health.
"""

from typing import Final

WEB_PORT: Final = 3000
WORKER_PORT: Final = 3030

WEB_HEALTH_PATH: Final = "/api/public/health"
WEB_READY_PATH: Final = "/api/public/ready"
WORKER_HEALTH_PATH: Final = "/api/health"

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

START_SECONDS: Final = 300
"""What a start may take until the port is open, migrations left aside: a task of its own runs
them."""

MIGRATION_COMMAND: Final = ("echo", "migrated")
"""Web's entrypoint migrates both databases and then runs its arguments, which end the task."""

HEAP_SHARE: Final = 0.75
"""Node's heap as a share of the task's memory; the rest is for buffers and native code."""


def health_command(port: int, path: str) -> list[str]:
    """Build the container health check: the images have busybox's wget and no curl.

    127.0.0.1, since `localhost` may resolve to an address the server does not listen on.
    """
    return ["CMD-SHELL", f"wget -q -O /dev/null http://127.0.0.1:{port}{path} || exit 1"]


def heap_mib(memory_mib: int) -> int:
    """Node's heap limit (MiB) in a task of `memory_mib`."""
    return int(memory_mib * HEAP_SHARE)
