"""The component that other programs make: a whole Langfuse, as `__main__.py` deploys one."""

from collections.abc import Sequence
from typing import Final

import pulumi
from pydantic.alias_generators import to_camel

from langfuse_aws.components.langfuse import deploy
from langfuse_aws.components.shared.names import resource_prefix
from plugin.arguments import LangfuseArgs
from plugin.inputs import read

HOW_TO_ALLOW: Final = 'allowReplace: ["{}"] among the arguments of the component'


def how_to_set(key: str, value: str) -> str:
    """Say how to give a setting a value, in the words of arguments."""
    return f'{key}: "{value}" among the arguments of the component'


class Langfuse(pulumi.ComponentResource):
    """Self-hosted Langfuse, the tracing server for LLM applications, on AWS managed services."""

    url: pulumi.Output[str]
    """What users open, and the host that SDKs send to."""
    health_url: pulumi.Output[str]
    """Answers 200 while web serves."""
    organization: pulumi.Output[str] | None
    """ID of the organization that Langfuse made; with `bootstrap` only."""
    project: pulumi.Output[str] | None
    """ID of the project that Langfuse made; with `bootstrap` only."""
    public_key: pulumi.Output[str] | None
    """Public key of the project; with `bootstrap` only."""
    secret_key_secret_arn: pulumi.Output[str] | None
    """Secret of Secrets Manager: JSON with `public_key`, `secret_key` and `user_password`; with `bootstrap` only."""  # noqa: E501
    cluster_name: pulumi.Output[str]
    """ECS cluster of all services."""
    web_service_name: pulumi.Output[str]
    """ECS service of web."""
    worker_service_name: pulumi.Output[str]
    """ECS service of the worker."""
    dashboard_url: pulumi.Output[str]
    """CloudWatch dashboard."""
    monthly_cost_usd: pulumi.Output[float] | None
    """What it costs a month without traffic, USD; none where a price is not known."""
    log_group_names: pulumi.Output[Sequence[str]]
    """CloudWatch log groups of web, worker, the migration, ClickHouse and its backups, in this order."""  # noqa: E501
    grafana_url: pulumi.Output[str] | None
    """Grafana; with `grafana.enabled` only."""
    grafana_password_secret_arn: pulumi.Output[str] | None
    """ARN of the secret with Grafana's password; with `grafana.enabled` only."""

    def __init__(
        self, name: str, args: LangfuseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        settings, secrets = read(args)
        super().__init__("langfuse:index:Langfuse", name, None, opts)
        prefix = resource_prefix(pulumi.get_project(), f"{pulumi.get_stack()}-{name}")
        outputs = deploy(prefix, settings, secrets, self, HOW_TO_ALLOW, how_to_set)
        for output, value in outputs.items():
            setattr(self, output, value)
        self.register_outputs({to_camel(output): value for output, value in outputs.items()})
