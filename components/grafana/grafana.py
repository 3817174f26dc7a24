"""Creates Grafana behind the ingress, with a dashboard of the stack.

It keeps nothing: users, sessions and what is changed in a browser go with the task. Dashboards and
data sources are the files beside this one.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pulumi

from langfuse_aws.components.environment import Environment
from langfuse_aws.components.grafana import files as grafana_files
from langfuse_aws.components.ingress.ingress import Ingress
from langfuse_aws.components.runtime.container_service import capacity_provider, fargate_service
from langfuse_aws.components.runtime.read_back import running_service
from langfuse_aws.components.runtime.task import FargateTaskArgs, HealthCheck, fargate_task
from langfuse_aws.components.service_inputs import ServiceInputs
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.generated_secret import GeneratedSecret, GeneratedSecretArgs
from langfuse_aws.components.shared.hours import SERVICE_NUMBERS, left_alone, schedule_service
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.path_part import GRAFANA_PATH, PathPart
from langfuse_aws.components.shared.security_groups import let_ingress_in
from langfuse_aws.contract.ports_and_health import health_command
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.versions import GRAFANA_CLICKHOUSE

CONTAINER: Final = "grafana"
PORT: Final = 3000
HEALTH_PATH: Final = f"{GRAFANA_PATH}/api/health"
"""https://grafana.com/docs/grafana/latest/developers/http_api/other/#health-api"""

CPU_UNITS: Final = 512
MEMORY_MIB: Final = 1024
"""Grafana asks for 512 MiB and one core at the least; its data sources are processes of their own.
https://grafana.com/docs/grafana/latest/setup-grafana/installation/"""

TASKS: Final = 1

VARIABLES: Final = {
    "cluster": ("web", "ClusterName"),
    "web": ("web", "ServiceName"),
    "worker": ("worker", "ServiceName"),
    "queues": ("queues", "Stack"),
    "load_balancer": ("balancer", "LoadBalancer"),
    "api": ("api", "ApiId"),
    "database_cluster": ("aurora", "DBClusterIdentifier"),
    "database_instance": ("database", "DBInstanceIdentifier"),
    "cache_nodes": ("caches", "CacheClusterId"),
}
"""The dashboard's variables: the subject that each names, and CloudWatch's dimension."""

CLOUDWATCH_ACTIONS: Final = (
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricStatistics",
    "cloudwatch:ListMetrics",
)
"""https://grafana.com/docs/grafana/latest/datasources/aws-cloudwatch/"""


@dataclass(frozen=True)
class GrafanaArgs:
    """What Grafana is made from."""

    parts: ServiceInputs
    ingress: Ingress
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the stack's things."""


class Grafana(pulumi.ComponentResource):
    """The service, its password, and its place at the ingress."""

    url: pulumi.Output[str]
    """Where it is, once it runs as it is configured."""
    password_secret_arn: pulumi.Output[str]
    """ARN of the secret whose value `password` is that of the user `admin`."""
    log_group_name: pulumi.Output[str]
    """Name of its log group."""

    def __init__(
        self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Grafana", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        parts = args.parts
        reader = parts.clickhouse.reader
        if reader is None:
            raise ValueError("settings promise Grafana a ClickHouse user")
        url = pulumi.Output.concat(parts.url, GRAFANA_PATH)
        secret = GeneratedSecret(
            name, GeneratedSecretArgs("Grafana", ["password", "secret-key"]), child
        )
        self.password_secret_arn = secret.arn
        values = pulumi.Output.all(**dashboard_values(args.metric_dimensions, parts.settings))
        texts = {
            variable: values.apply(
                lambda found, variable=variable: grafana_files.text(variable, found)
            )
            for variable in grafana_files.paths()
        }
        command = grafana_files.start_command()
        task = fargate_task(
            name,
            FargateTaskArgs(
                description="Grafana",
                container=CONTAINER,
                image=parts.images["grafana"],
                cpu=CPU_UNITS,
                memory=MEMORY_MIB,
                ports=[PORT],
                health_check=HealthCheck(health_command(PORT, HEALTH_PATH)),
                environment=Environment(
                    plain={
                        **configuration(url),
                        **clickhouse_address(parts.clickhouse.http_url),
                        "CLICKHOUSE_USER": reader.user,
                        "AWS_REGION": parts.location.region,
                        **texts,
                    },
                    secret={
                        "GF_SECURITY_ADMIN_PASSWORD": secret.reference("password"),
                        "GF_SECURITY_SECRET_KEY": secret.reference("secret-key"),
                        "CLICKHOUSE_PASSWORD": reader.password,
                    },
                ),
                # CloudWatch's metrics are no resources that a policy could name.
                statements=[iam.allow(CLOUDWATCH_ACTIONS, ["*"])],
                ingress_rules=parts.clickhouse.http_ingress,
                location=parts.location,
                network=parts.network,
                log_retention_days=parts.settings.logs.retention_days,
                more={"entryPoint": command[:2], "command": command[2:]},
            ),
            child,
        )
        self.log_group_name = task.log_group_name
        depends_on = let_ingress_in(
            name,
            args.ingress.router.group_id,
            task.group_id,
            PORT,
            "ingress to Grafana",
            opts=child,
        )
        part = PathPart(CONTAINER, PORT, GRAFANA_PATH, HEALTH_PATH)
        attachment = args.ingress.router.attach(name, part, child)
        service = fargate_service(
            name,
            task,
            parts.cluster,
            parts.network,
            attachment,
            tasks=TASKS,
            after=[*depends_on, parts.clickhouse],
            opts=pulumi.ResourceOptions.merge(
                child, left_alone(parts.settings.hours, SERVICE_NUMBERS)
            ),
        )
        schedule_service(
            name, service, parts.cluster.name, parts.settings.hours, "grafana", TASKS, child
        )
        running = running_service(
            service,
            task.arn,
            provider=capacity_provider(spot=False),
        )
        self.url = pulumi.Output.all(url, running).apply(lambda found: found[0])
        self.register_outputs({"url": self.url})


def configuration(url: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """Grafana's own settings, as `GF_<section>_<key>`.

    https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/
    """
    return {
        "GF_SERVER_ROOT_URL": pulumi.Output.concat(url, "/"),
        "GF_SERVER_SERVE_FROM_SUB_PATH": "true",
        "GF_PATHS_PROVISIONING": grafana_files.PROVISIONING,
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": grafana_files.HOME,
        "GF_PLUGINS_PREINSTALL_SYNC": f"grafana-clickhouse-datasource@{GRAFANA_CLICKHOUSE}",
        "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
        "GF_PLUGINS_PLUGIN_ADMIN_ENABLED": "false",
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_SECURITY_COOKIE_SECURE": "true",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_AWS_ALLOWED_AUTH_PROVIDERS": "default",
        "GF_AWS_ASSUME_ROLE_ENABLED": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
        # Rules would be lost with the task, and silently.
        "GF_UNIFIED_ALERTING_ENABLED": "false",
        # Web sockets, which an HTTP API does not pass.
        "GF_LIVE_MAX_CONNECTIONS": "0",
        "GF_LOG_MODE": "console",
        "GF_LOG_CONSOLE_FORMAT": "json",
    }


def clickhouse_address(url: str) -> dict[str, str]:
    """The parts of ClickHouse's URL, as the data source wants them."""
    parts = urlsplit(url)
    return {
        "CLICKHOUSE_HOST": str(parts.hostname),
        "CLICKHOUSE_PORT": str(parts.port),
        "CLICKHOUSE_SECURE": "true" if parts.scheme == "https" else "false",
    }


def dashboard_values(
    metric_dimensions: MetricDimensions, settings: Settings
) -> dict[str, pulumi.Input[str]]:
    """Name what the dashboard shows, by its variables: only what this stack has."""
    found = {
        variable: [each[dimension] for each in metric_dimensions[subject]]
        for variable, (subject, dimension) in VARIABLES.items()
        if subject in metric_dimensions
    }
    named = {
        variable: pulumi.Output.all(*values).apply(",".join) for variable, values in found.items()
    }
    return {**named, **tables(settings)}


def tables(settings: Settings) -> dict[str, str]:
    """Name Langfuse's tables: with `events_only` events hold what traces and observations did."""
    if settings.write_mode == "events_only":
        return {"events": "events_core", "observations": "events_core"}
    return {"traces": "traces", "observations": "observations"}
