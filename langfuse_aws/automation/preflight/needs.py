"""What the first `up` of a stack takes of an account's quotas and of AWS's offers.

Pure. It counts what runs once all is up, and the migration, whose task comes first. What
autoscaling adds later is not in it.
"""

from dataclasses import dataclass
from typing import Final

from langfuse_aws.components.grafana import grafana
from langfuse_aws.components.migration import migration
from langfuse_aws.components.network import nat_instance
from langfuse_aws.settings.capacity import graviton_vcpus
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.services import ApiGatewayIngress, LoadBalancerIngress
from langfuse_aws.settings.stack_images import Image, images_of
from langfuse_aws.settings.stores import (
    AuroraPostgres,
    ClickHouseOnEc2,
    ElastiCacheRedis,
    PostgresInstance,
)

CPU_UNITS_A_VCPU: Final = 1024

MOST_ROLES: Final = 19
"""IAM roles of a stack with everything that can be switched on; `dev` has 14."""


@dataclass(frozen=True)
class Machine:
    """EC2 instances of one type, one in each of the first zones."""

    instance_type: str
    zones: int
    setting: str
    """The key that decides on it."""

    @property
    def vcpus(self) -> int:
        """Of one instance."""
        return graviton_vcpus(self.instance_type) or 0


@dataclass(frozen=True)
class Needs:
    """Counts of new resources, and vCPUs that run at once."""

    zones: int
    machines: tuple[Machine, ...]
    images: tuple[Image, ...]
    vpcs: int
    nat_gateways: int
    """One in each of the first zones."""
    addresses: int
    """Elastic IPs."""
    fargate_vcpus: float
    fargate_spot_vcpus: float
    load_balancers: int
    vpc_links: int
    db_instances: int
    db_clusters: int
    cache_nodes: int
    roles: int = MOST_ROLES
    namespaces: int = 1

    @property
    def standard_vcpus(self) -> int:
        """Of on-demand EC2 instances."""
        return sum(machine.vcpus * machine.zones for machine in self.machines)


def needs_of(settings: Settings) -> Needs:
    """Work them out."""
    network, postgres, redis = settings.network, settings.postgres, settings.redis
    created = isinstance(network, CreatedNetwork)
    egress = network.egress if created else None
    steady = {True: 0.0, False: 0.0}
    on_fargate = settings.web.platform == "fargate"
    for service in (*([settings.web] if on_fargate else []), settings.worker):
        steady[service.spot] += service.min_tasks * service.cpu / CPU_UNITS_A_VCPU
    if settings.grafana.enabled:
        steady[False] += grafana.CPU_UNITS / CPU_UNITS_A_VCPU
    aurora = isinstance(postgres, AuroraPostgres)
    nat_gateways = {"natGateway": 1, "natGatewayPerZone": network.zone_count}.get(egress or "", 0)
    return Needs(
        zones=network.zone_count,
        machines=_machines(settings, egress),
        images=images_of(settings),
        vpcs=int(created),
        nat_gateways=nat_gateways,
        addresses=nat_gateways + int(egress == "natInstance"),
        # The migration is over before web and worker start, and never runs on Spot.
        fargate_vcpus=max(steady[False], migration.CPU_UNITS / CPU_UNITS_A_VCPU),
        fargate_spot_vcpus=steady[True],
        load_balancers=int(isinstance(settings.ingress, LoadBalancerIngress)),
        vpc_links=int(isinstance(settings.ingress, ApiGatewayIngress)),
        db_instances=postgres.instances if aurora else int(isinstance(postgres, PostgresInstance)),
        db_clusters=int(aurora),
        cache_nodes=1 + redis.replicas if isinstance(redis, ElastiCacheRedis) else 0,
    )


def _machines(settings: Settings, egress: str | None) -> tuple[Machine, ...]:
    machines: list[Machine] = []
    clickhouse = settings.clickhouse
    if isinstance(clickhouse, ClickHouseOnEc2):
        machines.append(
            Machine(clickhouse.instance_type, clickhouse.replicas, "clickhouse.instanceType")
        )
    if egress == "natInstance":
        machines.append(Machine(nat_instance.INSTANCE_TYPE, 1, "network.egress"))
    return tuple(machines)
