"""What the dashboard shows, from the ingress down to the backups. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.metrics import Metric


@dataclass(frozen=True)
class Widget:
    """One graph. What a stack has not got is left out."""

    title: str
    metrics: Sequence[Metric]


def dashboard_rows(stack: str) -> list[list[Widget]]:
    """Build the rows of graphs, in the order in which an event meets the parts."""
    return [
        [
            Widget(
                "1 Ingress: answers",
                [
                    metrics.BALANCER_REQUESTS,
                    metrics.BALANCER_5XX,
                    metrics.TARGET_5XX,
                    metrics.API_REQUESTS,
                    metrics.API_5XX,
                    metrics.APP_RUNNER_REQUESTS,
                    metrics.APP_RUNNER_5XX,
                ],
            ),
            Widget(
                "1 Ingress: latency",
                [metrics.BALANCER_LATENCY, metrics.API_LATENCY, metrics.APP_RUNNER_LATENCY],
            ),
            Widget("1 Ingress: targets", [metrics.UNHEALTHY]),
        ],
        [
            *_service("2 Web", "web"),
            Widget("2 Web: active instances", [metrics.APP_RUNNER_INSTANCES]),
            Widget("2 Web: CPU and memory", [metrics.APP_RUNNER_CPU, metrics.APP_RUNNER_MEMORY]),
        ],
        [
            Widget("3 Queue: lag", [metrics.OLDEST_JOB_AGE, metrics.OTHER_OLDEST_JOB_AGE]),
            Widget("3 Queue: jobs that wait", [metrics.WAITING_JOBS]),
            Widget("3 Queue: dead letters", [metrics.FAILED_JOBS]),
        ],
        _service("4 Worker", "worker"),
        [
            Widget("5 PostgreSQL: capacity", [metrics.AURORA_CAPACITY, metrics.DATABASE_CPU]),
            Widget(
                "5 PostgreSQL: connections",
                [metrics.AURORA_CONNECTIONS, metrics.DATABASE_CONNECTIONS],
            ),
            Widget("5 PostgreSQL: storage", [metrics.DATABASE_STORAGE]),
        ],
        [
            Widget("6 Valkey: memory", [metrics.CACHE_MEMORY]),
            Widget("6 Redis: memory", [metrics.QUEUE_MEMORY]),
            # Its requests cost; its size is free, and told once a day.
            Widget("7 S3: size", [metrics.BUCKET_SIZE]),
        ],
        [
            Widget("8 ClickHouse: running servers", [metrics.CLICKHOUSE_TASKS]),
            Widget("8 ClickHouse: disk", [metrics.DISK_USED]),
            Widget("8 ClickHouse: burst credits", [metrics.IO_BALANCE, metrics.BYTE_BALANCE]),
        ],
        [
            Widget(
                "9 Backups",
                [
                    metrics.VOLUME_SNAPSHOTS,
                    metrics.DATABASE_SNAPSHOTS,
                    metrics.SNAPSHOTS_FAILED,
                    metrics.VOLUME_COPIES,
                    metrics.DATABASE_COPIES,
                    metrics.COPIES_FAILED,
                    metrics.backups_created(f"{stack}-clickhouse-backup"),
                ],
            ),
            Widget("10 Certificate", [metrics.CERTIFICATE_DAYS]),
        ],
    ]


def _service(title: str, subject: str) -> list[Widget]:
    cpu = metrics.service(subject, "CPUUtilization", "Average", "CPU, %")
    return [
        Widget(f"{title}: running tasks", [metrics.running_tasks(subject)]),
        Widget(
            f"{title}: CPU and memory",
            [cpu, replace(cpu, name="MemoryUtilization", title="memory, %")],
        ),
    ]
