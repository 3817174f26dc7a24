"""Creates ClickHouse: one server, as an ECS service on an instance and a volume of its own."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from components.clickhouse_config import CONFIG_VARIABLE, server_config, start_command
from components.clickhouse_host import DATA_FOLDER, ClickHouseHost, ClickHouseHostArgs
from components.cluster import Cluster
from components.container_definition import ContainerDefinition, HealthCheck
from components.discovery import discovery_service
from components.location import Location
from components.network import Network
from components.security_groups import Door, closed_group
from components.stored_secret import SecretReference, StoredSecret, StoredSecretArgs
from components.task_roles import execution_role, task_role
from contract.runtime import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT, health_command
from settings.model import Settings
from settings.releases import clickhouse_image

USER: Final = "langfuse"
DATABASE: Final = "default"

OPEN_FILES: Final = 262_144
"""https://clickhouse.com/docs/en/operations/tips asks for it; Docker's default stops merges."""

DATA_VOLUME: Final = "data"


@dataclass(frozen=True)
class ClickHouseArgs:
    """What ClickHouse is made from."""

    settings: Settings
    location: Location
    network: Network
    cluster: Cluster


class ClickHouse(pulumi.ComponentResource):
    """The server, its host, its private name and its password."""

    http_url: str
    """HTTP interface, under the private name."""
    native_url: str
    """Native protocol, for migrations."""
    password: SecretReference
    """Password of USER."""
    http_door: Door
    """Where consumers of the HTTP interface are let in."""
    native_door: Door
    """Where migrations are let in."""
    service: aws.ecs.Service
    """The running server; depend on it to start after it."""
    log_group_name: pulumi.Output[str]
    """Name of the server's log group."""

    def __init__(
        self, name: str, args: ClickHouseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ClickHouse", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        protected = args.settings.deletion_protection
        host = f"clickhouse.{args.cluster.namespace}"
        self.http_url = f"http://{host}:{CLICKHOUSE_HTTP_PORT}"
        self.native_url = f"clickhouse://{host}:{CLICKHOUSE_NATIVE_PORT}"
        group = closed_group(name, "ClickHouse server", args.network.vpc_id, opts=child)
        self.http_door = Door(group.id, CLICKHOUSE_HTTP_PORT)
        self.native_door = Door(group.id, CLICKHOUSE_NATIVE_PORT)
        password = random.RandomPassword(
            f"{name}-password",
            length=32,
            special=False,
            opts=pulumi.ResourceOptions(parent=self, protect=protected),
        )
        secret = StoredSecret(
            f"{name}-credentials",
            StoredSecretArgs("ClickHouse", {"password": password.result}, protected),
            child,
        )
        self.password = secret.reference("password")
        subnet_id = args.network.task_subnet_ids.apply(lambda ids: ids[0])
        machine = ClickHouseHost(
            name,
            ClickHouseHostArgs(
                settings=args.settings.clickhouse,
                location=args.location,
                cluster_name=args.cluster.name,
                vpc_id=args.network.vpc_id,
                subnet_id=subnet_id,
                public=args.network.public_tasks,
                protected=protected,
            ),
            child,
        )
        discovery = discovery_service(name, "clickhouse", "A", args.cluster, opts=child)
        self.service = aws.ecs.Service(
            name,
            cluster=args.cluster.arn,
            task_definition=self._task(name, args, child).arn,
            launch_type="EC2",
            desired_count=1,
            # Never two servers on one volume.
            deployment_minimum_healthy_percent=0,
            deployment_maximum_percent=100,
            availability_zone_rebalancing="DISABLED",
            deployment_circuit_breaker={"enable": True, "rollback": True},
            network_configuration={"subnets": [subnet_id], "security_groups": [group.id]},
            service_registries={"registry_arn": discovery.arn},
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[machine]),
        )
        self.register_outputs({"httpUrl": self.http_url, "volumeId": machine.volume_id})

    def _task(
        self, name: str, args: ClickHouseArgs, child: pulumi.ResourceOptions
    ) -> aws.ecs.TaskDefinition:
        logs = aws.cloudwatch.LogGroup(
            name, retention_in_days=args.settings.logs.retention_days, opts=child
        )
        self.log_group_name = logs.name
        container = ContainerDefinition(
            name="clickhouse",
            image=clickhouse_image(),
            ports=[CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT],
            health_check=HealthCheck(health_command(CLICKHOUSE_HTTP_PORT, "/ping")),
            log_group=logs.name,
            region=args.location.region,
            plain={
                "CLICKHOUSE_DB": DATABASE,
                "CLICKHOUSE_USER": USER,
                CONFIG_VARIABLE: server_config(),
            },
            secret={"CLICKHOUSE_PASSWORD": self.password},
            more={
                "entryPoint": start_command()[:2],
                "command": start_command()[2:],
                # No hard limit: the server keeps to its share of the instance by itself.
                "memoryReservation": int(args.settings.clickhouse.memory_gib * 1024 / 2),
                "mountPoints": [
                    {
                        "containerPath": "/var/lib/clickhouse",
                        "readOnly": False,
                        "sourceVolume": DATA_VOLUME,
                    }
                ],
                "ulimits": [{"name": "nofile", "softLimit": OPEN_FILES, "hardLimit": OPEN_FILES}],
            },
        )
        return aws.ecs.TaskDefinition(
            name,
            family=name,
            network_mode="awsvpc",
            runtime_platform={"cpu_architecture": "ARM64", "operating_system_family": "LINUX"},
            execution_role_arn=execution_role(name, logs.arn, [self.password], child).arn,
            task_role_arn=task_role(name, [], child).arn,
            volumes=[{"name": DATA_VOLUME, "host_path": DATA_FOLDER}],
            container_definitions=container.to_json(),
            opts=child,
        )
