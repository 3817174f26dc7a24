"""Creates an App Runner service of the web container, with its way to the stores.

App Runner is the load balancer, the certificate and the autoscaling too. Its log groups it makes
itself, once the service runs: their events never expire, and they stay when the service goes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, cast

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.environment import Environment
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.runtime.task import read_secrets
from langfuse_aws.components.service_inputs import ServiceInputs
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.security_groups import (
    allow_egress,
    allow_ingress,
    security_group,
)
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH, WEB_PORT
from langfuse_aws.contract.start_and_stop import WEB_START_SECONDS, start_seconds

MAX_CONCURRENCY: Final = 100
"""Requests at once that an instance gets before there is another one: App Runner's default.
https://docs.aws.amazon.com/apprunner/latest/dg/manage-autoscaling.html"""

HEALTH_INTERVAL_SECONDS: Final = 10
"""At the least."""
HEALTH_TIMEOUT_SECONDS: Final = 10
UNHEALTHY_THRESHOLD: Final = 20
"""App Runner knows no grace for the start: a service that is not healthy after so many checks has
failed. 20 is the most. https://docs.aws.amazon.com/apprunner/latest/api/API_HealthCheckConfiguration.html"""

PULLING: Final = "build.apprunner.amazonaws.com"
RUNNING: Final = "tasks.apprunner.amazonaws.com"
"""Who takes the two roles. https://docs.aws.amazon.com/apprunner/latest/dg/security_iam_service-with-iam.html"""

FAILED: Final = "CREATE_FAILED"


@dataclass(frozen=True)
class AppRunnerArgs:
    """What the service is made from."""

    parts: ServiceInputs
    environment: Environment[pulumi.Input[str], SecretReference]
    after: Sequence[pulumi.Resource]
    """What must run before the service starts."""


class AppRunner(pulumi.ComponentResource):
    """The service, its VPC connector, security group, roles and autoscaling configuration."""

    service_arn: pulumi.Output[str]
    """ARN of the service, once it runs."""
    service_name: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    """The log group of what web prints."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the service."""

    def __init__(
        self, name: str, args: AppRunnerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:AppRunner", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        parts = args.parts
        image, web = parts.images["web"], parts.settings.web
        group = security_group(name, "Langfuse web", parts.network.vpc_id, opts=child)
        depends_on = [
            allow_egress(name, group.id, opts=child),
            *allow_ingress(name, group.id, parts.ingress_rules, opts=child),
        ]
        access = iam.service_role(
            f"{name}-access", PULLING, _pull(image), parts.location, opts=child
        )
        instance = iam.service_role(
            f"{name}-instance",
            RUNNING,
            [*parts.statements, read_secrets(list(args.environment.secret.values()))],
            parts.location,
            opts=child,
            policy_arns=web.policy_arns,
        )
        scaling = aws.apprunner.AutoScalingConfigurationVersion(
            name,
            auto_scaling_configuration_name=name,
            min_size=web.min_tasks,
            max_size=web.max_tasks,
            max_concurrency=MAX_CONCURRENCY,
            opts=child,
        )
        connector = self._connector(name, parts, group.id, child)
        service = aws.apprunner.Service(
            name,
            # App Runner's names are unique in an account and region, as the group's ID is.
            service_name=group.id.apply(lambda found: f"{name}-{found[-6:]}"),
            source_configuration={
                "authentication_configuration": {"access_role_arn": access.arn},
                "auto_deployments_enabled": False,
                "image_repository": {
                    "image_identifier": _by_digest(image),
                    "image_repository_type": "ECR",
                    "image_configuration": {
                        "port": str(WEB_PORT),
                        "runtime_environment_variables": dict(args.environment.plain),
                        "runtime_environment_secrets": {
                            variable: reference.value_from
                            for variable, reference in args.environment.secret.items()
                        },
                    },
                },
            },
            instance_configuration={
                "cpu": str(web.cpu),
                "memory": str(web.memory),
                "instance_role_arn": instance.arn,
            },
            health_check_configuration={
                "protocol": "HTTP",
                "path": WEB_HEALTH_PATH,
                "interval": max(
                    HEALTH_INTERVAL_SECONDS,
                    ceil(start_seconds(WEB_START_SECONDS, web.cpu) / UNHEALTHY_THRESHOLD),
                ),
                "timeout": HEALTH_TIMEOUT_SECONDS,
                "healthy_threshold": 1,
                "unhealthy_threshold": UNHEALTHY_THRESHOLD,
            },
            network_configuration={
                "egress_configuration": {"egress_type": "VPC", "vpc_connector_arn": connector.arn},
                "ingress_configuration": {"is_publicly_accessible": True},
                "ip_address_type": "IPV4",
            },
            auto_scaling_configuration_arn=scaling.arn,
            tags={"Image": image.reference},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*depends_on, *image.after, *instance.attached, *args.after],
                # Its name is taken as long as it is there.
                delete_before_replace=True,
            ),
        )
        self.service_name = service.service_name
        wanted = Web.of(_by_digest(image), args.environment.plain, args.environment.secret)
        self.service_arn = pulumi.Output.all(
            service.arn, service.status, service.urn, service.source_configuration, wanted
        ).apply(lambda found: running(*found))
        self.log_group_name = pulumi.Output.concat(
            "/aws/apprunner/", service.service_name, "/", service.service_id, "/application"
        )
        self.metric_dimensions = {
            "app-runner": [{"ServiceName": service.service_name, "ServiceID": service.service_id}]
        }
        self.register_outputs({"serviceName": self.service_name})

    @staticmethod
    def _connector(
        name: str,
        parts: ServiceInputs,
        group_id: pulumi.Output[str],
        child: pulumi.ResourceOptions,
    ) -> aws.apprunner.VpcConnector:
        """Make the way from App Runner into the VPC.

        Another one needs another name, so that it can be made before this one goes: App Runner
        keeps one revision of a name.
        https://docs.aws.amazon.com/apprunner/latest/api/API_VpcConnector.html
        """
        subnets = pulumi.Output.from_input(parts.network.task_subnet_ids)
        return aws.apprunner.VpcConnector(
            name,
            vpc_connector_name=pulumi.Output.all(group_id, subnets).apply(
                lambda found: f"{name}-{_digest(found[0], *sorted(found[1]))}"
            ),
            subnets=subnets,
            security_groups=[group_id],
            opts=child,
        )


def _pull(image: ContainerImage) -> list[iam.Statement]:
    """Build what App Runner needs of ECR: pull the image, and see beforehand that it is there.

    https://docs.aws.amazon.com/apprunner/latest/dg/security-iam-awsmanpol.html
    """
    return [*image.statements, iam.allow(["ecr:DescribeImages"], [image.repository_arn])]


def _by_digest(image: ContainerImage) -> str:
    """Name the image without its tag: App Runner takes a tag or a digest.

    https://docs.aws.amazon.com/apprunner/latest/api/API_ImageRepository.html
    """
    tagged, _, digest = image.reference.partition("@")
    return f"{tagged.rpartition(':')[0]}@{digest}"


def _digest(*texts: str) -> str:
    return hashlib.sha256(" ".join(texts).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Web:
    """What App Runner is to run."""

    image: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]

    @classmethod
    def of(
        cls,
        image: str,
        plain: Mapping[str, pulumi.Input[str]],
        secret: Mapping[str, SecretReference],
    ) -> pulumi.Output["Web"]:
        """Resolve what the service is given."""
        references = {name: reference.value_from for name, reference in secret.items()}
        return pulumi.Output.all(pulumi.Output.all(**plain), pulumi.Output.all(**references)).apply(
            lambda found: cls(image, *found)
        )

    def differences(self, source: Any) -> list[str]:
        """Name what runs otherwise, without the values of variables."""
        repository = _part(source, "image_repository")
        image = _part(repository, "image_identifier")
        configuration = _part(repository, "image_configuration")
        there: dict[str, str] = {
            **(_part(configuration, "runtime_environment_variables") or {}),
            **(_part(configuration, "runtime_environment_secrets") or {}),
        }
        wanted = {**self.variables, **self.secrets}
        names = {name for name in there | wanted if there.get(name) != wanted.get(name)}
        found = [] if image == self.image else [f"{image} instead of {self.image}"]
        return found + ([f"other values of {', '.join(sorted(names))}"] if names else [])


def _part(value: Any, name: str) -> Any:
    """A part of an output: an object, or the dict that the program has given."""
    if value is None:
        return None
    if type(value) is dict:
        return cast("dict[str, Any]", value).get(name)
    return getattr(value, name)


def running(arn: str, status: str, urn: str, source: Any, wanted: Web) -> str:
    """Give the ARN of a service that has started at least once, and runs what it is to run.

    One whose first start failed stays, and the provider sees no difference to mend. An update that
    fails is rolled back, and the provider takes that for success; but it reads what runs then.
    https://github.com/aws/apprunner-roadmap/issues/272
    """
    differences = [] if pulumi.runtime.is_dry_run() else wanted.differences(source)
    if status == FAILED:
        raise pulumi.RunError(
            f"{arn}: App Runner could not start web ({status}). Its event log says why; remove "
            f"what hinders it, then run pulumi up --replace '{urn}'."
        )
    if differences:
        raise pulumi.RunError(
            f"{urn.rpartition('::')[2]}: App Runner has rolled the update back, and runs "
            f"{' and '.join(differences)}. The event log of {arn} says why; correct the cause, and "
            "run pulumi up again: it sends the update again."
        )
    return arn
