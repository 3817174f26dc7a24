"""The CloudWatch metrics that alarms and the dashboard are made of, and what they are about.

A component says in `metric_dimensions` what CloudWatch calls the things it has made. What a stack
has not got is not in there, so it has neither an alarm nor a line on the dashboard.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pulumi

from langfuse_aws.contract import queue_metrics

Dimensions = Mapping[str, pulumi.Input[str]]

MetricDimensions = Mapping[str, Sequence[Dimensions]]
"""The things of each subject, such as `volumes`, by CloudWatch's dimensions."""


def merge_dimensions(parts: Iterable[MetricDimensions]) -> MetricDimensions:
    """What several components watch; no two of them have a subject in common."""
    return {subject: things for part in parts for subject, things in part.items()}


CLICKHOUSE_NAMESPACE: Final = "Langfuse/ClickHouse"
WORKER_NAMESPACE: Final = "Langfuse/Worker"
"""Of the metrics that the stack itself sends."""

DAY: Final = 86_400
"""Seconds."""


@dataclass(frozen=True)
class Metric:
    """One metric of every thing of a subject."""

    subject: str
    namespace: str
    name: str
    statistic: str
    title: str
    """What the dashboard calls it."""
    period: int = 300
    """Seconds that the dashboard sums up."""
    beside: tuple[str, ...] = ()
    """Dimensions that AWS publishes it with besides the subject's; their values come and go, so it
    has to be searched for: with the subject's dimensions alone there is no such metric."""


def service(subject: str, name: str, statistic: str, title: str) -> Metric:
    """Make a metric of an ECS service."""
    return Metric(subject, "AWS/ECS", name, statistic, title, 60)


def running_tasks(subject: str, of: str = "CPUUtilization") -> Metric:
    """Make the number of running tasks: each sends one sample a minute.

    So no Container Insights is needed, which costs by the metric.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html
    """
    return service(subject, of, "SampleCount", f"{subject} tasks")


def _balancer(name: str, statistic: str, title: str, subject: str = "balancer") -> Metric:
    return Metric(subject, "AWS/ApplicationELB", name, statistic, title)


def _api(name: str, statistic: str, title: str) -> Metric:
    return Metric("api", "AWS/ApiGateway", name, statistic, title)


# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
BALANCER_REQUESTS: Final = _balancer("RequestCount", "Sum", "requests")
BALANCER_5XX: Final = _balancer("HTTPCode_ELB_5XX_Count", "Sum", "5xx of the load balancer")
TARGET_5XX: Final = _balancer("HTTPCode_Target_5XX_Count", "Sum", "5xx of web")
BALANCER_LATENCY: Final = _balancer("TargetResponseTime", "p95", "95th percentile, s")
UNHEALTHY: Final = _balancer("UnHealthyHostCount", "Maximum", "unhealthy targets", "targets")

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
API_REQUESTS: Final = _api("Count", "Sum", "requests")
API_5XX: Final = _api("5xx", "Sum", "5xx")
API_LATENCY: Final = _api("Latency", "p95", "95th percentile, ms")


def _app_runner(name: str, statistic: str, title: str) -> Metric:
    return Metric("app-runner", "AWS/AppRunner", name, statistic, title, 60)


# https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cw.html
APP_RUNNER_REQUESTS: Final = _app_runner("Requests", "Sum", "requests")
APP_RUNNER_5XX: Final = _app_runner("5xxStatusResponses", "Sum", "5xx")
APP_RUNNER_LATENCY: Final = _app_runner("RequestLatency", "p95", "95th percentile, ms")
APP_RUNNER_INSTANCES: Final = _app_runner("ActiveInstances", "Maximum", "instances with requests")
"""Zero means that there are no requests, not that nothing runs: no alarm can be made of it."""
APP_RUNNER_CPU: Final = _app_runner("CPUUtilization", "Average", "CPU, %")
APP_RUNNER_MEMORY: Final = _app_runner("MemoryUtilization", "Maximum", "memory, %")

# https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
CERTIFICATE_DAYS: Final = Metric(
    "certificate", "AWS/CertificateManager", "DaysToExpiry", "Minimum", "certificate, days", DAY
)

CLICKHOUSE_TASKS: Final = running_tasks("clickhouse", of="MemoryUtilization")
"""Its task reserves memory and no CPU, so CPU has nothing to be a percentage of."""

DISK_USED: Final = Metric(
    "volumes", CLICKHOUSE_NAMESPACE, "DiskUsedPercent", "Maximum", "disk used, %"
)
"""Sent by the instances: components/clickhouse/user_data.sh."""

# https://docs.aws.amazon.com/ebs/latest/userguide/using_cloudwatch_ebs.html
VOLUME_IOPS_EXCEEDED: Final = Metric(
    "volumes",
    "AWS/EBS",
    "VolumeIOPSExceededCheck",
    "Average",
    "volume at its IOPS",
    beside=("InstanceId",),
)
VOLUME_THROUGHPUT_EXCEEDED: Final = replace(
    VOLUME_IOPS_EXCEEDED, name="VolumeThroughputExceededCheck", title="volume at its throughput"
)

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
IO_BALANCE: Final = Metric("hosts", "AWS/EC2", "EBSIOBalance%", "Minimum", "I/O credits, %")
BYTE_BALANCE: Final = replace(IO_BALANCE, name="EBSByteBalance%", title="throughput credits, %")
HOST_CREDITS_CHARGED: Final = replace(
    IO_BALANCE, name="CPUSurplusCreditsCharged", statistic="Maximum", title="CPU credits charged"
)

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
AURORA_CAPACITY: Final = Metric("aurora", "AWS/RDS", "ACUUtilization", "Maximum", "capacity, %")
AURORA_CONNECTIONS: Final = replace(
    AURORA_CAPACITY, name="DatabaseConnections", title="PostgreSQL connections"
)
AURORA_CPU: Final = replace(
    AURORA_CAPACITY, name="CPUUtilization", statistic="Average", title="CPU, %"
)
"""Of what the cluster has at its most capacity."""

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
DATABASE_CPU: Final = Metric("database", "AWS/RDS", "CPUUtilization", "Average", "CPU, %")
DATABASE_CONNECTIONS: Final = replace(AURORA_CONNECTIONS, subject="database")
DATABASE_STORAGE: Final = replace(
    DATABASE_CPU, name="FreeStorageSpace", statistic="Minimum", title="free storage, bytes"
)
DATABASE_CREDITS_CHARGED: Final = replace(
    DATABASE_CPU, name="CPUSurplusCreditsCharged", statistic="Maximum", title="CPU credits charged"
)

# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
CACHE_MEMORY: Final = Metric(
    "caches", "AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "Maximum", "Valkey memory, %"
)
CACHE_EVICTIONS: Final = replace(CACHE_MEMORY, name="Evictions", statistic="Sum", title="evictions")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
BUCKET_SIZE: Final = Metric(
    "bucket", "AWS/S3", "BucketSizeBytes", "Average", "S3 bucket, bytes", DAY
)

# https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html
SNAPSHOTS_FAILED: Final = Metric(
    "vault", "AWS/Backup", "NumberOfBackupJobsFailed", "Sum", "failed snapshots", 3600
)
SNAPSHOTS_EXPIRED: Final = replace(
    SNAPSHOTS_FAILED, name="NumberOfBackupJobsExpired", title="snapshots not begun"
)
COPIES_FAILED: Final = replace(
    SNAPSHOTS_FAILED,
    subject="copied-vault",
    name="NumberOfCopyJobsFailed",
    title="failed copies",
)


def _completed(subject: str, name: str, title: str) -> Metric:
    return replace(SNAPSHOTS_FAILED, subject=subject, name=name, title=title)


VOLUME_SNAPSHOTS: Final = _completed(
    "volume-snapshots", "NumberOfBackupJobsCompleted", "snapshots of volumes"
)
DATABASE_SNAPSHOTS: Final = replace(
    VOLUME_SNAPSHOTS, subject="database-snapshots", title="snapshots of PostgreSQL"
)
VOLUME_COPIES: Final = _completed("volume-copies", "NumberOfCopyJobsCompleted", "copies of volumes")
DATABASE_COPIES: Final = replace(
    VOLUME_COPIES, subject="database-copies", title="copies of PostgreSQL"
)
"""Each kind of resource by itself: one that is well would hide another that is never copied."""


# Each probe tells the same numbers: no Sum.
WAITING_JOBS: Final = Metric(
    "queues", queue_metrics.NAMESPACE, queue_metrics.WAITING_JOBS, "Maximum", "waiting jobs", 60
)
OLDEST_JOB_AGE: Final = replace(
    WAITING_JOBS, name=queue_metrics.OLDEST_JOB_AGE, title="oldest job of ingestion, s"
)
FAILED_JOBS: Final = replace(WAITING_JOBS, name=queue_metrics.FAILED_JOBS, title="failed jobs")
OTHER_OLDEST_JOB_AGE: Final = replace(
    WAITING_JOBS, name=queue_metrics.OTHER_OLDEST_JOB_AGE, title="oldest job of other queues, s"
)
QUEUE_MEMORY: Final = replace(
    WAITING_JOBS,
    subject="external-redis",
    name=queue_metrics.MEMORY_USED,
    title="Redis memory, bytes",
)


def queue_dimensions(stack: str) -> Mapping[str, str]:
    """What tells the queues of stacks apart. `stack` is the prefix of its names."""
    return {queue_metrics.DIMENSION: stack}


def schedules_run(service: str) -> Metric:
    """Make the number of a scheduled job's runs, by whichever worker of the service: three an hour.

    A log group gives its metrics no dimensions, so the name has to be the stack's own.
    """
    name = f"{service}-schedules"
    return Metric("schedules", WORKER_NAMESPACE, name, "Sum", "scheduled jobs", 3600)


def dropped_rows(service: str) -> Metric:
    """Make the number of times that the workers of a service have given up rows.

    A log group gives its metrics no dimensions, so the name has to be the stack's own.
    """
    name = f"{service}-dropped"
    return Metric("dropped-rows", WORKER_NAMESPACE, name, "Sum", "dropped rows")


def backups_created(component: str) -> Metric:
    """Make the number of ClickHouse's own backups that a ClickHouseBackup has completed.

    A log group gives its metrics no dimensions, so the name has to be the stack's own.
    """
    name = f"{component}-created"
    return Metric(
        "clickhouse-backup", CLICKHOUSE_NAMESPACE, name, "Sum", "ClickHouse backups", 3600
    )
