"""Creates a Fargate service of one Langfuse container: what web and worker have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.cluster import Cluster
from components.container_definition import ContainerDefinition, HealthCheck
from components.iam import Statement
from components.location import Location
from components.network import Network
from components.security_groups import Door, allow_egress, closed_group, open_doors
from components.stored_secret import SecretReference
from components.task_roles import execution_role, task_role
from contract.environment import Environment
from settings.services import Service

CPU_TARGET_PERCENT: Final = 50
"""Langfuse's own advice. https://langfuse.com/self-hosting/configuration/scaling"""

SCALE_OUT_COOLDOWN_SECONDS: Final = 60
SCALE_IN_COOLDOWN_SECONDS: Final = 300

FARGATE_ARCHITECTURE: Final = {"arm64": "ARM64", "x86_64": "X86_64"}


@dataclass(frozen=True)
class ContainerServiceArgs:
    """What a service is made from."""

    container: str
    """`web` or `worker`."""
    image: str
    port: int
    health_check: HealthCheck
    settings: Service
    environment: Environment[pulumi.Input[str], SecretReference]
    statements: Sequence[Statement]
    """What the container's role may do."""
    doors: Mapping[str, Door]
    """The stores it connects to."""
    location: Location
    network: Network
    cluster: Cluster
    log_retention_days: int
    service: Mapping[str, Any]
    """Further arguments of the ECS service."""
    after: Sequence[pulumi.Resource]
    """What must run before the service starts."""


class ContainerService(pulumi.ComponentResource):
    """The service, its task definition, roles, log group, security group and autoscaling."""

    service: aws.ecs.Service
    """The ECS service, steady."""
    group_id: pulumi.Output[str]
    """Its security group, which nobody may enter unless a rule says so."""
    log_group_name: pulumi.Output[str]
    """Its log group."""

    def __init__(
        self, name: str, args: ContainerServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ContainerService", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = closed_group(name, f"Langfuse {args.container}", args.network.vpc_id, opts=child)
        ways = [
            allow_egress(name, group.id, opts=child),
            *open_doors(name, group.id, args.doors, opts=child),
        ]
        self.group_id = group.id
        task = self._task(name, args, child)
        self.service = aws.ecs.Service(
            name,
            cluster=args.cluster.arn,
            task_definition=task.arn,
            capacity_provider_strategies=[
                {
                    "capacity_provider": "FARGATE_SPOT" if args.settings.spot else "FARGATE",
                    "weight": 1,
                }
            ],
            platform_version="LATEST",
            desired_count=args.settings.min_tasks,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            availability_zone_rebalancing="ENABLED",
            deployment_circuit_breaker={"enable": True, "rollback": True},
            network_configuration={
                "subnets": args.network.task_subnet_ids,
                "security_groups": [group.id],
                "assign_public_ip": args.network.public_tasks,
            },
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            **args.service,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*ways, *args.after], ignore_changes=["desiredCount"]
            ),
        )
        self._scale(name, args, child)
        self.register_outputs({"serviceName": self.service.name, "groupId": self.group_id})

    def _task(
        self, name: str, args: ContainerServiceArgs, child: pulumi.ResourceOptions
    ) -> aws.ecs.TaskDefinition:
        logs = aws.cloudwatch.LogGroup(name, retention_in_days=args.log_retention_days, opts=child)
        self.log_group_name = logs.name
        container = ContainerDefinition(
            name=args.container,
            image=args.image,
            ports=[args.port],
            health_check=args.health_check,
            log_group=logs.name,
            region=args.location.region,
            plain=args.environment.plain,
            secret=args.environment.secret,
        )
        secrets = list(args.environment.secret.values())
        return aws.ecs.TaskDefinition(
            name,
            family=name,
            cpu=str(args.settings.cpu),
            memory=str(args.settings.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform={
                "cpu_architecture": FARGATE_ARCHITECTURE[args.settings.architecture],
                "operating_system_family": "LINUX",
            },
            execution_role_arn=execution_role(name, logs.arn, secrets, child).arn,
            task_role_arn=task_role(name, args.statements, child).arn,
            container_definitions=container.to_json(),
            opts=child,
        )

    def _scale(self, name: str, args: ContainerServiceArgs, child: pulumi.ResourceOptions) -> None:
        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", args.cluster.name, "/", self.service.name),
            min_capacity=args.settings.min_tasks,
            max_capacity=args.settings.max_tasks,
            opts=child,
        )
        aws.appautoscaling.Policy(
            f"{name}-cpu",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration={
                "predefined_metric_specification": {
                    "predefined_metric_type": "ECSServiceAverageCPUUtilization"
                },
                "target_value": CPU_TARGET_PERCENT,
                "scale_out_cooldown": SCALE_OUT_COOLDOWN_SECONDS,
                "scale_in_cooldown": SCALE_IN_COOLDOWN_SECONDS,
            },
            opts=child,
        )
