"""Makes a task that runs on Fargate: its definition, and the groups and roles it needs.

Services run it for ever, the migration's gate and the backups' schedule run it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.environment import Environment
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.network.security_groups import (
    IngressRule,
    allow_egress,
    allow_ingress,
    security_group,
)
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.container_definition import (
    ContainerDefinition,
    HealthCheck,
    to_json,
)
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.runtime.task_roles import execution_role, task_role
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract.runtime import STOP_TIMEOUT_SECONDS

ARCHITECTURE: Final = {"arm64": "ARM64", "x86_64": "X86_64"}
"""Fargate's words for CPU architectures."""


@dataclass(frozen=True)
class Sidecar:
    """A container beside the task's own, of the same image and with the same log group."""

    name: str
    environment: Environment[pulumi.Input[str], SecretReference]
    """Its secrets are among those of the task's own container."""
    more: Mapping[str, Any]
    """Further keys of the container definition, in ECS's own terms."""


@dataclass(frozen=True)
class FargateTaskArgs:
    """What a task is made from."""

    description: str
    """Of its security group; a group is replaced when this changes."""
    container: str
    image: ContainerImage
    cpu: int
    """CPU units; 1024 are one vCPU."""
    memory: int
    """MiB."""
    environment: Environment[pulumi.Input[str], SecretReference]
    ingress_rules: Mapping[str, IngressRule]
    """What it connects to."""
    location: Location
    network: Network
    log_retention_days: int
    architecture: Literal["arm64", "x86_64"] = "arm64"
    ports: Sequence[int] = ()
    health_check: HealthCheck | None = None
    statements: Sequence[iam.Statement] = ()
    """What the container's role may do."""
    stop_timeout: int = STOP_TIMEOUT_SECONDS
    """Seconds between SIGTERM and SIGKILL."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further keys of the container definition, in ECS's own terms."""
    sidecars: Sequence[Sidecar] = ()


@dataclass(frozen=True)
class FargateTask:
    """A task that can be run."""

    arn: pulumi.Output[str]
    """ARN of the definition's revision."""
    family_arns: pulumi.Output[str]
    """ARN pattern of all revisions."""
    family: pulumi.Output[str]
    group_id: pulumi.Output[str]
    """Its security group, which nobody may enter unless a rule says so."""
    log_group_name: pulumi.Output[str]
    depends_on: Sequence[pulumi.Resource]
    """What must be there before it runs: the rules that let it connect, and its image."""
    role_arns: Sequence[pulumi.Output[str]]
    """ARNs of the agent's role and of the container's own."""


def fargate_task(name: str, args: FargateTaskArgs, opts: pulumi.ResourceOptions) -> FargateTask:
    """Make the task `name` with its security group, log group and roles."""
    group = security_group(name, args.description, args.network.vpc_id, opts=opts)
    depends_on = [
        allow_egress(name, group.id, opts=opts),
        *allow_ingress(name, group.id, args.ingress_rules, opts=opts),
    ]
    logs = aws.cloudwatch.LogGroup(name, retention_in_days=args.log_retention_days, opts=opts)
    container = ContainerDefinition(
        name=args.container,
        image=args.image.reference,
        ports=args.ports,
        health_check=args.health_check,
        log_group=logs.name,
        region=args.location.region,
        plain=args.environment.plain,
        secret=args.environment.secret,
        stop_timeout=args.stop_timeout,
        more=args.more,
    )
    beside = [
        replace(
            container,
            name=each.name,
            ports=(),
            health_check=None,
            plain=each.environment.plain,
            secret=each.environment.secret,
            stop_timeout=STOP_TIMEOUT_SECONDS,
            more=each.more,
        )
        for each in args.sidecars
    ]
    execution = execution_role(
        name, logs.arn, list(args.environment.secret.values()), args.image, opts
    )
    own = task_role(name, args.statements, opts)
    definition = aws.ecs.TaskDefinition(
        name,
        family=name,
        cpu=str(args.cpu),
        memory=str(args.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform={
            "cpu_architecture": ARCHITECTURE[args.architecture],
            "operating_system_family": "LINUX",
        },
        execution_role_arn=execution.arn,
        task_role_arn=own.arn,
        container_definitions=to_json([container, *beside]),
        # What runs, in the clear: the definitions are unknown until their secrets exist.
        tags={"Image": args.image.reference},
        opts=opts,
    )
    return FargateTask(
        arn=definition.arn,
        family_arns=pulumi.Output.concat(definition.arn_without_revision, ":*"),
        family=definition.family,
        group_id=group.id,
        log_group_name=logs.name,
        depends_on=[*depends_on, *args.image.after],
        role_arns=[execution.arn, own.arn],
    )


def run_task_statements(
    family_arns: pulumi.Input[str], role_arns: Sequence[pulumi.Input[str]], cluster: Cluster
) -> list[iam.Statement]:
    """Build what it takes to run a task in the cluster, with its tags and its two roles."""
    return [
        iam.allow(["ecs:RunTask"], [family_arns], {"ArnEquals": {"ecs:cluster": cluster.arn}}),
        iam.allow(["ecs:TagResource"], [cluster.task_arns]),
        iam.allow(
            ["iam:PassRole"],
            role_arns,
            {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
    ]
