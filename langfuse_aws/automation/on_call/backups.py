"""Findings on backups: the last good one of each store, and how old it is."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from langfuse_aws.automation.hours.before_destroy import STOPPED
from langfuse_aws.automation.on_call.findings import Finding, Reading, age, iso, now
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.components.observability.alarm_clickhouse import BACKUP_HOURS, DAY_HOURS
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import DB_CLUSTER, DB_INSTANCE, EBS_VOLUME, S3_BUCKET
from langfuse_aws.settings.hours import DAY_MINUTES

SECTION: Final = "backups"
VAULT: Final = "aws:backup/vault:Vault"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"

LOOKED_BACK: Final = timedelta(days=8)
"""How far recovery points are looked for: a week, and a day of grace."""
DAILY: Final = timedelta(hours=BACKUP_HOURS)
"""As old as the newest of a daily backup may be, as the alarms have it."""
CONTINUOUS: Final = timedelta(hours=1)
"""As old as PostgreSQL's latest restorable time may be; RDS writes its log away every 5 minutes.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html"""
LONGEST_SLEEP: Final = timedelta(days=7)
"""AWS starts a database that was stopped for a week.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html"""
COMPLETED: Final = ("COMPLETED", "AVAILABLE")
BROKEN: Final = ("failed", "inaccessible", "incompatible", "stopped", "storage-full")
"""What RDS's status begins with of a database that does not serve.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html"""


def backup_readings(stack: RunningStack) -> Iterator[Reading]:
    """One of each kind of backup that the stack has."""
    vaults = [each for each in stack.of_type(VAULT) if stack.part(each) == "backups"]
    for volume in stack.of_type(EBS_VOLUME) if vaults else ():
        subject = f"{stack.part(volume)} snapshot"
        yield Reading(SECTION, subject, partial(_volume, stack, vaults[0], volume, subject))
    if any(stack.part(each) == "clickhouse-backups" for each in stack.of_type(S3_BUCKET)):
        yield Reading(SECTION, "clickhouse backup", partial(_clickhouse, stack))
    for token in (DB_CLUSTER, DB_INSTANCE):
        for database in stack.of_type(token):
            yield Reading(SECTION, stack.part(database), partial(_database, stack, database))
    for cache in stack.of_type(CACHE):
        yield Reading(SECTION, stack.part(cache), partial(_cache, stack, cache))


def _volume(
    stack: RunningStack, vault: Resource, volume: Resource, subject: str
) -> Iterator[Finding]:
    pages = (
        stack.aws("backup")
        .get_paginator("list_recovery_points_by_backup_vault")
        .paginate(
            BackupVaultName=vault.outputs["name"],
            ByResourceArn=volume.outputs["arn"],
            ByCreatedAfter=now() - LOOKED_BACK,
        )
    )
    good = [
        each["CreationDate"]
        for page in pages
        for each in page["RecoveryPoints"]
        if each["Status"] in COMPLETED
    ]
    yield _aged(subject, max(good, default=None), DAILY, "No snapshot", "snapshot of AWS Backup")


def _clickhouse(stack: RunningStack) -> Iterator[Finding]:
    # It loads the component, with all of pulumi_aws, which takes longer than AWS's answers.
    from langfuse_aws.automation.restore import backup as clickhouse_backup

    found = clickhouse_backup.backups(stack.deployed)
    newest = found[0].completed if found else None
    kind = f"{found[0].kind} backup {found[0].name}" if found else "backup"
    hours = stack.deployed.settings.hours
    more = timedelta(hours=hours.backup_hours - DAY_HOURS if hours else 0)
    yield _aged("clickhouse backup", newest, DAILY + more, "No ClickHouse backup", kind)


def _database(stack: RunningStack, database: Resource) -> Iterator[Finding]:
    rds, subject = stack.aws("rds"), stack.part(database)
    if database.type == DB_CLUSTER:
        kind, name = "db-cluster", database.outputs["clusterIdentifier"]
        (found,) = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
        status = found["Status"]
    else:
        kind, name = "db-instance", database.outputs["identifier"]
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        status = found["DBInstanceStatus"]
    latest = found.get("LatestRestorableTime")
    sleeps = stack.asleep is not None and status in STOPPED
    # What a database that is stopped may be restored to does not grow older.
    most = LONGEST_SLEEP if sleeps else CONTINUOUS
    finding = _aged(subject, latest, most, "Snapshots", "restorable up to then")
    broken = status.startswith(BROKEN) and not sleeps
    yield Finding(
        SECTION,
        subject,
        "wrong" if broken else finding.state,
        f"{status}{' while it is asleep' if sleeps else ''}; {finding.text}",
        # Of the last hour, unless RDS is asked for more.
        f"Its events of a day say why: aws rds describe-events --source-type {kind} "
        f"--source-identifier {name} --duration {DAY_MINUTES}."
        if broken
        else finding.remedy,
        {**finding.facts, "status": status, "retention_days": found.get("BackupRetentionPeriod")},
    )


def _cache(stack: RunningStack, cache: Resource) -> Iterator[Finding]:
    # With cluster mode off, a snapshot is of a node, and names no replication group:
    # https://docs.aws.amazon.com/cli/latest/reference/elasticache/describe-snapshots.html#examples
    pages = stack.aws("elasticache").get_paginator("describe_snapshots")
    taken: list[datetime] = [
        node["SnapshotCreateTime"]
        for member in cache.outputs["memberClusters"]
        for page in pages.paginate(CacheClusterId=member)
        for each in page["Snapshots"]
        if each["SnapshotStatus"] == "available"
        for node in each.get("NodeSnapshots", [])
        if node.get("SnapshotCreateTime")
    ]
    yield _aged(stack.part(cache), max(taken, default=None), DAILY, "Snapshots", "snapshot")


def _aged(
    subject: str, taken: datetime | None, most: timedelta, runbook: str, what: str
) -> Finding:
    anchor = runbook.lower().replace(" ", "-")
    remedy = f"docs/operations.md#{anchor}"
    facts: dict[str, Any] = {
        "taken_at": iso(taken) if taken else None,
        "age_seconds": int((now() - taken).total_seconds()) if taken else None,
        "oldest_seconds": int(most.total_seconds()),
    }
    if taken is None:
        return Finding(SECTION, subject, "wrong", f"no good {what}", remedy, facts)
    old = now() - taken
    text = f"{age(old.total_seconds())} old: {what}"
    if old <= most:
        return Finding(SECTION, subject, "ok", text, facts=facts)
    limit = age(most.total_seconds())
    return Finding(SECTION, subject, "wrong", f"{text}, and {limit} is the most", remedy, facts)
