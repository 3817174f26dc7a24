"""What `network.egress` `endpoints`, a network without a way out, has and cannot have. Pure.

docs/adr/0025-egress-by-endpoints.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from langfuse_aws.contract import metrics
from langfuse_aws.settings.network import ENDPOINTS, CreatedNetwork
from langfuse_aws.settings.section import Conflict
from langfuse_aws.settings.stores import ClickHouseOnEc2

if TYPE_CHECKING:
    from langfuse_aws.settings.model import Settings

OF_TASKS: Final = ("ecr.api", "ecr.dkr", "logs", "secretsmanager")
"""What ECS calls from the network of a Fargate task: its image, its secrets, its log. S3 has a
gateway. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html"""

OF_INSTANCES: Final = (
    # ECS's agent, and the SSM agent, which asks ssmmessages where it once asked ec2messages.
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "ssm",
    "ssmmessages",
    # The boot script attaches the volume, and reports how full it is.
    "ec2",
    "monitoring",
)
"""What the ClickHouse instance calls."""

OF_THREE_SERVERS: Final = "servicediscovery"
"""Their boot script registers their names; who looks for a name asks the VPC's resolver."""

FAR: Final = "choose another network.egress"


def closed(settings: Settings) -> bool:
    """Whether nothing of the stack's own VPC gets out."""
    network = settings.network
    return isinstance(network, CreatedNetwork) and network.egress == ENDPOINTS


def endpoint_services(settings: Settings) -> list[str]:
    """The services that have an interface endpoint, as they end their names; none if open."""
    network, clickhouse = settings.network, settings.clickhouse
    if not isinstance(network, CreatedNetwork) or network.egress != ENDPOINTS:
        return []
    found = {*OF_TASKS, *network.endpoints}
    if isinstance(clickhouse, ClickHouseOnEc2):
        found |= {*OF_INSTANCES, *([OF_THREE_SERVERS] if clickhouse.clustered else [])}
    if settings.exec:
        found.add("ssmmessages")
    if any(metrics.publishes(each.environment) for each in (settings.web, settings.worker)):
        found.add("monitoring")
    return sorted(found)


def faults_of_images(settings: Settings) -> Iterator[Conflict]:
    """No registry is reached, and ECR fetches nothing where it has an endpoint.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
    """
    if closed(settings) and settings.images.source != "mirror":
        yield Conflict(
            "images.source",
            "network.egress endpoints leads to no registry but ECR, which pulls nothing through "
            "for a VPC without a way out",
            f"set it to mirror, or {FAR}",
        )


def faults_of_grafana(settings: Settings) -> Iterator[Conflict]:
    """Grafana installs a plugin when it starts."""
    if closed(settings) and settings.grafana.enabled:
        yield Conflict(
            "grafana.enabled",
            "Grafana gets its plugin for ClickHouse from grafana.com when it starts, and "
            "network.egress endpoints does not lead there",
            f"remove it, or {FAR}",
        )


CHECKS: Final = (faults_of_images, faults_of_grafana)
