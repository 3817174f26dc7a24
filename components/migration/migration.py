"""Migrates the databases before web and worker move: one ECS task, started and watched by a Lambda.

With `langfuse:bootstrap` the task then starts web once, which makes the first project. Why not in
web's own start: docs/adr/0007-migration-gate.md and 0018-first-start-in-the-migration.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components import environment
from langfuse_aws.components.runtime.task import (
    FargateTaskArgs,
    fargate_task,
    run_task_statements,
)
from langfuse_aws.components.service_inputs import ServiceInputs
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.hours import only_awake
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH, WEB_PORT
from langfuse_aws.contract.start_and_stop import MIGRATION_COMMAND, SERVER_COMMAND
from langfuse_aws.settings.versions import LAMBDA_PYTHON

CONTAINER: Final = "migration"

CPU_UNITS: Final = 1024
MEMORY_MIB: Final = 2048
"""One migration is one Node.js process (Prisma's) or one Go process at a time."""

FUNCTION_SECONDS: Final = 900
"""Lambda's longest run. A longer migration goes on, and the next `pulumi up` waits for it."""
FUNCTION_MEMORY_MIB: Final = 256

_FUNCTION: Final = Path(__file__).with_name("migrate.py")


_FIRST_START: Final = Path(__file__).with_name("first_start.sh")
ATTEMPTS: Final = 60
"""Of the first start to answer, two seconds apart at the least."""


def command(*, first_start: bool) -> list[str]:
    """Build what the image's entrypoint runs once it has migrated."""
    if not first_start:
        return list(MIGRATION_COMMAND)
    given = f"HEALTH_URL=http://127.0.0.1:{WEB_PORT}{WEB_HEALTH_PATH} ATTEMPTS={ATTEMPTS}\n"
    script = given + _FIRST_START.read_text(encoding="utf-8")
    return ["sh", "-c", script, "first-start", *SERVER_COMMAND]


@dataclass(frozen=True)
class MigrationArgs:
    """What the migration is made from."""

    parts: ServiceInputs


class Migration(pulumi.ComponentResource):
    """The migration's task definition, and its run. Depend on it to start after a migration.

    It runs again when the release, a store or what is made first changes: its task definition
    holds nothing else.
    """

    log_group_name: pulumi.Output[str]
    """Name of the migrations' log group."""

    def __init__(
        self, name: str, args: MigrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Migration", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        parts = args.parts
        task = fargate_task(
            name,
            FargateTaskArgs(
                description="Langfuse migration",
                container=CONTAINER,
                image=parts.images["web"],
                cpu=CPU_UNITS,
                memory=MEMORY_MIB,
                architecture=parts.settings.web.architecture,
                environment=environment.migration(
                    parts.settings, parts.endpoints, parts.credentials, parts.first_start
                ),
                ingress_rules=parts.migration_ingress,
                location=parts.location,
                network=parts.network,
                log_retention_days=parts.settings.logs.record_days,
                authorities=parts.authorities,
                # Prisma 6.17.1 and 6.19.3 were tried: they would keep a time and a cache in the
                # home of a user who has none, and go on. golang-migrate writes in `create` only:
                # https://github.com/golang-migrate/migrate/blob/v4.19.1/internal/cli/commands.go
                read_only=True,
                more={"command": command(first_start=parts.first_start is not None)},
            ),
            child,
        )
        self.log_group_name = task.log_group_name
        function = self._function(name, parts, task.role_arns, child)
        aws.lambda_.Invocation(
            name,
            function_name=function.name,
            input=pulumi.Output.json_dumps(
                {
                    "cluster": parts.cluster.arn,
                    "task_definition": task.arn,
                    "family": task.family,
                    "container": CONTAINER,
                    "subnets": parts.network.task_subnet_ids,
                    "security_groups": [task.group_id],
                    "assign_public_ip": "ENABLED" if parts.network.public_tasks else "DISABLED",
                    "log_group": task.log_group_name,
                },
                sort_keys=True,
            ),
            triggers=parts.store_identities,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*task.depends_on, *parts.before_migration],
                hooks=only_awake(name, parts.clickhouse.service, parts.settings.hours),
            ),
        )
        self.register_outputs({"logGroupName": self.log_group_name})

    @staticmethod
    def _function(
        name: str,
        parts: ServiceInputs,
        role_arns: Sequence[pulumi.Output[str]],
        child: pulumi.ResourceOptions,
    ) -> aws.lambda_.Function:
        label = f"{name}-gate"
        logs = aws.cloudwatch.LogGroup(
            label, retention_in_days=parts.settings.logs.record_days, opts=child
        )
        # Worked out, not asked for: the task definition comes after the databases, and the role
        # had better be old enough by then to be known everywhere.
        family = parts.cluster.arn.apply(
            lambda arn: f"{arn.rpartition(':')[0]}:task-definition/{name}:*"
        )
        role = iam.service_role(
            label,
            "lambda.amazonaws.com",
            [
                iam.write_logs(logs.arn),
                *run_task_statements(family, role_arns, parts.cluster),
                iam.allow(["ecs:DescribeTasks"], [parts.cluster.task_arns]),
                # The API knows no resource to name here but container instances.
                iam.allow(
                    ["ecs:ListTasks"], ["*"], {"ArnEquals": {"ecs:cluster": parts.cluster.arn}}
                ),
            ],
            parts.location,
            opts=child,
        )
        return aws.lambda_.Function(
            label,
            runtime=f"python{LAMBDA_PYTHON}",
            handler="migrate.handler",
            code=pulumi.AssetArchive({"migrate.py": pulumi.FileAsset(str(_FUNCTION))}),
            role=role.arn,
            timeout=FUNCTION_SECONDS,
            memory_size=FUNCTION_MEMORY_MIB,
            logging_config={"log_format": "Text", "log_group": logs.name},
            opts=child,
        )
