"""Wires the components of one Langfuse; it makes no resource of its own.

The program (`__main__.py`) deploys a stack with it, and `plugin/` a component of other programs.
"""

from pathlib import Path
from typing import Any

import pulumi

from langfuse_aws.components.authorities import unverified
from langfuse_aws.components.clickhouse.clickhouse import ClickHouse, ClickHouseArgs
from langfuse_aws.components.data_plane.data_plane import (
    DataPlane,
    DataPlaneArgs,
    superseded_passwords,
)
from langfuse_aws.components.grafana.grafana import Grafana, GrafanaArgs
from langfuse_aws.components.ingress.ingress import Ingress, IngressArgs
from langfuse_aws.components.langfuse_web.langfuse_web import LangfuseWeb, LangfuseWebArgs
from langfuse_aws.components.langfuse_worker.langfuse_worker import (
    LangfuseWorker,
    LangfuseWorkerArgs,
)
from langfuse_aws.components.migration.migration import Migration, MigrationArgs
from langfuse_aws.components.network.network import Network, NetworkArgs
from langfuse_aws.components.observability.monthly_cost import MonthlyCost
from langfuse_aws.components.observability.observability import Observability, ObservabilityArgs
from langfuse_aws.components.protection.access_logs import AccessLogs, AccessLogsArgs
from langfuse_aws.components.protection.adoption import Adoption
from langfuse_aws.components.protection.backups import Backups, BackupsArgs
from langfuse_aws.components.protection.encryption import Encryption, EncryptionArgs
from langfuse_aws.components.protection.release_guard import (
    HowToSet,
    ReleaseGuard,
    in_configuration,
)
from langfuse_aws.components.protection.replacement_guard import IN_CONFIGURATION, ReplacementGuard
from langfuse_aws.components.runtime.cluster import Cluster, ClusterArgs
from langfuse_aws.components.runtime.images import Images, ImagesArgs
from langfuse_aws.components.service_inputs import ServiceInputs
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location, refuse_location
from langfuse_aws.components.shared.metrics import merge_dimensions
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH
from langfuse_aws.settings.agreement import doubts
from langfuse_aws.settings.closed_network import endpoint_services
from langfuse_aws.settings.installation import PROJECT
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stack import Secrets
from langfuse_aws.settings.stores import ClickHouseOnEc2


def deploy(
    name: str,
    settings: Settings,
    secrets: Secrets,
    parent: pulumi.Resource | None = None,
    how_to_allow: str = IN_CONFIGURATION,
    how_to_set: HowToSet = in_configuration,
    folder: Path = PROJECT,
) -> dict[str, pulumi.Output[Any]]:
    """Make a whole Langfuse whose resources' names begin with `name`; returns its outputs.

    `how_to_allow` is what the guard says of a replacement (see `ReplacementGuard`), `how_to_set`
    what it says of another release. The lock of the images is in `folder`. Raises
    `pulumi.RunError` for settings that do not fit what is in AWS.
    """
    for doubt in doubts(settings, dict.fromkeys(secrets.environment)):
        pulumi.log.warn(doubt)
    location = Location.current(parent)
    refuse_location(settings, location)
    if doubt := unverified(settings, location.region):
        pulumi.log.warn(doubt)
    guard = ReplacementGuard(
        name, [*settings.allow_replace, *superseded_passwords(name, settings)], how_to_allow
    )
    cost = MonthlyCost(location.region)
    opts = pulumi.ResourceOptions.merge(guard.options(parent), cost.options())
    opts = pulumi.ResourceOptions.merge(opts, iam.bounded(settings.permissions_boundary))
    # Logs are not data: neither the guard nor the stack's key, which no log could be written with.
    unguarded = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=parent), cost.options())
    access_logs = AccessLogs(
        f"{name}-access-logs",
        AccessLogsArgs(
            location=location,
            retention_days=settings.logs.retention_days,
            protected=settings.deletion_protection,
        ),
        unguarded,
    ).bucket
    if settings.encryption is not None:
        encryption = Encryption(
            f"{name}-encryption", EncryptionArgs(settings, location, guard), opts
        )
        opts = pulumi.ResourceOptions.merge(encryption.options(), opts)
    adoption = Adoption(name, settings.adopted, settings.allow_replace)
    stores = pulumi.ResourceOptions.merge(adoption.options(), opts)

    images = Images(name, ImagesArgs(settings, location, folder), opts)
    network = Network(
        name,
        NetworkArgs(
            settings=settings.network,
            location=location,
            log_retention_days=settings.logs.retention_days,
            guard=guard,
            endpoint_services=endpoint_services(settings),
            hours=settings.hours,
            named=isinstance(settings.clickhouse, ClickHouseOnEc2),
        ),
        opts,
    )
    cluster = Cluster(name, ClusterArgs(network.vpc_id), opts)
    ingress = Ingress(
        name,
        IngressArgs(
            settings=settings,
            network=network,
            cluster=cluster,
            how_to_allow=how_to_allow,
            access_logs=access_logs,
        ),
        opts,
    )
    data_plane = DataPlane(
        name,
        DataPlaneArgs(
            settings=settings,
            location=location,
            vpc_id=network.vpc_id,
            subnet_ids=network.private_subnet_ids,
            origin=ingress.url,
            secrets=secrets,
            access_logs=access_logs,
        ),
        stores,
    )
    clickhouse = ClickHouse(
        f"{name}-clickhouse",
        ClickHouseArgs(
            settings=settings,
            location=location,
            network=network,
            cluster=cluster,
            images=images,
            passwords=secrets.passwords,
            access_logs=access_logs,
        ),
        opts,
    )
    backups: list[Backups] = []
    if clickhouse.volume_arns or (settings.backups.copy_region and data_plane.postgres.backed_up):
        backups.append(
            Backups(
                f"{name}-backups",
                BackupsArgs(
                    settings=settings.backups,
                    location=location,
                    volume_arns=clickhouse.volume_arns,
                    database=data_plane.postgres.backed_up,
                    protected=settings.deletion_protection,
                ),
                opts,
            )
        )
    parts = ServiceInputs(
        settings=settings,
        location=location,
        network=network,
        cluster=cluster,
        images=images,
        data_plane=data_plane,
        clickhouse=clickhouse,
        guarded=guard.close(data_plane, ReleaseGuard(settings, how_to_set)),
        url=ingress.url,
    )
    migration = Migration(f"{name}-migration", MigrationArgs(parts), opts)
    web = LangfuseWeb(f"{name}-web", LangfuseWebArgs(parts, ingress, migration), opts)
    worker = LangfuseWorker(f"{name}-worker", LangfuseWorkerArgs(parts, migration, name), opts)

    outputs: dict[str, pulumi.Output[Any]] = {}
    metric_dimensions = merge_dimensions(
        part.metric_dimensions for part in (ingress, web, worker, data_plane, clickhouse, *backups)
    )
    if settings.grafana.enabled:
        grafana = Grafana(f"{name}-grafana", GrafanaArgs(parts, ingress, metric_dimensions), opts)
        outputs["grafana_url"] = grafana.url
        outputs["grafana_password_secret_arn"] = grafana.password_secret_arn
    observability = Observability(
        name, ObservabilityArgs(settings, location, metric_dimensions), opts
    )

    outputs["url"] = ingress.url
    outputs["health_url"] = pulumi.Output.concat(ingress.url, WEB_HEALTH_PATH)
    if data_plane.bootstrap is not None:
        outputs["organization"] = pulumi.Output.from_input(data_plane.bootstrap.identifier)
        outputs["project"] = outputs["organization"]
        outputs["public_key"] = data_plane.bootstrap.public_key
        outputs["secret_key_secret_arn"] = data_plane.bootstrap.secret_arn
    outputs["cluster_name"] = cluster.name
    outputs["web_service_name"] = web.service_name
    outputs["worker_service_name"] = worker.service_name
    outputs["dashboard_url"] = observability.dashboard_url
    alarms = settings.alarms
    outputs["monthly_cost_usd"] = cost.usd(alarms and alarms.monthly_budget_usd)
    outputs["log_group_names"] = pulumi.Output.all(
        web.log_group_name,
        worker.log_group_name,
        migration.log_group_name,
        *clickhouse.log_group_names,
    )
    return outputs
