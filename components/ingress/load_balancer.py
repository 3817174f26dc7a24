"""Creates the Application Load Balancer: https only, with a redirect from http."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.network.network import Network
from langfuse_aws.components.protection.access_logs import LOAD_BALANCER_PREFIX
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.path_part import PathPart
from langfuse_aws.components.shared.security_groups import security_group
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH, WEB_PORT
from langfuse_aws.contract.start_and_stop import START_LIMIT_SECONDS, WEB_DRAIN_SECONDS
from langfuse_aws.contract.timeouts import LOAD_BALANCER_IDLE_SECONDS
from langfuse_aws.settings.services import LOAD_BALANCER_PORTS, LoadBalancerIngress

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"

PATH_PRIORITY: Final = 10
"""Of the only rule beside the listener's default."""

CHECK_INTERVAL_SECONDS: Final = 15
HEALTHY_CHECKS: Final = 2
HEALTHY_SECONDS: Final = HEALTHY_CHECKS * CHECK_INTERVAL_SECONDS
"""From web's first answer until the target group knows that it is healthy."""

TARGETS_PREFIX: Final = "graf-"
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html"""

DEREGISTRATION_SECONDS: Final = 10
"""How long requests under way may take: the dashboard asks again by itself."""


@dataclass(frozen=True)
class LoadBalancerArgs:
    """What the load balancer is made from."""

    settings: LoadBalancerIngress
    network: Network
    certificate_arn: pulumi.Input[str]
    protected: bool
    start_seconds: int
    """What a start of web may take."""
    access_logs: pulumi.Output[str]
    """Name of the bucket of its access logs."""


class LoadBalancer(pulumi.ComponentResource):
    """The load balancer, its listeners and its target group."""

    arn: pulumi.Output[str]
    """ARN of the load balancer."""
    target_name: pulumi.Output[str]
    """DNS name for an alias record."""
    target_zone_id: pulumi.Output[str]
    """Zone of that DNS name."""
    group_id: pulumi.Output[str]
    """Its security group."""
    attachment: Mapping[str, Any]
    """Arguments that attach an ECS service."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the load balancer and its targets."""

    def __init__(
        self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:LoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = security_group(f"{name}-alb", "Load balancer", args.network.vpc_id, opts=child)
        self.group_id = group.id
        for index, block in enumerate(args.settings.allowed_cidrs, start=1):
            for port in LOAD_BALANCER_PORTS:
                # Named by the block, since a rule that changed into another one would meet that
                # one in the group: EC2 says InvalidPermission.Duplicate. Before, it was the index.
                aws.vpc.SecurityGroupIngressRule(
                    f"{name}-alb-{port}-{block.replace('/', '-')}",
                    security_group_id=group.id,
                    cidr_ipv4=block,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    description=f"{block} to the load balancer",
                    opts=pulumi.ResourceOptions(
                        parent=self, aliases=[pulumi.Alias(name=f"{name}-alb-{port}-{index}")]
                    ),
                )
        network = args.network
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            internal=args.settings.internal,
            subnets=network.private_subnet_ids
            if args.settings.internal
            else network.public_subnet_ids,
            security_groups=[group.id],
            # Names with "_" too, which only older SDKs write: docs/upgrade.md.
            drop_invalid_header_fields=True,
            idle_timeout=LOAD_BALANCER_IDLE_SECONDS,
            enable_deletion_protection=args.protected,
            access_logs={
                "enabled": True,
                "bucket": args.access_logs,
                "prefix": LOAD_BALANCER_PREFIX,
            },
            opts=child,
        )
        targets = aws.lb.TargetGroup(
            name,
            vpc_id=network.vpc_id,
            target_type="ip",
            port=WEB_PORT,
            protocol="HTTP",
            deregistration_delay=WEB_DRAIN_SECONDS,
            health_check={
                "path": WEB_HEALTH_PATH,
                "matcher": "200",
                "interval": CHECK_INTERVAL_SECONDS,
                "timeout": 10,
                "healthy_threshold": HEALTHY_CHECKS,
                "unhealthy_threshold": 3,
            },
            # A target group belongs to one load balancer for ever, and `internal` makes another.
            opts=pulumi.ResourceOptions(parent=self, replace_with=[balancer]),
        )
        aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                {
                    "type": "redirect",
                    "redirect": {"protocol": "HTTPS", "port": "443", "status_code": "HTTP_301"},
                }
            ],
            opts=child,
        )
        https = aws.lb.Listener(
            f"{name}-https",
            load_balancer_arn=balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=args.certificate_arn,
            default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=child,
        )
        self.arn, self._balancer = balancer.arn, balancer
        self._vpc_id, self._listener_arn = network.vpc_id, https.arn
        self.target_name, self.target_zone_id = balancer.dns_name, balancer.zone_id
        whole = {"LoadBalancer": balancer.arn_suffix}
        self.metric_dimensions = {
            "balancer": [whole],
            "targets": [{**whole, "TargetGroup": targets.arn_suffix}],
        }
        self.attachment = {
            "load_balancers": [
                {
                    "target_group_arn": targets.arn,
                    "container_name": "web",
                    "container_port": WEB_PORT,
                }
            ],
            "health_check_grace_period_seconds": args.start_seconds + HEALTHY_SECONDS,
        }
        self.register_outputs({"targetName": self.target_name})

    def attach(self, name: str, part: PathPart, opts: pulumi.ResourceOptions) -> Mapping[str, Any]:
        """Send a path's requests to another service; returns what attaches that one."""
        targets = aws.lb.TargetGroup(
            name,
            # With Pulumi's suffix its name would be longer than the 32 characters that AWS allows.
            name_prefix=TARGETS_PREFIX,
            vpc_id=self._vpc_id,
            target_type="ip",
            port=part.port,
            protocol="HTTP",
            deregistration_delay=DEREGISTRATION_SECONDS,
            health_check={"path": part.health_path, "matcher": "200"},
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(replace_with=[self._balancer])
            ),
        )
        rule = aws.lb.ListenerRule(
            name,
            listener_arn=self._listener_arn,
            priority=PATH_PRIORITY,
            conditions=[{"path_pattern": {"values": [part.path, f"{part.path}/*"]}}],
            actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=opts,
        )
        # ECS refuses a target group that no listener uses.
        arn = pulumi.Output.all(targets.arn, rule.id).apply(lambda values: values[0])
        return {
            "load_balancers": [
                {
                    "target_group_arn": arn,
                    "container_name": part.container,
                    "container_port": part.port,
                }
            ],
            "health_check_grace_period_seconds": START_LIMIT_SECONDS,
        }
