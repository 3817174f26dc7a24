"""Creates the ingress: a load balancer or an HTTP API, and the domain's certificate and record.

The record comes last, once there is somebody to answer: `point_domain`. App Runner brings
its own: then there is nothing but the domain, to be pointed to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from langfuse_aws.components.ingress.api_gateway import ApiGateway, ApiGatewayArgs
from langfuse_aws.components.ingress.certificate import Certificate, CertificateArgs
from langfuse_aws.components.ingress.load_balancer import LoadBalancer, LoadBalancerArgs
from langfuse_aws.components.ingress.load_balancer_protection import LoadBalancerProtection
from langfuse_aws.components.ingress.web_acl import WebAcl, WebAclArgs
from langfuse_aws.components.network.network import Network
from langfuse_aws.components.runtime.cluster import Cluster
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.contract.start_and_stop import WEB_START_SECONDS, start_seconds
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.services import ApiGatewayIngress, AppRunnerIngress, LoadBalancerIngress


@dataclass(frozen=True)
class IngressArgs:
    """What the ingress is made from."""

    settings: Settings
    network: Network
    cluster: Cluster
    how_to_allow: str
    """How a protected load balancer is allowed to go: see `ReplacementGuard`."""
    access_logs: pulumi.Output[str]
    """Name of the bucket of a load balancer's access logs."""


class Ingress(pulumi.ComponentResource):
    """Langfuse's public address, and how the web service is attached to it."""

    url: pulumi.Output[str]
    """What users open: `https://` and a host name, without a path."""
    certificate: Certificate | None
    """The domain's certificate and records; None without a domain."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the router, and the certificate if there is one."""

    def __init__(
        self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Ingress", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings.ingress
        self.certificate = None
        self.metric_dimensions = {}
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
        self._router = None
        protection = LoadBalancerProtection.of(
            name, args.settings.deletion_protection, args.settings.allow_replace, args.how_to_allow
        )
        agreed = protection.remember(settings, self)
        if not isinstance(settings, AppRunnerIngress):
            opts = pulumi.ResourceOptions(parent=self, depends_on=[agreed])
            self._router = self._make_router(name, settings, args, protection.protected, opts)
        self.register_outputs({"url": self.url})

    def _make_router(
        self,
        name: str,
        settings: LoadBalancerIngress | ApiGatewayIngress,
        args: IngressArgs,
        protected: bool,
        child: pulumi.ResourceOptions,
    ) -> LoadBalancer | ApiGateway:
        certificate = self.certificate
        if isinstance(settings, LoadBalancerIngress):
            if certificate is None:
                raise ValueError("settings promise a domain for a load balancer")
            router = LoadBalancer(
                name,
                LoadBalancerArgs(
                    settings=settings,
                    network=args.network,
                    certificate_arn=certificate.arn,
                    protected=protected,
                    start_seconds=start_seconds(WEB_START_SECONDS, args.settings.web.cpu),
                    access_logs=args.access_logs,
                ),
                child,
            )
            if settings.waf is not None:
                WebAcl(
                    name,
                    WebAclArgs(settings.waf, router.arn, args.settings.logs.retention_days),
                    child,
                )
        else:
            router = ApiGateway(
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
        self.metric_dimensions = router.metric_dimensions
        if certificate is None:
            self.url = router.target_name
        else:
            self.metric_dimensions = {
                **router.metric_dimensions,
                "certificate": [{"CertificateArn": certificate.arn}],
            }
        return router

    def point_domain(self, after: Sequence[pulumi.Resource]) -> None:
        """Point the domain, if there is one, to the router, once `after` is there."""
        if self.certificate is not None:
            self.certificate.point_to(self.router.target_name, self.router.target_zone_id, after)

    @property
    def router(self) -> LoadBalancer | ApiGateway:
        """What ECS services are attached to. ValueError where App Runner brings its own."""
        if self._router is None:
            raise ValueError("settings promise no service of ECS that is reached from outside")
        return self._router
