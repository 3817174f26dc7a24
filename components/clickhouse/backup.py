"""Creates ClickHouse's own backups: a bucket, and a daily task that has the servers write to it.

A full backup in each ISO week, and incremental ones on the other days. They can be read by another
ClickHouse, in another zone or account, which snapshots of a volume cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.clickhouse.config import CLUSTER
from langfuse_aws.components.environment import Environment
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.runtime.task import (
    UNUSED_BY_CLICKHOUSE,
    FargateTaskArgs,
    fargate_task,
    run_task_statements,
)
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.bucket import expire_objects, private_bucket
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import (
    CLICKHOUSE_NAMESPACE,
    MetricDimensions,
    backups_created,
)
from langfuse_aws.components.shared.security_groups import IngressRule
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.settings.hours import Hours

CONTAINER: Final = "backup"
FOLDER: Final = "clickhouse"

SCHEDULE: Final = "cron(30 2 * * ? *)"
"""Daily, UTC; in the night of Europe and the Americas. A stack that sleeps then has another."""
WINDOW_MINUTES: Final = 30
RETRIES: Final = 3

SUCCESS_PATTERN: Final = '"BACKUP_CREATED" -"did not answer"'
"""What the log says of a backup that is complete, and the script does not say of any other.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"""

CPU_UNITS: Final = 256
MEMORY_MIB: Final = 512
"""Fargate's least: the task only waits, the servers work."""

WEEK_DAYS: Final = 7
"""An incremental backup needs the full one of its week, which is up to a week older."""

_SCRIPT: Final = Path(__file__).with_name("backup.sh")


@dataclass(frozen=True)
class BackupBucket:
    """Where backups are."""

    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    """Folder of all backups: https, host and path, without a slash at the end."""


@dataclass(frozen=True)
class ClickHouseBackupArgs:
    """What the backups are made from."""

    log_retention_days: int
    location: Location
    network: Network
    cluster: Cluster
    url: pulumi.Output[str]
    host: str
    user: str
    password: SecretReference
    image: ContainerImage
    replicated: bool
    ingress_rules: Mapping[str, IngressRule]
    hours: Hours | None
    """When the stack is awake; None: always."""


class ClickHouseBackup(pulumi.ComponentResource):
    """The schedule and its task. The task also restores: see docs/operations.md."""

    log_group_name: pulumi.Output[str]
    """Name of the task's log group."""
    metric_dimensions: MetricDimensions
    """That CloudWatch counts the backups."""

    def __init__(
        self, name: str, args: ClickHouseBackupArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ClickHouseBackup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        task = fargate_task(
            name,
            FargateTaskArgs(
                description="ClickHouse backup",
                container=CONTAINER,
                image=args.image,
                cpu=CPU_UNITS,
                memory=MEMORY_MIB,
                environment=Environment(
                    plain={
                        "CLICKHOUSE_HOST": args.host,
                        "CLICKHOUSE_USER": args.user,
                        "BACKUP_URL": args.url,
                        "BACKUP_ON_CLUSTER": f"ON CLUSTER {CLUSTER}" if args.replicated else "",
                    },
                    secret={"CLICKHOUSE_PASSWORD": args.password},
                ),
                ingress_rules=args.ingress_rules,
                location=args.location,
                network=args.network,
                log_retention_days=args.log_retention_days,
                without=UNUSED_BY_CLICKHOUSE,
                # The client keeps a history of what is typed, and of no query that it is given:
                # https://github.com/ClickHouse/ClickHouse/blob/master/src/Client/ClientBase.cpp
                read_only=True,
                more={
                    "entryPoint": ["/bin/bash", "-euc"],
                    "command": [_SCRIPT.read_text(encoding="utf-8")],
                },
            ),
            child,
        )
        self.log_group_name = task.log_group_name
        aws.cloudwatch.LogMetricFilter(
            name,
            log_group_name=task.log_group_name,
            pattern=SUCCESS_PATTERN,
            metric_transformation={
                "namespace": CLICKHOUSE_NAMESPACE,
                "name": backups_created(name).name,
                "value": "1",
            },
            opts=child,
        )
        # The metric has a name of the stack's own, and no dimensions.
        self.metric_dimensions = {"clickhouse-backup": [{}]}
        scheduler = iam.service_role(
            f"{name}-scheduler",
            "scheduler.amazonaws.com",
            run_task_statements(task.family_arns, task.role_arns, args.cluster),
            args.location,
            opts=child,
        )
        aws.scheduler.Schedule(
            name,
            description=f"Daily backup of {name}",
            schedule_expression=args.hours.backup.cron if args.hours else SCHEDULE,
            schedule_expression_timezone=args.hours.timezone if args.hours else "UTC",
            flexible_time_window={
                "mode": "FLEXIBLE",
                "maximum_window_in_minutes": WINDOW_MINUTES,
            },
            target={
                "arn": args.cluster.arn,
                "role_arn": scheduler.arn,
                "ecs_parameters": {
                    "task_definition_arn": task.arn,
                    "launch_type": "FARGATE",
                    "platform_version": "LATEST",
                    "propagate_tags": "TASK_DEFINITION",
                    "task_count": 1,
                    "network_configuration": {
                        "subnets": args.network.task_subnet_ids,
                        "security_groups": [task.group_id],
                        "assign_public_ip": args.network.public_tasks,
                    },
                },
                "retry_policy": {"maximum_retry_attempts": RETRIES},
            },
            opts=child,
        )
        self.register_outputs({"logGroupName": self.log_group_name})


def backup_bucket(
    name: str,
    retention_days: int,
    *,
    protected: bool,
    access_logs: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> BackupBucket:
    """Make the bucket of the backups, where each can be restored for `retention_days`.

    It is not Langfuse's: web and worker can neither read nor delete a backup.
    """
    label = f"{name}-backups"
    bucket = private_bucket(
        label, protected=protected, key_arn=None, access_logs=access_logs, opts=opts
    )
    expire_objects(bucket, label, "expire-backups", retention_days + WEEK_DAYS, opts)
    url = pulumi.Output.all(bucket.domain_name, bucket.name).apply(
        lambda values: f"https://{values[0]}/{FOLDER}"
    )
    return BackupBucket(bucket.arn, url)
