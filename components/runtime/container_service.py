"""An ECS service on Fargate, read downwards: what web and worker have in common.

Its task is in `task.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.authorities import Authorities
from langfuse_aws.components.environment import Environment
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.runtime.lag_scaling import LagScaling, scale_on_lag
from langfuse_aws.components.runtime.read_back import running_service
from langfuse_aws.components.runtime.task import (
    EVERY_CAPABILITY,
    FargateTask,
    FargateTaskArgs,
    HealthCheck,
    Sidecar,
    fargate_task,
)
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.hours import TARGET_NUMBERS, left_alone, schedule_tasks
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.security_groups import IngressRule
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.settings.hours import Hours
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

    container: Literal["web", "worker"]
    image: ContainerImage
    port: int
    health_check: HealthCheck
    stop_timeout: int
    """Seconds between SIGTERM and SIGKILL."""
    settings: Service
    environment: Environment[pulumi.Input[str], SecretReference]
    statements: Sequence[iam.Statement]
    """What the container's role may do."""
    ingress_rules: Mapping[str, IngressRule]
    """The stores it connects to."""
    location: Location
    network: Network
    cluster: Cluster
    log_retention_days: int
    attachment: Mapping[str, Any]
    """Arguments of the ECS service that attach it to the ingress; empty: nothing does."""
    after: Sequence[pulumi.Resource]
    """What must run before the service starts."""
    execute_command: bool
    """Whether ECS Exec may open a shell in its tasks."""
    authorities: Authorities | None
    """What its containers trust besides; None: what their image does."""
    hours: Hours | None
    """None: it never sleeps."""
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
                statements=[
                    *args.statements,
                    *([iam.exec_agent()] if args.execute_command else []),
                ],
                policy_arns=args.settings.policy_arns,
                ingress_rules=args.ingress_rules,
                location=args.location,
                network=args.network,
                log_retention_days=args.log_retention_days,
                without=() if args.execute_command else EVERY_CAPABILITY,
                # Neither writes a file: in web, worker and packages/shared of 4.16.0 nothing opens
                # one to write. Next.js answers without its cache of images: 16.3.0's server was
                # tried on a root that is read only. ECS Exec's agent cannot run on one.
                # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
                read_only=not args.execute_command,
                sidecars=args.sidecars,
                authorities=args.authorities,
            ),
            child,
        )
        self.group_id, self.log_group_name = task.group_id, task.log_group_name
        self.service = fargate_service(
            name,
            task,
            args.cluster,
            args.network,
            args.attachment,
            tasks=args.settings.min_tasks,
            spot=args.settings.spot,
            execute_command=args.execute_command,
            after=args.after,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["desiredCount"]),
        )
        self.service_name = running_service(
            self.service,
            task.arn,
            provider=capacity_provider(args.settings.spot),
        )
        self.metric_dimensions = {
            args.container: [{"ClusterName": args.cluster.name, "ServiceName": self.service.name}]
        }
        self._scale(name, args, child)
        self.register_outputs({"groupId": self.group_id})

    def _scale(self, name: str, args: ContainerServiceArgs, child: pulumi.ResourceOptions) -> None:
        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", args.cluster.name, "/", self.service.name),
            min_capacity=args.settings.min_tasks,
            max_capacity=args.settings.max_tasks,
            opts=pulumi.ResourceOptions.merge(child, left_alone(args.hours, TARGET_NUMBERS)),
        )
        scale_in_cooldown = SCALE_IN_COOLDOWN_SECONDS
        before: list[pulumi.Resource] = []
        if args.lag is not None:
            scale_in_cooldown = LAG_SCALE_IN_COOLDOWN_SECONDS
            before = [scale_on_lag(f"{name}-lag", target, args.lag, child)]
        cpu = aws.appautoscaling.Policy(
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
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=before)),
        )
        awake = args.settings.min_tasks, args.settings.max_tasks
        schedule_tasks(name, target, args.hours, args.container, awake, [cpu], child)


def fargate_service(
    name: str,
    task: FargateTask,
    cluster: Cluster,
    network: Network,
    attachment: Mapping[str, Any],
    *,
    tasks: int,
    spot: bool = False,
    execute_command: bool = False,
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> aws.ecs.Service:
    """Make the service: new tasks beside the old ones, and back again if they do not get healthy.

    `attachment` attaches it to the ingress; `after` must be there before its first task. Attached
    otherwise it is another service, beside the old one until it serves: ECS refuses a load balancer
    and its grace period in one update, and Cloud Map one that still has tasks registered.
    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1313
    https://github.com/aws/containers-roadmap/issues/1746
    """
    return aws.ecs.Service(
        name,
        cluster=cluster.arn,
        task_definition=task.arn,
        capacity_provider_strategies=[{"capacity_provider": capacity_provider(spot), "weight": 1}],
        # The provider refuses another strategy without it, and sends it with an update only.
        # https://github.com/hashicorp/terraform-provider-aws/blob/v6.58.0/internal/service/ecs/service.go
        force_new_deployment=True,
        platform_version="LATEST",
        desired_count=tasks,
        deployment_minimum_healthy_percent=100,
        deployment_maximum_percent=200,
        availability_zone_rebalancing="ENABLED",
        deployment_circuit_breaker={"enable": True, "rollback": True},
        network_configuration={
            "subnets": network.task_subnet_ids,
            "security_groups": [task.group_id],
            "assign_public_ip": network.public_tasks,
        },
        propagate_tags="SERVICE",
        # Left out, or every service would have another input.
        enable_execute_command=execute_command or None,
        wait_for_steady_state=True,
        **attachment,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[*task.depends_on, *after],
                replace_on_changes=["loadBalancers", "serviceRegistries"],
            ),
        ),
    )


def capacity_provider(spot: bool) -> str:
    """Name the capacity provider that tasks are placed on."""
    return "FARGATE_SPOT" if spot else "FARGATE"
