"""A container as ECS runs it, read downwards: its definition, its two roles, and its Fargate task.

Services run a Fargate task for ever, the migration's gate and the backups' schedule run it once.
ClickHouse runs its container on EC2 (`clickhouse/task.py`), with the same definition and roles.

A definition is written in the form that ECS gives it back, so that no preview shows a change: keys
and lists are sorted and AWS's defaults are written out
(https://github.com/pulumi/pulumi-aws/issues/4576).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws

from langfuse_aws.components import authorities
from langfuse_aws.components.authorities import Authorities
from langfuse_aws.components.environment import Environment
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.security_groups import (
    IngressRule,
    allow_egress,
    allow_ingress,
    security_group,
)
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract.start_and_stop import START_LIMIT_SECONDS, STOP_TIMEOUT_SECONDS


@dataclass(frozen=True)
class HealthCheck:
    """A container health check; times in seconds, within ECS's bounds.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """

    command: Sequence[str]
    interval: int = 30
    timeout: int = 10
    retries: int = 3
    start_period: int = START_LIMIT_SECONDS

    @property
    def patience(self) -> int:
        """Seconds after which a container that never answers is unhealthy."""
        return self.start_period + self.retries * self.interval


EVERY_CAPABILITY: Final = ("ALL",)
"""Langfuse's and Grafana's images name a user that is not root, who has none to lose; Fargate lets
a task drop any, and which of them ECS Exec's agent needs, which runs as root, it does not say.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KernelCapabilities.html
https://github.com/aws/containers-roadmap/issues/1360
https://github.com/langfuse/langfuse/blob/main/web/Dockerfile, worker/Dockerfile
https://github.com/grafana/helm-charts/blob/main/charts/grafana/values.yaml"""

UNUSED_BY_CLICKHOUSE: Final = ("AUDIT_WRITE", "MKNOD", "NET_RAW", "SYS_CHROOT")
"""ClickHouse's image begins as root, takes its folders over and becomes another user, for which it
needs most of what Docker gives: these are the rest. Its program may carry capabilities of its own,
and cannot start where one of them is dropped.
https://github.com/ClickHouse/ClickHouse/blob/master/docker/server/entrypoint.sh"""


WITH_TMPFS: Final = frozenset({"aws"})
"""Partitions whose Fargate has tmpfs: AWS's commercial regions.
https://aws.amazon.com/about-aws/whats-new/2026/01/amazon-ecs-tmpfs-mounts-aws-fargate-managed-instances/"""

TMPFS: Final[Sequence[Mapping[str, Any]]] = (
    {"containerPath": "/tmp", "mountOptions": ["nodev", "noexec", "nosuid"], "size": 64},  # noqa: S108
)
"""Where a container may write whose root it cannot. MiB at the most, of the task's memory; it keeps
the mode of the image's /tmp, in which everybody may write.
https://github.com/opencontainers/runc/blob/main/libcontainer/rootfs_linux.go"""


@dataclass(frozen=True)
class ContainerDefinition:
    """One container of a task."""

    name: str
    image: str
    ports: Sequence[int]
    health_check: HealthCheck | None
    """None for a task that ends by itself."""
    log_group: pulumi.Input[str]
    region: str
    plain: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    secret: Mapping[str, SecretReference] = field(default_factory=dict[str, SecretReference])
    stop_timeout: int = STOP_TIMEOUT_SECONDS
    """Seconds between SIGTERM and SIGKILL."""
    without: Sequence[str] = EVERY_CAPABILITY
    """Linux capabilities that nothing in it can get."""
    read_only: bool = False
    """Whether nothing in it can write beside its volumes, and `tmpfs`."""
    tmpfs: Sequence[Mapping[str, Any]] = ()
    """File systems in memory, in ECS's own terms."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further keys of the definition, in ECS's own terms."""

    def definition(self) -> dict[str, Any]:
        """Build one of the task definition's `containerDefinitions`."""
        return {
            "name": self.name,
            "image": self.image,
            "essential": True,
            "cpu": 0,
            "portMappings": [
                {"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in self.ports
            ],
            "environment": [
                {"name": name, "value": self.plain[name]} for name in sorted(self.plain)
            ],
            "secrets": [
                {"name": name, "valueFrom": self.secret[name].value_from}
                for name in sorted(self.secret)
            ],
            **self._health_check(),
            "stopTimeout": self.stop_timeout,
            # A first process that hands signals on, and reaps what health checks and shells leave.
            # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinuxParameters.html
            "linuxParameters": {
                **({"capabilities": {"drop": sorted(self.without)}} if self.without else {}),
                "initProcessEnabled": True,
                **({"tmpfs": list(self.tmpfs)} if self.tmpfs else {}),
            },
            **({"readonlyRootFilesystem": True} if self.read_only else {}),
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self.log_group,
                    "awslogs-region": self.region,
                    "awslogs-stream-prefix": self.name,
                    # A container must not stop because CloudWatch does.
                    "mode": "non-blocking",
                    "max-buffer-size": "25m",
                },
            },
            "mountPoints": [],
            "systemControls": [],
            "volumesFrom": [],
            **self.more,
        }

    def _health_check(self) -> dict[str, Any]:
        check = self.health_check
        if check is None:
            return {}
        return {
            "healthCheck": {
                "command": list(check.command),
                "interval": check.interval,
                "timeout": check.timeout,
                "retries": check.retries,
                "startPeriod": check.start_period,
            }
        }


PRINCIPAL: Final = "ecs-tasks.amazonaws.com"
"""Who takes the roles of tasks."""


def to_json(containers: Sequence[ContainerDefinition]) -> pulumi.Output[str]:
    """Build the task definition's `containerDefinitions`, in the order that the provider keeps.

    https://github.com/hashicorp/terraform-provider-aws/issues/38208
    """
    by_name = sorted(containers, key=lambda each: each.name)
    return pulumi.Output.json_dumps([each.definition() for each in by_name], sort_keys=True)


def execution_role(
    name: str,
    log_group_arn: pulumi.Output[str],
    secrets: Sequence[SecretReference],
    image: ContainerImage,
    location: Location,
    opts: pulumi.ResourceOptions,
) -> iam.ServiceRole:
    """Make the agent's role: write this log group, read exactly these secrets, pull this image."""
    statements = [iam.write_logs(log_group_arn)]
    if secrets:
        statements.append(read_secrets(secrets))
    statements += image.statements
    # Of its source AWS's page on this role says nothing, and that on task roles does.
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
    return iam.service_role(
        f"{name}-execution", PRINCIPAL, statements, location, opts=opts, tells=False
    )


def task_role(
    name: str,
    statements: Sequence[iam.Statement],
    location: Location,
    opts: pulumi.ResourceOptions,
    policy_arns: Sequence[str] = (),
) -> iam.ServiceRole:
    """Make the container's own role."""
    return iam.service_role(
        f"{name}-task", PRINCIPAL, statements, location, opts=opts, policy_arns=policy_arns
    )


def read_secrets(secrets: Sequence[SecretReference]) -> iam.Statement:
    """Build what it takes to read exactly these secrets."""
    arns = pulumi.Output.all(*(secret.secret_arn for secret in secrets)).apply(
        lambda found: sorted(set(found))
    )
    return {**iam.allow(["secretsmanager:GetSecretValue"], []), "Resource": arns}


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
    policy_arns: Sequence[str] = ()
    """Managed policies besides."""
    stop_timeout: int = STOP_TIMEOUT_SECONDS
    """Seconds between SIGTERM and SIGKILL."""
    without: Sequence[str] = EVERY_CAPABILITY
    """Linux capabilities that nothing in the container can get."""
    read_only: bool = False
    """Whether nothing in its containers can write but to volumes and to /tmp, which is memory."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further keys of the container definition, in ECS's own terms."""
    sidecars: Sequence[Sidecar] = ()
    authorities: Authorities | None = None
    """What all of its containers trust besides; None: what their image does."""


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
    """What must be there before it runs: the rules that let it connect, its image, its policies."""
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
    trusted = args.authorities
    variables: Mapping[str, str] = trusted.variables if trusted else {}
    reading: Mapping[str, Any] = authorities.READERS if trusted else {}
    container = ContainerDefinition(
        name=args.container,
        image=args.image.reference,
        ports=args.ports,
        health_check=args.health_check,
        log_group=logs.name,
        region=args.location.region,
        plain={**args.environment.plain, **variables},
        secret=args.environment.secret,
        stop_timeout=args.stop_timeout,
        without=args.without,
        read_only=args.read_only,
        tmpfs=TMPFS if args.read_only and args.location.partition in WITH_TMPFS else (),
        more={**reading, **args.more},
    )
    beside = replace(container, ports=(), health_check=None, stop_timeout=STOP_TIMEOUT_SECONDS)
    containers = [container]
    for each in args.sidecars:
        containers.append(
            replace(
                beside,
                name=each.name,
                plain={**each.environment.plain, **variables},
                secret=each.environment.secret,
                more={**reading, **each.more},
            )
        )
    if trusted:
        containers.append(
            replace(
                beside,
                name=authorities.CONTAINER,
                plain={authorities.VARIABLE: trusted.pem},
                secret={},
                tmpfs=(),
                more=authorities.WRITER,
            )
        )
    execution = execution_role(
        name, logs.arn, list(args.environment.secret.values()), args.image, args.location, opts
    )
    own = task_role(name, args.statements, args.location, opts, args.policy_arns)
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
        container_definitions=to_json(containers),
        volumes=[{"name": authorities.VOLUME}] if trusted else None,
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
        depends_on=[*depends_on, *args.image.after, *own.attached],
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
            {"StringEquals": {"iam:PassedToService": PRINCIPAL}},
        ),
    ]
