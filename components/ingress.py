"""Creates the way in: a load balancer or an HTTP API, and the domain's certificate and record.

App Runner is a way in by itself: then there is nothing but the domain, to be pointed to it.
"""

from dataclasses import dataclass

import pulumi

from components.api_gateway import ApiGateway, ApiGatewayArgs
from components.certificate import Certificate, CertificateArgs
from components.cluster import Cluster
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.metrics import Watched
from components.network import Network
from components.web_acl import WebAcl, WebAclArgs
from settings.model import Settings
from settings.services import ApiGatewayIngress, AppRunnerIngress, LoadBalancerIngress


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
    certificate: Certificate | None
    """The domain's certificate and records; None without a domain."""
    watched: Watched
    """What CloudWatch calls the way in, and the certificate if there is one."""

    def __init__(
        self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Ingress", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings.ingress
        self.certificate = None
        self.watched = {}
        if args.settings.domain is not None:
            self.certificate = Certificate(
                name,
                CertificateArgs(
                    domain=args.settings.domain,
                    hosted_zone=args.settings.hosted_zone,
                    certificate_arn=settings.certificate_arn,
                    made_elsewhere=isinstance(settings, AppRunnerIngress),
                ),
                child,
            )
            self.url = pulumi.Output.from_input(f"https://{args.settings.domain}")
        self._way = None
        if not isinstance(settings, AppRunnerIngress):
            self._way = self._make_way(name, settings, args, child)
        self.register_outputs({"url": self.url})

    def _make_way(
        self,
        name: str,
        settings: LoadBalancerIngress | ApiGatewayIngress,
        args: IngressArgs,
        child: pulumi.ResourceOptions,
    ) -> LoadBalancer | ApiGateway:
        certificate = self.certificate
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
        if certificate is None:
            self.url = way.target_name
        else:
            self.watched = {**way.watched, "certificate": [{"CertificateArn": certificate.arn}]}
            certificate.point_to(way.target_name, way.target_zone_id)
        return way

    @property
    def way(self) -> LoadBalancer | ApiGateway:
        """What ECS services are attached to. ValueError where App Runner is the way in."""
        if self._way is None:
            raise ValueError("settings promise no service of ECS that is reached from outside")
        return self._way
