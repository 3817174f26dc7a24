"""Creates Langfuse's web service: on Fargate behind the ingress, or on App Runner."""

from dataclasses import dataclass

import pulumi

from langfuse_aws.components import environment
from langfuse_aws.components.environment import Environment
from langfuse_aws.components.ingress.ingress import Ingress
from langfuse_aws.components.langfuse_web.app_runner import AppRunner, AppRunnerArgs
from langfuse_aws.components.langfuse_web.app_runner_domain import (
    AppRunnerDomain,
    AppRunnerDomainArgs,
)
from langfuse_aws.components.migration.migration import Migration
from langfuse_aws.components.runtime.container_service import ContainerService, ContainerServiceArgs
from langfuse_aws.components.runtime.task import HealthCheck
from langfuse_aws.components.service_inputs import ServiceInputs
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.security_groups import let_ingress_in
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH, WEB_PORT, health_command
from langfuse_aws.contract.start_and_stop import (
    STOP_TIMEOUT_SECONDS,
    WEB_START_SECONDS,
    start_seconds,
)
from langfuse_aws.settings.app_runner import APP_RUNNER


@dataclass(frozen=True)
class LangfuseWebArgs:
    """What the web service is made from."""

    parts: ServiceInputs
    ingress: Ingress
    migration: Migration
    """Comes first: no task runs on a database that is not its release's."""


class LangfuseWeb(pulumi.ComponentResource):
    """The web container: user interface and API."""

    service_name: pulumi.Output[str]
    """Name of the ECS or App Runner service, steady."""
    log_group_name: pulumi.Output[str]
    """Name of its log group."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the service."""

    def __init__(
        self, name: str, args: LangfuseWebArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:LangfuseWeb", name, None, opts)
        on_app_runner = args.parts.settings.web.platform == APP_RUNNER
        make = self._on_app_runner if on_app_runner else self._on_fargate
        service = make(name, args)
        self.service_name, self.log_group_name = service.service_name, service.log_group_name
        self.metric_dimensions = service.metric_dimensions
        self.register_outputs({"serviceName": self.service_name})

    def _on_fargate(self, name: str, args: LangfuseWebArgs) -> ContainerService:
        child, parts = pulumi.ResourceOptions(parent=self), args.parts
        router = args.ingress.router
        service = ContainerService(
            name,
            ContainerServiceArgs(
                container="web",
                image=parts.images["web"],
                port=WEB_PORT,
                health_check=HealthCheck(
                    health_command(WEB_PORT, WEB_HEALTH_PATH),
                    start_period=start_seconds(WEB_START_SECONDS, parts.settings.web.cpu),
                ),
                stop_timeout=STOP_TIMEOUT_SECONDS,
                settings=parts.settings.web,
                environment=_environment(parts),
                statements=parts.statements,
                ingress_rules=parts.ingress_rules,
                location=parts.location,
                network=parts.network,
                cluster=parts.cluster,
                log_retention_days=parts.settings.logs.retention_days,
                attachment=router.attachment,
                after=[router, args.migration, *parts.before_services],
                execute_command=parts.settings.exec,
                authorities=parts.authorities,
                hours=parts.settings.hours,
            ),
            child,
        )
        group_id = service.group_id
        let_ingress_in(name, router.group_id, group_id, WEB_PORT, "ingress to web", opts=child)
        args.ingress.point_domain([service.service])
        return service

    def _on_app_runner(self, name: str, args: LangfuseWebArgs) -> AppRunner:
        child, certificate = pulumi.ResourceOptions(parent=self), args.ingress.certificate
        if certificate is None:
            raise ValueError("settings promise a domain for App Runner")
        after = [args.migration, *args.parts.before_services]
        service = AppRunner(name, AppRunnerArgs(args.parts, _environment(args.parts), after), child)
        region = args.parts.location.region
        AppRunnerDomain(name, AppRunnerDomainArgs(service.service_arn, certificate, region), child)
        return service


def _environment(parts: ServiceInputs) -> Environment[pulumi.Input[str], SecretReference]:
    """Build what the container gets, on either platform."""
    return environment.web(parts.settings, parts.endpoints, parts.credentials)
