"""Creates a Fargate service of one Langfuse container: what web and worker have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.environment import Environment
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.network.security_groups import IngressRule
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.container_definition import HealthCheck
from langfuse_aws.components.runtime.fargate_service import capacity_provider, fargate_service
from langfuse_aws.components.runtime.fargate_task import FargateTaskArgs, Sidecar, fargate_task
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.runtime.lag_scaling import LagScaling, scale_on_lag
from langfuse_aws.components.runtime.read_back import running_service
from langfuse_aws.components.shared.iam import Statement
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.settings.scaling import CPU_SCALE_IN_COOLDOWN_SECONDS as SCALE_IN_COOLDOWN_SECONDS
from langfuse_aws.settings.scaling import (
    CPU_TARGET_PERCENT,
    LAG_SCALE_IN_COOLDOWN_SECONDS,
    SCALE_OUT_COOLDOWN_SECONDS,
)
from langfuse_aws.settings.services import Service


@dataclass(frozen=True)
class ContainerServiceArgs:
    """What a service is made from."""

    container: str
    """`web` or `worker`."""
    image: ContainerImage
    port: int
    health_check: HealthCheck
    stop_timeout: int
    """Seconds between SIGTERM and SIGKILL."""
    settings: Service
    environment: Environment[pulumi.Input[str], SecretReference]
    statements: Sequence[Statement]
    """What the container's role may do."""
    ingress_rules: Mapping[str, IngressRule]
    """The stores it connects to."""
    location: Location
    network: Network
    cluster: Cluster
    log_retention_days: int
    service: Mapping[str, Any]
    """Further arguments of the ECS service."""
    after: Sequence[pulumi.Resource]
    """What must run before the service starts."""
    sidecars: Sequence[Sidecar] = ()
    lag: LagScaling | None = None
    """None: the service scales on CPU alone."""


class ContainerService(pulumi.ComponentResource):
    """The service, its task definition, roles, log group, security group and autoscaling."""

    service: aws.ecs.Service
    """The ECS service, steady."""
    service_name: pulumi.Output[str]
    """Its name, once it runs as it is configured."""
    group_id: pulumi.Output[str]
    """Its security group, which nobody may enter unless a rule says so."""
    log_group_name: pulumi.Output[str]
    """Its log group."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the service."""

    def __init__(
        self, name: str, args: ContainerServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ContainerService", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        task = fargate_task(
            name,
            FargateTaskArgs(
                description=f"Langfuse {args.container}",
                container=args.container,
                image=args.image,
                cpu=args.settings.cpu,
                memory=args.settings.memory,
                architecture=args.settings.architecture,
                ports=[args.port],
                health_check=args.health_check,
                stop_timeout=args.stop_timeout,
                environment=args.environment,
                statements=args.statements,
                ingress_rules=args.ingress_rules,
                location=args.location,
                network=args.network,
                log_retention_days=args.log_retention_days,
                sidecars=args.sidecars,
            ),
            child,
        )
        self.group_id, self.log_group_name = task.group_id, task.log_group_name
        self.service = fargate_service(
            name,
            task,
            args.cluster,
            args.network,
            args.service,
            tasks=args.settings.min_tasks,
            spot=args.settings.spot,
            after=args.after,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["desiredCount"]),
        )
        self.service_name = running_service(
            self.service, task.arn, provider=capacity_provider(args.settings.spot)
        )
        self.metric_dimensions = {
            args.container: [{"ClusterName": args.cluster.name, "ServiceName": self.service.name}]
        }
        self._scale(name, args, child)
        self.register_outputs({"serviceName": self.service.name, "groupId": self.group_id})

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
        scale_in_cooldown = SCALE_IN_COOLDOWN_SECONDS
        if args.lag is not None:
            scale_in_cooldown = LAG_SCALE_IN_COOLDOWN_SECONDS
            scale_on_lag(f"{name}-lag", target, args.lag, child)
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
                "scale_in_cooldown": scale_in_cooldown,
            },
            opts=child,
        )
