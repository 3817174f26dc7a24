"""Makes an ECS service that keeps a Fargate task running."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.fargate_task import FargateTask


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
