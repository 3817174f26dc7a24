"""The sections of the stores: `clickhouse`, `postgres`, `redis` and `storage`.

Stores that exist already are in settings.external_stores.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from langfuse_aws.settings.capacity import AURORA_MAXIMUM_ACU, AURORA_STEP_ACU, graviton_memory_gib
from langfuse_aws.settings.connections import Connections
from langfuse_aws.settings.external_stores import (
    ExternalClickHouse,
    ExternalPostgres,
    ExternalRedis,
)
from langfuse_aws.settings.section import Form, Section, invalid

CLICKHOUSE_MINIMUM_MEMORY_GIB: Final = 4.0
"""Below it ClickHouse is killed during merges; Langfuse's own recommendation is 8 GiB."""

MAXIMUM_RETENTION_DAYS: Final = 35
"""AWS keeps automated backups of RDS and Aurora for 35 days at the most."""

BackupRetentionDays = Annotated[
    int,
    Field(ge=1, le=MAXIMUM_RETENTION_DAYS, description="Days of point-in-time recovery, 1 to 35"),
]


SnapshotId = Annotated[
    str,
    Form(
        r"^snap-[0-9a-f]{8,17}$",
        "must be the ID of an EBS snapshot, such as snap-0123456789abcdef0",
        "see aws ec2 describe-snapshots --owner-ids self, which shows the IDs",
    ),
]


class ClickHouseOnEc2(Section):
    """ClickHouse as an ECS service on an instance and a volume of its own."""

    mode: Literal["ec2"] = Field(description="Where ClickHouse runs")
    replicas: Literal[1, 3] = Field(
        1, description="ClickHouse servers, each in a zone of its own with the whole data"
    )
    instance_type: str = Field(description="A Graviton instance type of 4 GiB or more")
    volume_gib: int = Field(ge=20, le=16_384, description="Size of a gp3 data volume, GiB")
    backup_retention_days: int = Field(
        ge=1, le=365, description="Days that ClickHouse's own backups in S3 can be restored"
    )
    snapshot_id: SnapshotId | None = Field(
        None, description="EBS snapshot that new data volumes begin with; see docs/operations.md"
    )

    @field_validator("instance_type")
    @classmethod
    def _instance_type(cls, value: str) -> str:
        memory = graviton_memory_gib(value)
        if memory is None or memory < CLICKHOUSE_MINIMUM_MEMORY_GIB:
            raise invalid(
                "must be a Graviton instance type (t4g, c6g to c8g, m6g to m8g, r6g to r8g) with "
                f"{CLICKHOUSE_MINIMUM_MEMORY_GIB:.0f} GiB of memory or more",
                "t4g.medium is the smallest, r7g.large has 16 GiB",
            )
        return value

    @property
    def clustered(self) -> bool:
        """Whether the tables are replicated ones, in a cluster named `default`."""
        return self.replicas > 1

    @property
    def memory_gib(self) -> float:
        """Memory of the instance."""
        return graviton_memory_gib(self.instance_type) or CLICKHOUSE_MINIMUM_MEMORY_GIB


SnapshotIdentifier = Annotated[
    Annotated[
        str,
        Form(
            r"^[A-Za-z][A-Za-z0-9:-]{0,1010}$",
            "must be the name or the ARN of an RDS snapshot",
            "see aws rds describe-db-snapshots, or describe-db-cluster-snapshots",
        ),
    ]
    | None,
    Field(
        description="Snapshot that a new database begins with; see docs/operations.md",
    ),
]


class AuroraPostgres(Connections):
    """Aurora PostgreSQL Serverless v2."""

    mode: Literal["auroraServerless"] = Field(description="Which PostgreSQL")
    min_acu: float = Field(ge=0, le=AURORA_MAXIMUM_ACU, description="Least capacity, ACU")
    max_acu: float = Field(ge=1, le=AURORA_MAXIMUM_ACU, description="Most capacity, ACU")
    instances: int = Field(ge=1, le=16, description="Writer and readers together")
    backup_retention_days: BackupRetentionDays
    snapshot_identifier: SnapshotIdentifier = None

    @property
    def pauses(self) -> bool:
        """Whether Aurora pauses while nobody is connected."""
        return self.min_acu == 0

    @field_validator("min_acu", "max_acu")
    @classmethod
    def _steps(cls, value: float) -> float:
        if value % AURORA_STEP_ACU:
            raise invalid("Aurora scales in steps of 0.5 ACU, from 0 to 256", "round it to 0.5")
        return value

    @field_validator("max_acu")
    @classmethod
    def _max_acu(cls, value: float, info: ValidationInfo) -> float:
        least = info.data.get("min_acu")
        if least is not None and value < least:
            raise invalid(f"must be at least minAcu, which is {least}", "raise it, or lower minAcu")
        return value


class PostgresInstance(Connections):
    """One RDS for PostgreSQL instance in one zone, for the smallest stacks."""

    mode: Literal["instance"] = Field(description="Which PostgreSQL")
    instance_class: Annotated[
        str,
        Form(
            r"^db\.[a-z0-9]+\.[a-z0-9]+$",
            "must be an RDS instance class, db.FAMILY.SIZE",
            "db.t4g.micro is the smallest",
        ),
    ] = Field(description="RDS instance class")
    backup_retention_days: BackupRetentionDays
    snapshot_identifier: SnapshotIdentifier = None


Postgres = Annotated[
    AuroraPostgres | PostgresInstance | ExternalPostgres, Field(discriminator="mode")
]
ClickHouse = Annotated[ClickHouseOnEc2 | ExternalClickHouse, Field(discriminator="mode")]


class ElastiCacheRedis(Section):
    """ElastiCache for Valkey, node-based, cluster mode off."""

    mode: Literal["elasticache"] = Field(description="Where Redis runs")
    node_type: Annotated[
        str,
        Form(
            r"^cache\.[a-z0-9]+\.[a-z0-9]+$",
            "must be an ElastiCache node type, cache.FAMILY.SIZE",
            "cache.t4g.micro is the smallest",
        ),
    ] = Field(description="ElastiCache node type")
    replicas: int = Field(
        ge=0, le=5, description="Replicas; with one or more, failover is automatic"
    )

    @field_validator("node_type")
    @classmethod
    def _node_type(cls, value: str) -> str:
        # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/data-tiering.html
        if value.split(".")[1].endswith("gd"):
            raise invalid(
                "must not be a node type with data tiering, which keeps values on a local disk",
                f"{value.replace('gd.', 'g.')} has the same memory",
            )
        return value


Redis = Annotated[ElastiCacheRedis | ExternalRedis, Field(discriminator="mode")]


MOST_DAYS: Final = 2**31 - 1
"""Of S3's lifecycle rules: a number of 32 bits.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleExpiration.html"""


class Storage(Section):
    """The S3 bucket."""

    events_retention_days: int | None = Field(
        None,
        ge=7,
        le=MOST_DAYS,
        description="Days until raw events expire; not set: kept. Media never expires",
    )
    versioning_days: int | None = Field(
        ge=1,
        le=MOST_DAYS,
        description="Days that deleted and overwritten objects can be had back; not set: none",
    )
    kms: bool = Field(
        False,
        description="Encrypt with a KMS key of the bucket's own instead of SSE-S3; with "
        "`encryption`, keep that key for what it has encrypted",
    )
