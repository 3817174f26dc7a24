"""Creates ClickHouse: one server or three, each on an instance and a volume of its own.

Or adopts one that exists. Why so: docs/adr/0002-clickhouse-on-ec2-with-its-own-volume.md, and
docs/adr/0008-three-clickhouse-servers.md.

Who may reach it: at port 8123 (HTTP) web, worker and Grafana; at port 9000 (native) the migration,
the backup and the server itself. Nobody else: docs/network.md has every open port of a stack.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from langfuse_aws.components.clickhouse.backup import (
    ClickHouseBackup,
    ClickHouseBackupArgs,
    backup_bucket,
)
from langfuse_aws.components.clickhouse.config import (
    INTERSERVER_PORT,
    KEEPER_PORT,
    RAFT_PORT,
)
from langfuse_aws.components.clickhouse.host import ClickHouseHost, ClickHouseHostArgs
from langfuse_aws.components.clickhouse.reader import Reader, make_reader
from langfuse_aws.components.clickhouse.task import (
    ClickHouseTaskArgs,
    clickhouse_task,
    service_timeouts,
)
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.discovery import discovery_service
from langfuse_aws.components.runtime.images import Images
from langfuse_aws.components.runtime.read_back import running_service
from langfuse_aws.components.shared.hours import SERVICE_NUMBERS, left_alone, schedule_service
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.security_groups import IngressRule, allow_self, security_group
from langfuse_aws.components.shared.stored_secret import (
    SecretReference,
    StoredSecret,
    StoredSecretArgs,
    external_password,
)
from langfuse_aws.contract.ports_and_health import CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT
from langfuse_aws.settings.external_stores import ExternalClickHouse
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stores import ClickHouseOnEc2

USER: Final = "langfuse"

DNS_PORT: Final = 53

MINIMUM_HEALTHY_PERCENT: Final = {1: 0, 3: 66}
"""One server stops before another one starts on its volume; of three, one at a time."""


@dataclass(frozen=True)
class ClickHouseArgs:
    """What ClickHouse is made from."""

    settings: Settings
    location: Location
    network: Network
    cluster: Cluster
    images: Images
    passwords: Mapping[str, pulumi.Output[str]]
    """Of an external ClickHouse: `clickhouse`, and `grafana` of the user that only reads."""
    access_logs: pulumi.Output[str]
    """Name of the bucket that is told of each request to the backups'."""


class ClickHouse(pulumi.ComponentResource):
    """The servers, their hosts, names, password and backups."""

    service: aws.ecs.Service | None = None
    """None: it is external."""
    http_url: str
    """HTTP interface."""
    native_url: str
    """Native protocol, for migrations."""
    user: str
    """Who connects."""
    identity: pulumi.Output[str]
    """IDs of the data volumes, once the servers run: others are another database."""
    password: SecretReference
    """Password of `user`."""
    reader: Reader | None
    """Who may only read, if Grafana is there to do so."""
    http_ingress: dict[str, IngressRule]
    """Where consumers of the HTTP interface are let in."""
    native_ingress: dict[str, IngressRule]
    """Where migrations are let in."""
    volume_arns: list[pulumi.Output[str]]
    """What backups are taken of."""
    log_group_names: list[pulumi.Output[str]]
    """Names of the servers' and of the backups' log group."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the service, its hosts, volumes and backups; nothing if external."""

    def __init__(
        self, name: str, args: ClickHouseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ClickHouse", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings.clickhouse
        self.reader = make_reader(name, args.settings, args.passwords.get("grafana"), child)
        if isinstance(settings, ExternalClickHouse):
            self._adopt(name, settings, args, child)
        else:
            self._create(name, settings, args, child)
        self.register_outputs({"httpUrl": self.http_url})

    def _adopt(
        self,
        name: str,
        settings: ExternalClickHouse,
        args: ClickHouseArgs,
        child: pulumi.ResourceOptions,
    ) -> None:
        self.http_url, self.native_url = settings.url, settings.migration_url
        self.user = settings.user
        self.identity = pulumi.Output.from_input(settings.url)
        self.http_ingress, self.native_ingress = {}, {}
        self.volume_arns, self.log_group_names = [], []
        self.metric_dimensions = {}
        self.password = external_password(
            name,
            "password",
            args.passwords.get("clickhouse"),
            args.settings.deletion_protection,
            child,
        )

    def _create(
        self,
        name: str,
        settings: ClickHouseOnEc2,
        args: ClickHouseArgs,
        child: pulumi.ResourceOptions,
    ) -> None:
        image = args.images["clickhouse"]
        servers = server_names(settings.replicas, args.cluster.namespace)
        host = f"clickhouse.{args.cluster.namespace}"
        self.user = USER
        self.http_url = f"http://{host}:{CLICKHOUSE_HTTP_PORT}"
        # Migrations read back at once what they wrote, so they stay with one server.
        self.native_url = f"clickhouse://{servers[0]}:{CLICKHOUSE_NATIVE_PORT}"
        group = security_group(name, "ClickHouse server", args.network.vpc_id, opts=child)
        self.http_ingress = {"clickhouse-http": IngressRule(group.id, CLICKHOUSE_HTTP_PORT)}
        self.native_ingress = {"clickhouse-native": IngressRule(group.id, CLICKHOUSE_NATIVE_PORT)}
        depends_on: list[pulumi.Resource] = [
            _way_to_s3(name, group.id, args.location, child),
            *_way_to_names(name, group.id, args.network.name_servers, child),
        ]
        if settings.clustered:
            ports = {
                "native": CLICKHOUSE_NATIVE_PORT,
                "interserver": INTERSERVER_PORT,
                "keeper": KEEPER_PORT,
                "raft": RAFT_PORT,
            }
            depends_on += allow_self(name, group.id, ports, opts=child)
        secret = self._make_secrets(name, len(servers), args.settings.deletion_protection, child)
        self.password = secret.reference("password")
        subnet_ids = [
            args.network.task_subnet_ids.apply(lambda ids, index=index: ids[index])
            for index in range(len(servers))
        ]
        zones = [zone.name for zone in args.network.zones[: len(servers)]]
        if len(set(zones)) < len(servers):
            raise pulumi.RunError(
                f"langfuse:clickhouse.replicas: {len(servers)}: the first private subnets are in "
                f"{', '.join(zones)}. List subnets of {len(servers)} different zones first."
            )
        logs = aws.cloudwatch.LogGroup(
            name, retention_in_days=args.settings.logs.retention_days, opts=child
        )
        machine = ClickHouseHost(
            name,
            ClickHouseHostArgs(
                settings=settings,
                location=args.location,
                cluster=args.cluster,
                vpc_id=args.network.vpc_id,
                zones=zones,
                subnet_ids=subnet_ids,
                public=args.network.public_tasks,
                protected=args.settings.deletion_protection,
                logs=logs,
                hours=args.settings.hours,
            ),
            child,
        )
        self.volume_arns = machine.volume_arns
        bucket = backup_bucket(
            name,
            settings.backup_retention_days,
            protected=args.settings.deletion_protection,
            access_logs=args.access_logs,
            opts=child,
        )
        discovery = discovery_service(name, "clickhouse", "A", args.cluster, opts=child)
        task = clickhouse_task(
            name,
            ClickHouseTaskArgs(
                servers=servers,
                user=USER,
                secret=secret,
                bucket=bucket,
                reader=self.reader,
                image=image,
                location=args.location,
                logs=logs,
            ),
            child,
        )
        self.service = service = aws.ecs.Service(
            name,
            cluster=args.cluster.arn,
            task_definition=task.arn,
            launch_type="EC2",
            desired_count=len(servers),
            deployment_minimum_healthy_percent=MINIMUM_HEALTHY_PERCENT[len(servers)],
            deployment_maximum_percent=100,
            availability_zone_rebalancing="DISABLED",
            placement_constraints=[{"type": "distinctInstance"}],
            deployment_circuit_breaker={"enable": True, "rollback": True},
            network_configuration={"subnets": subnet_ids, "security_groups": [group.id]},
            service_registries={"registry_arn": discovery.arn},
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[machine, *depends_on, *image.after],
                    custom_timeouts=service_timeouts(len(servers)),
                    # A second service beside the first would start servers on the same volumes.
                    delete_before_replace=True,
                ),
                left_alone(args.settings.hours, SERVICE_NUMBERS),
            ),
        )
        schedule_service(
            name, service, args.cluster.name, args.settings.hours, "clickhouse", len(servers), child
        )
        running = running_service(
            service,
            task.arn,
            may_be_stopped=args.settings.hours is not None,
            after=[machine.group_name],
        )
        self.identity = pulumi.Output.all(running, *machine.volume_ids).apply(
            lambda found: ",".join(found[1:])
        )
        backup = ClickHouseBackup(
            f"{name}-backup",
            ClickHouseBackupArgs(
                log_retention_days=args.settings.logs.record_days,
                location=args.location,
                network=args.network,
                cluster=args.cluster,
                url=bucket.url,
                host=host,
                user=USER,
                password=self.password,
                image=image,
                replicated=settings.clustered,
                ingress_rules=self.native_ingress,
                hours=args.settings.hours,
            ),
            child,
        )
        self.log_group_names = [logs.name, backup.log_group_name]
        self.metric_dimensions = {
            "clickhouse": [{"ClusterName": args.cluster.name, "ServiceName": service.name}],
            **machine.metric_dimensions,
            **backup.metric_dimensions,
        }

    def _make_secrets(
        self, name: str, servers: int, protected: bool, child: pulumi.ResourceOptions
    ) -> StoredSecret:
        kept = pulumi.ResourceOptions(parent=self, protect=protected)
        values: dict[str, pulumi.Input[str]] = {
            "password": random.RandomPassword(
                f"{name}-password", length=32, special=False, opts=kept
            ).result
        }
        if servers > 1:
            values["interserver"] = random.RandomPassword(
                f"{name}-interserver", length=32, special=False, opts=kept
            ).result
        return StoredSecret(
            f"{name}-credentials", StoredSecretArgs("ClickHouse", values, protected), child
        )


def server_names(replicas: int, namespace: str) -> list[str]:
    """Name each server: `clickhouse`, or `clickhouse-1` to `clickhouse-3`, in the namespace."""
    if replicas == 1:
        return [f"clickhouse.{namespace}"]
    return [f"clickhouse-{number}.{namespace}" for number in range(1, replicas + 1)]


def _way_to_s3(
    name: str,
    group_id: pulumi.Output[str],
    location: Location,
    child: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Let the server write backups."""
    prefixes = aws.ec2.get_managed_prefix_list(
        name=f"com.amazonaws.{location.region}.s3", opts=pulumi.InvokeOptions(parent=child.parent)
    )
    return aws.vpc.SecurityGroupEgressRule(
        f"{name}-to-s3",
        security_group_id=group_id,
        prefix_list_id=prefixes.id,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        description="to S3",
        opts=child,
    )


def _way_to_names(
    name: str,
    group_id: pulumi.Output[str],
    servers: Sequence[str],
    child: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Let the server ask name servers that are not Amazon's, for S3's name and for its peers'.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
    """
    return [
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-to-dns-{server}-{protocol}",
            security_group_id=group_id,
            cidr_ipv4=f"{server}/32",
            ip_protocol=protocol,
            from_port=DNS_PORT,
            to_port=DNS_PORT,
            description=f"to the name server {server}",
            opts=child,
        )
        for server in servers
        for protocol in ("tcp", "udp")
    ]
