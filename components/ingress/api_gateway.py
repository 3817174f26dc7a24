"""Creates the HTTP API: https without a domain of one's own, and no fixed cost.

Requests pass a VPC link to the web tasks, which Cloud Map finds with their ports. AWS's limits are
those of `langfuse_aws.settings.services.ApiGatewayIngress`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.ingress.certificate import Certificate
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.runtime.discovery import discovery_service
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.path_part import PathPart
from langfuse_aws.components.shared.security_groups import security_group
from langfuse_aws.contract.ports_and_health import WEB_PORT
from langfuse_aws.contract.timeouts import HTTP_API_SECONDS
from langfuse_aws.settings.services import ApiGatewayIngress

ACCESS_LOG: Final = {
    "time": "$context.requestTimeEpoch",
    "request": "$context.requestId",
    "address": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}
"""No header is logged: they carry API keys."""


@dataclass(frozen=True)
class ApiGatewayArgs:
    """What the API is made from."""

    settings: ApiGatewayIngress
    network: Network
    cluster: Cluster
    certificate: Certificate | None
    """The domain's certificate; None: the API's own name is used."""
    log_retention_days: int


class ApiGateway(pulumi.ComponentResource):
    """The API, its VPC link, and the Cloud Map service that web registers in."""

    target_name: pulumi.Output[str]
    """Without a domain the API's own URL, with one the DNS name for an alias record."""
    target_zone_id: pulumi.Output[str]
    """Zone of that DNS name; empty without a domain."""
    group_id: pulumi.Output[str]
    """Security group of the VPC link."""
    attachment: Mapping[str, Any]
    """Arguments that attach an ECS service."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the API."""

    def __init__(
        self, name: str, args: ApiGatewayArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:ApiGateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = security_group(
            f"{name}-vpc-link", "VPC link of the API", args.network.vpc_id, opts=child
        )
        self.group_id = group.id
        link = aws.apigatewayv2.VpcLink(
            name,
            subnet_ids=args.network.vpc_link_subnet_ids(),
            security_group_ids=[group.id],
            opts=child,
        )
        discovery = discovery_service(f"{name}-web", "web", "SRV", args.cluster, opts=child)
        api = aws.apigatewayv2.Api(
            name,
            protocol_type="HTTP",
            disable_execute_api_endpoint=args.certificate is not None,
            opts=child,
        )
        self._cluster, self._link_id, self._api_id = args.cluster, link.id, api.id
        self._route(name, {name: "$default"}, discovery.arn, child)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-api", retention_in_days=args.log_retention_days, opts=child
        )
        stage = aws.apigatewayv2.Stage(
            name,
            api_id=api.id,
            # Only this stage's name does not enter the path.
            name="$default",
            auto_deploy=True,
            default_route_settings={
                "throttling_burst_limit": args.settings.burst_limit,
                "throttling_rate_limit": args.settings.rate_limit,
            },
            access_log_settings={
                "destination_arn": logs.arn,
                "format": json.dumps(ACCESS_LOG, sort_keys=True),
            },
            opts=child,
        )
        if args.certificate is None:
            self.target_name = pulumi.Output.from_input(api.api_endpoint)
            self.target_zone_id = pulumi.Output.from_input("")
        else:
            self._map_domain(name, args.certificate, api, stage, child)
        self.metric_dimensions = {"api": [{"ApiId": api.id, "Stage": stage.name}]}
        self.attachment = {
            "service_registries": {
                "registry_arn": discovery.arn,
                "container_name": "web",
                "container_port": WEB_PORT,
            }
        }
        self.register_outputs({"targetName": self.target_name})

    def attach(self, name: str, part: PathPart, opts: pulumi.ResourceOptions) -> Mapping[str, Any]:
        """Send a path's requests to another service; returns what attaches that one."""
        discovery = discovery_service(name, part.container, "SRV", self._cluster, opts=opts)
        keys = {name: f"ANY {part.path}", f"{name}-below": f"ANY {part.path}/{{proxy+}}"}
        self._route(name, keys, discovery.arn, opts)
        return {
            "service_registries": {
                "registry_arn": discovery.arn,
                "container_name": part.container,
                "container_port": part.port,
            }
        }

    def _route(
        self,
        name: str,
        keys: Mapping[str, str],
        discovery_arn: pulumi.Output[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Pass requests with these route keys on to a Cloud Map service, with their whole paths."""
        integration = aws.apigatewayv2.Integration(
            name,
            api_id=self._api_id,
            integration_type="HTTP_PROXY",
            integration_method="ANY",
            integration_uri=discovery_arn,
            connection_type="VPC_LINK",
            connection_id=self._link_id,
            payload_format_version="1.0",
            timeout_milliseconds=HTTP_API_SECONDS * 1000,
            opts=opts,
        )
        for route, key in keys.items():
            aws.apigatewayv2.Route(
                route,
                api_id=self._api_id,
                route_key=key,
                target=pulumi.Output.concat("integrations/", integration.id),
                opts=opts,
            )

    def _map_domain(
        self,
        name: str,
        certificate: Certificate,
        api: aws.apigatewayv2.Api,
        stage: aws.apigatewayv2.Stage,
        child: pulumi.ResourceOptions,
    ) -> None:
        domain = aws.apigatewayv2.DomainName(
            name,
            domain_name=certificate.domain,
            domain_name_configuration={
                "certificate_arn": certificate.arn,
                "endpoint_type": "REGIONAL",
                "security_policy": "TLS_1_2",
            },
            opts=child,
        )
        aws.apigatewayv2.ApiMapping(
            name, api_id=api.id, domain_name=domain.id, stage=stage.id, opts=child
        )
        configuration = domain.domain_name_configuration
        self.target_name = configuration.target_domain_name.apply(lambda name: name or "")
        self.target_zone_id = configuration.hosted_zone_id.apply(lambda zone: zone or "")
