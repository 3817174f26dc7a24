"""Creates Langfuse's web service, attached to the ingress."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.container_definition import HealthCheck
from components.container_service import ContainerService, ContainerServiceArgs
from components.ingress import Ingress
from components.metrics import Watched
from components.migration import Migration
from components.security_groups import let_ingress_in
from components.stack_parts import StackParts
from contract import environment
from contract.runtime import WEB_HEALTH_PATH, WEB_PORT, health_command


@dataclass(frozen=True)
class LangfuseWebArgs:
    """What the web service is made from."""

    parts: StackParts
    ingress: Ingress
    migration: Migration
    """Comes first: no task runs on a database that is not its release's."""


class LangfuseWeb(pulumi.ComponentResource):
    """The web container: user interface and API."""

    service: aws.ecs.Service
    """The ECS service, steady."""
    log_group_name: pulumi.Output[str]
    """Name of its log group."""
    watched: Watched
    """What CloudWatch calls the service."""

    def __init__(
        self, name: str, args: LangfuseWebArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:LangfuseWeb", name, None, opts)
        parts = args.parts
        service = ContainerService(
            name,
            ContainerServiceArgs(
                container="web",
                image=parts.images["web"],
                port=WEB_PORT,
                health_check=HealthCheck(health_command(WEB_PORT, WEB_HEALTH_PATH)),
                settings=parts.settings.web,
                environment=environment.web(
                    parts.settings, parts.endpoints, parts.credentials, parts.first_start
                ),
                statements=parts.statements,
                doors=parts.doors,
                location=parts.location,
                network=parts.network,
                cluster=parts.cluster,
                log_retention_days=parts.settings.logs.retention_days,
                service=args.ingress.attachment,
                after=[args.ingress.ready, args.migration],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        let_ingress_in(
            name,
            args.ingress.group_id,
            service.group_id,
            WEB_PORT,
            "ingress to web",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.service, self.log_group_name = service.service, service.log_group_name
        self.watched = service.watched
        self.register_outputs({"serviceName": self.service.name})
