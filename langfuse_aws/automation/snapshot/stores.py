"""What of a stack can be snapshotted, and by which of AWS's operations. Nothing here deletes.

Each store's own snapshots are taken, which `restore` takes: a job of AWS Backup may wait for an
hour before it runs, and its recovery points are deleted by their vault's rules.
https://docs.aws.amazon.com/aws-backup/latest/devguide/creating-a-backup.html
Each is encrypted as its store is, since no other key is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from langfuse_aws.automation.aws import snapshot_names
from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.restore import backup as own_backup
from langfuse_aws.automation.restore import postgres
from langfuse_aws.components.shared.names import CACHE_SNAPSHOT_LIMIT, DATABASE_SNAPSHOT_LIMIT
from langfuse_aws.graph.resource_types import DB_CLUSTER, DB_INSTANCE, EBS_VOLUME, S3_BUCKET
from langfuse_aws.settings.external_stores import (
    ExternalClickHouse,
    ExternalPostgres,
    ExternalRedis,
)
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.stores import AuroraPostgres

State = Literal["taking", "complete", "failed"]
REPLICATION_GROUP: Final = "aws:elasticache/replicationGroup:ReplicationGroup"


@dataclass(frozen=True)
class Look:
    """How far a snapshot is."""

    state: State
    message: str = ""
    """Such as `42%`; of a failure, AWS's reason."""
    identifier: str = ""
    """If it is known only now."""


class Snapshot(Protocol):
    """One to take."""

    @property
    def store(self) -> str:
        """Whose."""
        ...

    def start(self) -> str:
        """Begin it; gives what AWS calls it."""
        ...

    def look(self, identifier: str) -> Look:
        """Ask how far it is."""
        ...

    def restore(self, identifier: str) -> str:
        """The command that puts the store back."""
        ...


@dataclass(frozen=True)
class NotTaken:
    """A store that nothing is taken of, and what stands for it."""

    store: str
    why: str


@dataclass(frozen=True)
class Occasion:
    """Which snapshots are taken together."""

    deployed: Deployed
    label: str
    moment: datetime
    """UTC."""

    def name(self, most: int) -> str:
        """What AWS calls a snapshot whose name is ours."""
        return snapshot_names.snapshot_name(self.deployed.prefix, self.label, self.moment, most)

    def tags(self, **more: str) -> list[dict[str, str]]:
        """As most of AWS's operations take them."""
        every = {**more, **snapshot_names.tags(self.deployed.prefix, self.label)}
        return [{"Key": key, "Value": value} for key, value in every.items()]

    def command(self, store: str, option: str) -> str:
        """A command of `restore`."""
        return f"{COMMAND} restore {store} --stack {self.deployed.name} {option}"


@dataclass(frozen=True)
class DatabaseSnapshot:
    """Of an Aurora cluster, or of an RDS instance.

    Clients are made beforehand: boto3 makes none safely in threads.
    """

    occasion: Occasion
    rds: Any
    database: str
    aurora: bool
    store: str = "PostgreSQL"

    def start(self) -> str:
        """Begin it."""
        name, tags = self.occasion.name(DATABASE_SNAPSHOT_LIMIT), self.occasion.tags()
        if self.aurora:
            self.rds.create_db_cluster_snapshot(
                DBClusterIdentifier=self.database, DBClusterSnapshotIdentifier=name, Tags=tags
            )
        else:
            self.rds.create_db_snapshot(
                DBInstanceIdentifier=self.database, DBSnapshotIdentifier=name, Tags=tags
            )
        return name

    def look(self, identifier: str) -> Look:
        """Ask RDS."""
        if self.aurora:
            (found,) = self.rds.describe_db_cluster_snapshots(
                DBClusterSnapshotIdentifier=identifier
            )["DBClusterSnapshots"]
        else:
            (found,) = self.rds.describe_db_snapshots(DBSnapshotIdentifier=identifier)[
                "DBSnapshots"
            ]
        if found["Status"] == "available":
            return Look("complete")
        if found["Status"] == "creating":
            return Look("taking", f"{found.get('PercentProgress', 0)}%")
        return Look("failed", f"RDS calls it {found['Status']}.")

    def restore(self, identifier: str) -> str:
        """`restore postgres`."""
        return self.occasion.command("postgres", f"--snapshot {identifier}")


@dataclass(frozen=True)
class CacheSnapshot:
    """Of a node of the cache, a replica if there is one: the primary has enough to do.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/backups-manual.html
    """

    occasion: Occasion
    cache: Any
    group: str
    store: str = "Valkey"

    def start(self) -> str:
        """Begin it."""
        name = self.occasion.name(CACHE_SNAPSHOT_LIMIT)
        (found,) = self.cache.describe_replication_groups(ReplicationGroupId=self.group)[
            "ReplicationGroups"
        ]
        members = [
            member
            for node_group in found.get("NodeGroups", [])
            for member in node_group.get("NodeGroupMembers", [])
        ]
        replicas = [
            each["CacheClusterId"] for each in members if each.get("CurrentRole") == "replica"
        ]
        node = (replicas or found["MemberClusters"])[0]
        self.cache.create_snapshot(
            CacheClusterId=node, SnapshotName=name, Tags=self.occasion.tags()
        )
        return name

    def look(self, identifier: str) -> Look:
        """Ask ElastiCache."""
        (found,) = self.cache.describe_snapshots(SnapshotName=identifier)["Snapshots"]
        status = found["SnapshotStatus"]
        if status == "available":
            return Look("complete")
        if status == "creating":
            return Look("taking")
        return Look("failed", f"ElastiCache calls it {status}.")

    def restore(self, identifier: str) -> str:  # noqa: ARG002
        """`replay`: a lost cache is begun empty, and the events of its jobs are in S3."""
        return (
            f"{COMMAND} replay --stack {self.occasion.deployed.name} "
            f"--since {self.occasion.moment:%Y-%m-%dT%H:%M:%SZ}"
        )


@dataclass(frozen=True)
class VolumeSnapshot:
    """Of the volume of a single ClickHouse server."""

    occasion: Occasion
    ec2: Any
    volume_id: str
    name: str
    """Of the volume; as its tag Name."""
    store: str = "ClickHouse"

    def start(self) -> str:
        """Begin it."""
        answer = self.ec2.create_snapshot(
            VolumeId=self.volume_id,
            Description=f"{self.name} {self.occasion.label}",
            TagSpecifications=[
                {"ResourceType": "snapshot", "Tags": self.occasion.tags(Name=self.name)}
            ],
        )
        return answer["SnapshotId"]

    def look(self, identifier: str) -> Look:
        """Ask EBS."""
        (found,) = self.ec2.describe_snapshots(SnapshotIds=[identifier])["Snapshots"]
        if found["State"] == "completed":
            return Look("complete")
        if found["State"] == "error":
            return Look("failed", found.get("StateMessage") or "EBS gives no reason.")
        return Look("taking", found.get("Progress", ""))

    def restore(self, identifier: str) -> str:
        """`restore clickhouse-volume`."""
        return self.occasion.command("clickhouse-volume", f"--snapshot {identifier}")


@dataclass(frozen=True)
class OwnBackup:
    """ClickHouse's own backup in S3, by the task that makes one each night.

    For three servers: `restore` makes no volumes of snapshots for them, which would disagree.
    """

    occasion: Occasion
    task: OneOffTask
    before: frozenset[str]
    """The names of those that are there already. Their times are of another clock than ours."""
    store: str = "ClickHouse"

    def start(self) -> str:
        """Start the task."""
        self.task.begin()
        return self.task.arn

    def look(self, identifier: str) -> Look:  # noqa: ARG002
        """Ask ECS, and at the end S3 for the name."""
        task = self.task.describe()
        if task["lastStatus"] != "STOPPED":
            return Look("taking", str(task["lastStatus"]).lower())
        try:
            self.task.check_end(task)
        except UserError as error:
            return Look("failed", str(error))
        for each in own_backup.backups(self.occasion.deployed):
            if each.name not in self.before:
                return Look("complete", identifier=each.name)
        return Look("failed", f"the task ended well, and S3 has no new backup. {self.task.log}")

    def restore(self, identifier: str) -> str:
        """`restore clickhouse-backup`."""
        return self.occasion.command("clickhouse-backup", f"--from {identifier} --as restored")


def of_stack(occasion: Occasion) -> tuple[Sequence[Snapshot], Sequence[NotTaken]]:
    """What to take of a stack, and what nothing is taken of. UserError if a store is not there."""
    found = [_postgres(occasion), _clickhouse(occasion), _redis(occasion), _objects(occasion)]
    taken = [each for each in found if not isinstance(each, NotTaken)]
    return taken, [each for each in found if isinstance(each, NotTaken)]


def _postgres(occasion: Occasion) -> Snapshot | NotTaken:
    deployed = occasion.deployed
    settings = deployed.settings.postgres
    if isinstance(settings, ExternalPostgres):
        return NotTaken("PostgreSQL", _external(settings.host))
    aurora = isinstance(settings, AuroraPostgres)
    kind = DB_CLUSTER if aurora else DB_INSTANCE
    database = deployed.resource(kind, f"{deployed.prefix}-postgres")
    return DatabaseSnapshot(occasion, deployed.aws("rds"), postgres.identifier(database), aurora)


def _clickhouse(occasion: Occasion) -> Snapshot | NotTaken:
    deployed = occasion.deployed
    settings = deployed.settings.clickhouse
    if isinstance(settings, ExternalClickHouse):
        return NotTaken("ClickHouse", _external(settings.url))
    if settings.clustered:
        before = frozenset(each.name for each in own_backup.backups(deployed))
        return OwnBackup(occasion, own_backup.task(deployed), before)
    name = f"{deployed.prefix}-clickhouse"
    return VolumeSnapshot(
        occasion, deployed.aws("ec2"), deployed.resource(EBS_VOLUME, name).id, name
    )


def _redis(occasion: Occasion) -> Snapshot | NotTaken:
    deployed = occasion.deployed
    settings = deployed.settings.redis
    if isinstance(settings, ExternalRedis):
        return NotTaken("Redis", _external(settings.host))
    group = deployed.resource(REPLICATION_GROUP, f"{deployed.prefix}-redis")
    return CacheSnapshot(occasion, deployed.aws("elasticache"), group.id)


def _objects(occasion: Occasion) -> NotTaken:
    deployed = occasion.deployed
    bucket = deployed.resource(S3_BUCKET, f"{deployed.prefix}-storage").outputs["bucket"]
    days = deployed.settings.storage.versioning_days
    if days is None:
        return NotTaken(
            "Objects",
            f"s3://{bucket} keeps no versions: what is deleted from now on does not come back. "
            "langfuse:storage.versioningDays keeps them.",
        )
    back = occasion.command(
        "objects", f"--prefix media/ --since {occasion.moment:%Y-%m-%dT%H:%M:%SZ}"
    )
    return NotTaken(
        "Objects",
        f"s3://{bucket} keeps what is deleted or overwritten for {days} days. {back}",
    )


def _external(where: str) -> str:
    return f"external, at {where}: a snapshot of it is yours to take, before you go on."
