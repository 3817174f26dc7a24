"""Creates the way in: a load balancer or an HTTP API, and the domain's certificate and record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.api_gateway import ApiGateway, ApiGatewayArgs
from components.certificate import Certificate, CertificateArgs
from components.cluster import Cluster
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.metrics import Watched
from components.network import Network
from components.path_part import PathPart
from components.web_acl import WebAcl, WebAclArgs
from settings.model import Settings
from settings.services import LoadBalancerIngress


@dataclass(frozen=True)
class IngressArgs:
    """What the ingress is made from."""

    settings: Settings
    network: Network
    cluster: Cluster


class Ingress(pulumi.ComponentResource):
    """Langfuse's public address, and how the web service is attached to it."""

    url: pulumi.Output[str]
    """What users open: `https://` and a host name, without a path."""
    group_id: pulumi.Output[str]
    """Security group that requests come from."""
    dimension: pulumi.Output[str]
    """What CloudWatch's metrics call it: a `LoadBalancer` or an `ApiId`."""
    attachment: Mapping[str, Any]
    """Arguments that attach an ECS service."""
    ready: pulumi.Resource
    """What must exist before a service can be attached."""
    watched: Watched
    """What CloudWatch calls the way in, and the certificate if there is one."""

    def __init__(
        self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Ingress", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings.ingress
        certificate = None
        if args.settings.domain is not None:
            certificate = Certificate(
                name,
                CertificateArgs(
                    domain=args.settings.domain,
                    hosted_zone=args.settings.hosted_zone,
                    certificate_arn=settings.certificate_arn,
                ),
                child,
            )
        if isinstance(settings, LoadBalancerIngress):
            if certificate is None:
                raise ValueError("settings promise a domain for a load balancer")
            way = LoadBalancer(
                name,
                LoadBalancerArgs(
                    settings=settings,
                    network=args.network,
                    certificate_arn=certificate.arn,
                    protected=args.settings.deletion_protection,
                ),
                child,
            )
            if settings.waf is not None:
                WebAcl(
                    name,
                    WebAclArgs(settings.waf, way.arn, args.settings.logs.retention_days),
                    child,
                )
        else:
            way = ApiGateway(
                name,
                ApiGatewayArgs(
                    settings=settings,
                    network=args.network,
                    cluster=args.cluster,
                    certificate=certificate,
                    log_retention_days=args.settings.logs.retention_days,
                ),
                child,
            )
        self.watched = way.watched
        if certificate is not None:
            self.watched = {**way.watched, "certificate": [{"CertificateArn": certificate.arn}]}
            certificate.point_to(way.target_name, way.target_zone_id)
            self.url = pulumi.Output.from_input(f"https://{args.settings.domain}")
        else:
            self.url = way.target_name
        self.group_id, self.attachment, self.ready = way.group_id, way.attachment, way
        self._way = way
        self.register_outputs({"url": self.url})

    def attach(self, name: str, part: PathPart, opts: pulumi.ResourceOptions) -> Mapping[str, Any]:
        """Serve a path by another service than web; returns the arguments that attach that one."""
        return self._way.attach(name, part, opts)
