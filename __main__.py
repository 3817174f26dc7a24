"""Wires the components of one stack and exports its outputs."""

import pulumi

from components.backups import Backups, BackupsArgs
from components.clickhouse import ClickHouse, ClickHouseArgs
from components.cluster import Cluster, ClusterArgs
from components.data_plane import DataPlane, DataPlaneArgs
from components.grafana import Grafana, GrafanaArgs
from components.ingress import Ingress, IngressArgs
from components.langfuse_web import LangfuseWeb, LangfuseWebArgs
from components.langfuse_worker import LangfuseWorker, LangfuseWorkerArgs
from components.location import Location
from components.metrics import together
from components.migration import Migration, MigrationArgs
from components.monthly_cost import MonthlyCost
from components.names import resource_prefix
from components.network import Network, NetworkArgs
from components.observability import Observability, ObservabilityArgs
from components.replacement_guard import ReplacementGuard
from components.stack_parts import StackParts
from contract.runtime import WEB_HEALTH_PATH
from settings import stack

settings, secrets = stack.read()
location = Location.current()
name = resource_prefix(pulumi.get_project(), pulumi.get_stack())

guard = ReplacementGuard(name, settings.allow_replace)
guard.watch()
cost = MonthlyCost(location.region)
cost.watch()

network = Network(
    name, NetworkArgs(settings.network, location, settings.logs.retention_days, guard)
)
cluster = Cluster(name, ClusterArgs(network.vpc_id))
ingress = Ingress(name, IngressArgs(settings, network, cluster))
data_plane = DataPlane(
    name,
    DataPlaneArgs(settings, network.vpc_id, network.private_subnet_ids, ingress.url, secrets),
)
clickhouse = ClickHouse(
    f"{name}-clickhouse",
    ClickHouseArgs(settings, location, network, cluster, secrets.passwords),
)
backups: list[Backups] = []
if clickhouse.volume_arns or (settings.backups.copy_region and data_plane.postgres.backup_arn):
    backups.append(
        Backups(
            f"{name}-backups",
            BackupsArgs(
                settings.backups,
                location,
                clickhouse.volume_arns,
                data_plane.postgres.backup_arn,
                settings.deletion_protection,
            ),
        )
    )
parts = StackParts(settings, location, network, cluster, data_plane, clickhouse, ingress.url)
migration = Migration(f"{name}-migration", MigrationArgs(parts))
web = LangfuseWeb(f"{name}-web", LangfuseWebArgs(parts, ingress, migration))
worker = LangfuseWorker(f"{name}-worker", LangfuseWorkerArgs(parts, migration))
guard.close(data_plane)

watched = together(
    part.watched for part in (ingress, web, worker, data_plane, clickhouse, *backups)
)
if settings.grafana.enabled:
    grafana = Grafana(f"{name}-grafana", GrafanaArgs(parts, ingress, watched))
    pulumi.export("grafana_url", grafana.url)
    pulumi.export("grafana_password_secret_arn", grafana.password_secret_arn)
observability = Observability(name, ObservabilityArgs(settings, location, watched))

pulumi.export("url", ingress.url)
pulumi.export("health_url", pulumi.Output.concat(ingress.url, WEB_HEALTH_PATH))
if data_plane.bootstrap is not None:
    pulumi.export("organization", data_plane.bootstrap.identifier)
    pulumi.export("project", data_plane.bootstrap.identifier)
    pulumi.export("public_key", data_plane.bootstrap.public_key)
    pulumi.export("secret_key_secret_arn", data_plane.bootstrap.secret_arn)
pulumi.export("cluster_name", cluster.name)
pulumi.export("web_service_name", web.service.name)
pulumi.export("worker_service_name", worker.service.name)
pulumi.export("dashboard_url", observability.dashboard_url)
pulumi.export("monthly_cost_usd", cost.usd())
pulumi.export(
    "log_group_names",
    [
        web.log_group_name,
        worker.log_group_name,
        migration.log_group_name,
        *clickhouse.log_group_names,
    ],
)
