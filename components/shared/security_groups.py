"""Security groups: closed when made; whoever connects adds the ingress rule, in its own name.

Who may reach what, such as ClickHouse: docs/network.md, which is made of the components'
`ingress_rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class IngressRule:
    """A port of a security group that consumers may be let in at."""

    group_id: pulumi.Output[str]
    port: int


def security_group(
    name: str, description: str, vpc_id: pulumi.Input[str], *, opts: pulumi.ResourceOptions
) -> aws.ec2.SecurityGroup:
    """Make a group without any rule."""
    return aws.ec2.SecurityGroup(
        name,
        description=description,
        vpc_id=vpc_id,
        revoke_rules_on_delete=True,
        tags={"Name": name},
        opts=opts,
    )


def allow_ingress(
    name: str,
    group_id: pulumi.Input[str],
    ingress_rules: Mapping[str, IngressRule],
    *,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Let the members of the group `name` in at each port; nobody else gets in by it."""
    return [
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-to-{label}",
            security_group_id=rule.group_id,
            referenced_security_group_id=group_id,
            ip_protocol="tcp",
            from_port=rule.port,
            to_port=rule.port,
            description=f"{name} to {label}",
            opts=opts,
        )
        for label, rule in ingress_rules.items()
    ]


def allow_egress(
    name: str, group_id: pulumi.Input[str], *, opts: pulumi.ResourceOptions
) -> aws.vpc.SecurityGroupEgressRule:
    """Let a group's members connect to anywhere.

    AWS's APIs, image registries, model providers and webhooks have no fixed addresses.
    """
    return aws.vpc.SecurityGroupEgressRule(
        f"{name}-egress",
        security_group_id=group_id,
        cidr_ipv4="0.0.0.0/0",
        ip_protocol="-1",
        description="to anywhere",
        opts=opts,
    )


def let_ingress_in(
    name: str,
    source_id: pulumi.Input[str],
    target_id: pulumi.Input[str],
    port: int,
    description: str,
    *,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Let the ingress's group connect to a service's group: one rule in each."""
    rule: dict[str, Any] = {
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port,
        "description": description,
        "opts": opts,
    }
    return [
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-ingress",
            security_group_id=target_id,
            referenced_security_group_id=source_id,
            **rule,
        ),
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-ingress-out",
            security_group_id=source_id,
            referenced_security_group_id=target_id,
            **rule,
        ),
    ]


def allow_self(
    name: str,
    group_id: pulumi.Input[str],
    ports: Mapping[str, int],
    *,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Let the members of the group `name` connect to each other at these ports, by label."""
    rules: list[pulumi.Resource] = []
    for label, port in ports.items():
        rule: dict[str, Any] = {
            "security_group_id": group_id,
            "referenced_security_group_id": group_id,
            "ip_protocol": "tcp",
            "from_port": port,
            "to_port": port,
            "description": f"{label} among members",
            "opts": opts,
        }
        rules.append(aws.vpc.SecurityGroupIngressRule(f"{name}-{label}", **rule))
        rules.append(aws.vpc.SecurityGroupEgressRule(f"{name}-{label}", **rule))
    return rules
