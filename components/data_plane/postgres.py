"""Creates PostgreSQL: Aurora Serverless v2, or one RDS instance for the smallest stacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.protection.backups import BackedUpDatabase
from langfuse_aws.components.protection.snapshots import (
    DATABASE,
    INSTANCE_STORAGE_GIB,
    INSTANCE_STORAGE_LIMIT_GIB,
    ROTATION_USER,
    USER,
    database_snapshot,
    final_snapshot_name,
    only_without,
)
from langfuse_aws.components.shared.hours import schedule_database
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.security_groups import IngressRule, security_group
from langfuse_aws.components.shared.stored_secret import (
    SecretReference,
    StoredSecret,
    StoredSecretArgs,
    external_password,
)
from langfuse_aws.components.shared.versioned_password import versioned_password
from langfuse_aws.contract.ports_and_health import POSTGRES_PORT
from langfuse_aws.settings.external_stores import ExternalPostgres
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.rotation import Rotated
from langfuse_aws.settings.stores import AuroraPostgres, PostgresInstance
from langfuse_aws.settings.versions import POSTGRES_MAJOR

PASSWORD_LENGTH: Final = 32

FORCE_TLS: Final = {"name": "rds.force_ssl", "value": "1"}
"""The only one: a parameter that is given the value that it has without, as UTC is the time zone,
is told by RDS with another method than it was given, and so changed again by every update.
https://github.com/hashicorp/terraform-provider-aws/issues/39252"""

FORCE_TLS_AS_USUAL: Final = {**FORCE_TLS, "apply_method": "pending-reboot"}
"""With the method that RDS tells of it where it is 1 already, as in an instance of PostgreSQL 15 or
later. Aurora begins with it at 17.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html"""

INSIGHTS_DAYS: Final = 7
"""How long Database Insights keeps what sessions waited for, for nothing.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PerfInsights.Overview.cost.html"""

INSIGHTS_LEAST_ACU: Final = 2
"""Below it Aurora Serverless v2 has no memory to spare for Database Insights, and 1.5 ACU more are
130 USD a month. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html"""

INSIGHTS: Final[Mapping[str, Any]] = {
    "performance_insights_enabled": True,
    "performance_insights_retention_period": INSIGHTS_DAYS,
}
"""Every instance class of RDS for PostgreSQL bears it, db.t4g.micro too.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DatabaseInsights.Engines.html"""


@dataclass(frozen=True)
class PostgresArgs:
    """What the database is made from."""

    settings: AuroraPostgres | PostgresInstance | ExternalPostgres
    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    protected: bool
    replaceable: bool
    """Whether this update may replace the database."""
    password: pulumi.Output[str] | None
    """Of an external database."""
    location: Location
    hours: Hours | None
    """When it runs; None: always."""
    rotation: Rotated


class Postgres(pulumi.ComponentResource):
    """The database, its security group and its password."""

    host: pulumi.Output[str]
    """`name:port` of the writer, known once the writer serves."""
    user: str
    """The owner."""
    services_user: str
    """Whom web and worker connect as."""
    database: str
    backed_up: BackedUpDatabase | None
    """What AWS Backup can copy; None if the database is external."""
    identity: pulumi.Output[str]
    """AWS's own ID of the database: another one is another database."""
    password: SecretReference
    """Of both users."""
    ingress_rules: dict[str, IngressRule]
    """Where consumers are let in."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the database; nothing if it is external."""

    def __init__(
        self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Postgres", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        if isinstance(args.settings, ExternalPostgres):
            self._adopt(name, args.settings, args, child)
        else:
            self._create(name, args.settings, args, child)
        self.register_outputs({"host": self.host})

    def _adopt(
        self,
        name: str,
        settings: ExternalPostgres,
        args: PostgresArgs,
        child: pulumi.ResourceOptions,
    ) -> None:
        self.host = pulumi.Output.from_input(f"{settings.host}:{settings.port}")
        self.user, self.database = settings.user, settings.database
        self.services_user = self.user
        self.identity, self.backed_up, self.ingress_rules = self.host, None, {}
        self.metric_dimensions = {}
        self.password = external_password(name, "password", args.password, args.protected, child)

    def _create(
        self,
        name: str,
        settings: AuroraPostgres | PostgresInstance,
        args: PostgresArgs,
        child: pulumi.ResourceOptions,
    ) -> None:
        self.user, self.database = USER, DATABASE
        self.services_user = ROTATION_USER if args.rotation.begun else self.user
        kept = pulumi.ResourceOptions(parent=self, protect=args.protected)
        group = security_group(name, "PostgreSQL", args.vpc_id, opts=child)
        self.ingress_rules = {"postgres": IngressRule(group.id, POSTGRES_PORT)}
        password = versioned_password(
            f"{name}-password", "password", args.rotation.version, PASSWORD_LENGTH, kept
        )
        secret = StoredSecret(
            f"{name}-credentials",
            StoredSecretArgs("PostgreSQL", password.values, args.protected),
            child,
        )
        self.password = secret.reference(password.key)
        subnets = aws.rds.SubnetGroup(name, subnet_ids=args.subnet_ids, opts=child)
        common: dict[str, Any] = {
            "db_subnet_group_name": subnets.name,
            "vpc_security_group_ids": [group.id],
            "port": POSTGRES_PORT,
            "storage_encrypted": True,
            # Allowed, and no more: the user must be let by rds_iam in SQL.
            "iam_database_authentication_enabled": True,
            "backup_retention_period": settings.backup_retention_days,
            "copy_tags_to_snapshot": True,
            "delete_automated_backups": not args.protected,
            "deletion_protection": args.protected,
            "skip_final_snapshot": not args.protected,
            "final_snapshot_identifier": final_snapshot_name(
                name, replaceable=args.replaceable, opts=child
            ),
            "snapshot_identifier": settings.snapshot_identifier,
            "apply_immediately": True,
        }
        if args.hours is not None:
            prefix = "preferred_" if isinstance(settings, AuroraPostgres) else ""
            common[f"{prefix}backup_window"] = args.hours.backup_window
            common[f"{prefix}maintenance_window"] = args.hours.maintenance_window
        if isinstance(settings, AuroraPostgres):
            made = _aurora(name, settings, password.current, common, child, kept)
        else:
            made = _instance(name, settings, password.current, common, child, kept)
        self.host, self.identity = made.host, made.identity
        self.backed_up, self.metric_dimensions = made.backed_up, made.metric_dimensions
        schedule_database(
            name, made.kind, made.identifier, made.backed_up.arn, args.hours, args.location, child
        )


class Database(NamedTuple):
    """A database as consumers, the migration, AWS Backup and CloudWatch know it."""

    host: pulumi.Output[str]
    identity: pulumi.Output[str]
    backed_up: BackedUpDatabase
    metric_dimensions: MetricDimensions
    kind: Literal["DBInstance", "DBCluster"]
    """RDS's word for it."""
    identifier: pulumi.Output[str]


class Beginning(NamedTuple):
    """What a database is made with once, and has changed by itself ever since."""

    engine_version: str
    storage_gib: int
    opts: pulumi.ResourceOptions


def _beginning(
    name: str,
    settings: AuroraPostgres | PostgresInstance,
    engine: str,
    opts: pulumi.ResourceOptions,
) -> Beginning:
    """Have a database begin empty, or as its snapshot: RDS lowers neither version nor storage."""
    if settings.snapshot_identifier is None:
        return Beginning(POSTGRES_MAJOR, INSTANCE_STORAGE_GIB, opts)
    snapshot, obstacle = database_snapshot(
        settings.snapshot_identifier, engine, opts.parent, pauses=settings.pauses
    )
    refusing = pulumi.ResourceOptions(hooks=only_without(name, obstacle))
    return Beginning(
        snapshot.engine_version if snapshot else POSTGRES_MAJOR,
        max(INSTANCE_STORAGE_GIB, snapshot.storage_gib if snapshot else 0),
        pulumi.ResourceOptions.merge(opts, refusing),
    )


def _host(
    name: str,
    address: pulumi.Output[str],
    user: pulumi.Output[str],
    database: pulumi.Output[str],
) -> pulumi.Output[str]:
    """Give `address:port`, unless the database began with a snapshot of somebody else's.

    RDS tells the owner and the database of what it has made; of a snapshot, the provider does not.
    """

    def check(values: Sequence[Any]) -> str:
        found, wanted = values[1:], [USER, DATABASE]
        if [each or its for each, its in zip(found, wanted, strict=True)] != wanted:
            raise pulumi.RunError(
                f"{name}: has the master user {found[0]} and the database {found[1]}, as its "
                f"snapshot had, and Langfuse's are {USER} and {DATABASE}. Nothing uses it yet. "
                f"Restore another snapshot ({COMMAND} restore postgres); a database that "
                "it was to take the place of is still there, and can be snapshotted."
            )
        return f"{values[0]}:{POSTGRES_PORT}"

    return pulumi.Output.all(address, user, database).apply(check)


def _aurora(
    name: str,
    settings: AuroraPostgres,
    password: pulumi.Output[str],
    common: dict[str, Any],
    child: pulumi.ResourceOptions,
    kept: pulumi.ResourceOptions,
) -> Database:
    parameters = aws.rds.ClusterParameterGroup(
        name,
        family=f"aurora-postgresql{POSTGRES_MAJOR}",
        parameters=[aws.rds.ClusterParameterGroupParameterArgs(**FORCE_TLS)],
        opts=child,
    )
    engine = "aurora-postgresql"
    begins = _beginning(name, settings, engine, kept)
    cluster = aws.rds.Cluster(
        name,
        # Without it AWS's provider makes up a name that says nothing.
        cluster_identifier_prefix=f"{name}-",
        engine=engine,
        engine_version=begins.engine_version,
        engine_mode="provisioned",
        database_name=DATABASE,
        master_username=USER,
        master_password=password,
        db_cluster_parameter_group_name=parameters.name,
        serverlessv2_scaling_configuration={
            "min_capacity": settings.min_acu,
            "max_capacity": settings.max_acu,
        },
        **common,
        opts=begins.opts,
    )
    instances = [
        aws.rds.ClusterInstance(
            f"{name}-{index}",
            identifier_prefix=f"{name}-{index}-",
            cluster_identifier=cluster.id,
            engine=aws.rds.EngineType.AURORA_POSTGRESQL,
            instance_class="db.serverless",
            db_subnet_group_name=common["db_subnet_group_name"],
            # Readers of tier 0 and 1 keep the writer's capacity, so failover finds it warm.
            promotion_tier=min(index - 1, 1),
            # An instance has a window of its own, in the night if AWS chooses it.
            preferred_maintenance_window=common.get("preferred_maintenance_window"),
            # Not False: RDS refuses how the provider switches it off. With a lower minAcu it stays.
            # https://github.com/hashicorp/terraform-provider-aws/pull/49376
            **(INSIGHTS if settings.min_acu >= INSIGHTS_LEAST_ACU else {}),
            auto_minor_version_upgrade=True,
            publicly_accessible=False,
            apply_immediately=True,
            # The data is the cluster's: readers may come and go.
            opts=child,
        )
        for index in range(1, settings.instances + 1)
    ]
    ready = pulumi.Output.all(*(instance.id for instance in instances))
    endpoint = ready.apply(lambda _: cluster.endpoint)
    host = _host(name, endpoint, cluster.master_username, cluster.database_name)
    return Database(
        host=host,
        identity=cluster.cluster_resource_id,
        backed_up=BackedUpDatabase(cluster.arn, "Aurora"),
        metric_dimensions={"aurora": [{"DBClusterIdentifier": cluster.cluster_identifier}]},
        kind="DBCluster",
        # Its instances stop and start with it.
        identifier=ready.apply(lambda _: cluster.cluster_identifier),
    )


def _instance(
    name: str,
    settings: PostgresInstance,
    password: pulumi.Output[str],
    common: dict[str, Any],
    child: pulumi.ResourceOptions,
    kept: pulumi.ResourceOptions,
) -> Database:
    parameters = aws.rds.ParameterGroup(
        name,
        family=f"postgres{POSTGRES_MAJOR}",
        parameters=[aws.rds.ParameterGroupParameterArgs(**FORCE_TLS_AS_USUAL)],
        opts=child,
    )
    engine = "postgres"
    begins = _beginning(name, settings, engine, kept)
    instance = aws.rds.Instance(
        name,
        engine=engine,
        engine_version=begins.engine_version,
        instance_class=settings.instance_class,
        allocated_storage=begins.storage_gib,
        max_allocated_storage=INSTANCE_STORAGE_LIMIT_GIB,
        storage_type="gp3",
        db_name=DATABASE,
        username=USER,
        password=password,
        parameter_group_name=parameters.name,
        publicly_accessible=False,
        auto_minor_version_upgrade=True,
        **INSIGHTS,
        **common,
        opts=begins.opts,
    )
    host = _host(name, instance.address, instance.username, instance.db_name)
    windows = [instance.backup_window, instance.maintenance_window]
    return Database(
        host=host,
        identity=instance.resource_id,
        backed_up=BackedUpDatabase(instance.arn, "RDS", windows),
        metric_dimensions={"database": [{"DBInstanceIdentifier": instance.identifier}]},
        kind="DBInstance",
        identifier=instance.identifier,
    )
