"""Migrates the databases before web and worker move: one ECS task, started and watched by a Lambda.

Why not in web's own start: docs/adr/0007-migration-gate.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.container_definition import ContainerDefinition
from components.container_service import FARGATE_ARCHITECTURE
from components.security_groups import allow_egress, closed_group, open_doors
from components.stack_parts import StackParts
from components.task_roles import execution_role, task_role
from contract import environment
from contract.runtime import MIGRATION_COMMAND
from settings.releases import web_image

CONTAINER: Final = "migration"

CPU_UNITS: Final = 1024
MEMORY_MIB: Final = 2048
"""One migration is one Node.js process (Prisma's) or one Go process at a time."""

FUNCTION_SECONDS: Final = 900
"""Lambda's longest run. A longer migration goes on, and the next `pulumi up` waits for it."""
FUNCTION_MEMORY_MIB: Final = 256

_FUNCTION: Final = Path(__file__).parent.parent / "functions/migrate.py"


@dataclass(frozen=True)
class MigrationArgs:
    """What the migration is made from."""

    parts: StackParts


class Migration(pulumi.ComponentResource):
    """The migration's task definition, and its run. Depend on it to start after a migration.

    It runs again when the release or a store changes: its task definition holds nothing else.
    """

    log_group_name: pulumi.Output[str]
    """Name of the migrations' log group."""

    def __init__(
        self, name: str, args: MigrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Migration", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        parts = args.parts
        group = closed_group(name, "Langfuse migration", parts.network.vpc_id, opts=child)
        ways = [
            allow_egress(name, group.id, opts=child),
            *open_doors(name, group.id, parts.migration_doors, opts=child),
        ]
        logs = aws.cloudwatch.LogGroup(
            name, retention_in_days=parts.settings.logs.retention_days, opts=child
        )
        self.log_group_name = logs.name
        secrets = environment.migration(parts.settings, parts.endpoints, parts.credentials)
        container = ContainerDefinition(
            name=CONTAINER,
            image=web_image(parts.settings.release),
            ports=[],
            health_check=None,
            log_group=logs.name,
            region=parts.location.region,
            plain=secrets.plain,
            secret=secrets.secret,
            more={"command": list(MIGRATION_COMMAND)},
        )
        execution = execution_role(name, logs.arn, list(secrets.secret.values()), child)
        own = task_role(name, [], child)
        task = aws.ecs.TaskDefinition(
            name,
            family=name,
            cpu=str(CPU_UNITS),
            memory=str(MEMORY_MIB),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform={
                "cpu_architecture": FARGATE_ARCHITECTURE[parts.settings.web.architecture],
                "operating_system_family": "LINUX",
            },
            execution_role_arn=execution.arn,
            task_role_arn=own.arn,
            container_definitions=container.to_json(),
            opts=child,
        )
        function = self._function(name, parts, [execution, own], child)
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
                    "security_groups": [group.id],
                    "assign_public_ip": "ENABLED" if parts.network.public_tasks else "DISABLED",
                    "log_group": logs.name,
                },
                sort_keys=True,
            ),
            triggers=parts.store_identities,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*ways, *parts.after]),
        )
        self.register_outputs({"logGroupName": self.log_group_name})

    @staticmethod
    def _function(
        name: str,
        parts: StackParts,
        roles: list[iam.ServiceRole],
        child: pulumi.ResourceOptions,
    ) -> aws.lambda_.Function:
        label = f"{name}-gate"
        logs = aws.cloudwatch.LogGroup(
            label, retention_in_days=parts.settings.logs.retention_days, opts=child
        )
        in_cluster = {"ArnEquals": {"ecs:cluster": parts.cluster.arn}}
        # Worked out, not asked for: the task definition comes after the databases, and the role
        # had better be old enough by then to be known everywhere.
        family = parts.cluster.arn.apply(
            lambda arn: f"{arn.rsplit(':', 1)[0]}:task-definition/{name}:*"
        )
        role = iam.service_role(
            label,
            "lambda.amazonaws.com",
            [
                iam.allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    [pulumi.Output.concat(logs.arn, ":*")],
                ),
                iam.allow(
                    ["ecs:RunTask"],
                    [family],
                    in_cluster,
                ),
                iam.allow(["ecs:DescribeTasks", "ecs:TagResource"], [parts.cluster.task_arns]),
                # The API knows no resource to name here but container instances.
                iam.allow(["ecs:ListTasks"], ["*"], in_cluster),
                iam.allow(
                    ["iam:PassRole"],
                    [role.arn for role in roles],
                    {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
                ),
            ],
            opts=child,
        )
        return aws.lambda_.Function(
            label,
            runtime="python3.13",
            architectures=["arm64"],
            handler="migrate.handler",
            code=pulumi.AssetArchive({"migrate.py": pulumi.FileAsset(str(_FUNCTION))}),
            role=role.arn,
            timeout=FUNCTION_SECONDS,
            memory_size=FUNCTION_MEMORY_MIB,
            logging_config={"log_format": "Text", "log_group": logs.name},
            opts=child,
        )
