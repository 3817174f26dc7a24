"""Prices PostgreSQL, Valkey, buckets and backups."""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.cost.charge import Charge, Context
from langfuse_aws.cost.hours import database_hours
from langfuse_aws.cost.inputs import section, sections
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import DB_CLUSTER, S3_BUCKET

SERVERLESS: Final = "db.serverless"
LEAST_ACU: Final = 0.5
"""A cluster that may pause at 0 does not: health checks query it."""

STORAGE: Final = "langfuse:index:Storage"
ACCESS_LOGS: Final = "langfuse:index:AccessLogs"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
DAYS: Final = 30
"""Of a month."""


def cluster_instance(resource: Resource, context: Context) -> Iterator[Charge]:
    """A writer or reader of Aurora Serverless at its least capacity."""
    (cluster,) = context.graph.origins(resource, "clusterIdentifier", DB_CLUSTER)
    hours = database_hours(cluster, context)
    if resource.inputs["instanceClass"] != SERVERLESS:
        kind = resource.inputs["instanceClass"]
        yield context.by_hour(f"Aurora {kind}", f"Aurora {kind}", hours=hours)
        return
    least = cluster.inputs["serverlessv2ScalingConfiguration"]["minCapacity"]
    acus, usd = max(float(least), LEAST_ACU), context.prices["Aurora Serverless v2"]
    yield Charge(
        "Aurora Serverless v2 at its least",
        f"{acus:g} ACU × {usd:g} × {hours:.4g} h",  # noqa: RUF001
        acus * usd * hours,
        ("Aurora Serverless v2",),
    )


def database(resource: Resource, context: Context) -> Iterator[Charge]:
    """An RDS instance with its storage; its backups are free up to the size of the storage."""
    kind, storage = resource.inputs["instanceClass"], resource.inputs["storageType"]
    yield context.by_hour(f"RDS {kind}", f"RDS {kind}", hours=database_hours(resource, context))
    gib = float(resource.inputs["allocatedStorage"])
    yield context.by_month("RDS storage", f"RDS {storage}", gib, " GiB")


def cache(resource: Resource, context: Context) -> Iterator[Charge]:
    """The nodes of a Valkey."""
    kind, engine = resource.inputs["nodeType"], str(resource.inputs["engine"]).capitalize()
    nodes = int(resource.inputs["numCacheClusters"])
    yield context.by_hour(f"{engine} {kind}", f"{engine} {kind}", nodes)


def bucket(resource: Resource, context: Context) -> Iterator[Charge]:
    """What events cost in S3: their objects, the copies of ClickHouse's data, or access logs."""
    usage = context.usage
    components = {each.type for each in context.graph.components(resource)}
    if ACCESS_LOGS in components:
        kept = usage.access_log_gb * _expiry(resource, context) / DAYS
        yield from context.by_use("Access logs", "S3 storage", kept, "GB")
        return
    if STORAGE not in components:
        copies = usage.clickhouse_gb * usage.backup_copies
        yield from context.by_use("ClickHouse's backups", "S3 storage", copies, "GB")
        return
    written = usage.events_per_month * usage.writes_per_event / 1000
    read = usage.events_per_month * usage.reads_per_event / 1000
    yield from context.by_use("Objects written", "S3 writes", written, "thousand")
    yield from context.by_use("Objects read", "S3 reads", read, "thousand")
    yield from context.by_use("Stored events", "S3 storage", usage.stored_gb, "GB")


def _expiry(bucket: Resource, context: Context) -> float:
    """Days after which the objects of a bucket expire."""
    return max(
        float(section(rule, "expiration").get("days") or 0)
        for lifecycle in context.graph.of_type(LIFECYCLE)
        if bucket in context.graph.origins(lifecycle, "bucket", S3_BUCKET)
        for rule in sections(lifecycle.inputs, "rules")
    )


def vault(_: Resource, context: Context) -> Iterator[Charge]:
    """Snapshots of the ClickHouse volumes; only changed blocks add to the first."""
    gigabytes = context.usage.clickhouse_gb
    yield from context.by_use("Volume snapshots", "EBS snapshot", gigabytes, "GB")
