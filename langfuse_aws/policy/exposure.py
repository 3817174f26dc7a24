"""Rules on who can reach what: data stores are private, open ports are few."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.open_ports import (
    ALL_PROTOCOLS,
    DEFAULT_SECURITY_GROUP,
    EGRESS_RULE,
    INGRESS_RULE,
    RULE,
    SECURITY_GROUP,
    Direction,
    GroupRule,
    rules,
)
from langfuse_aws.graph.resource_types import DB_INSTANCE, S3_BUCKET
from langfuse_aws.policy.inputs import is_known, is_off, statements
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule

WIDEST_PREFIX: Final = 8
"""A block with a shorter prefix is taken for the whole internet."""
EVERY_PORT: Final = 65_535
"""Ports 1 to 65535, or more, are every port."""


@dataclass(frozen=True)
class OpenBlock:
    """A block of addresses that a security group lets in, or out to, as far as that is known."""

    block: str
    ports: range | None
    """None for every port."""

    @property
    def leads_anywhere(self) -> bool:
        """Whether it is the whole internet, or a large part of it."""
        return ipaddress.ip_network(self.block, strict=False).prefixlen < WIDEST_PREFIX

    @property
    def where(self) -> str:
        """The ports in words."""
        if self.ports is None:
            return "every port"
        first, last = self.ports[0], self.ports[-1]
        return f"port {first}" if first == last else f"ports {first} to {last}"


def open_blocks(resource: Resource, direction: Direction) -> Iterator[OpenBlock]:
    """The blocks of a rule, or of those written into the group itself."""
    for rule in rules(resource, direction):
        if is_known([rule.protocol, rule.first_port, rule.last_port]):
            yield from (OpenBlock(each, _ports(rule)) for each in rule.blocks if is_known(each))


def _ports(rule: GroupRule) -> range | None:
    first, last = rule.first_port, rule.last_port
    if rule.protocol == ALL_PROTOCOLS or first is None or last is None:
        return None
    ports = range(int(first), int(last) + 1)
    return None if len(ports) >= EVERY_PORT else ports


PUBLIC_BLOCK: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"

OPEN_PORTS: Final = frozenset({80, 443})

CONNECTS_ANYWHERE: Final = {
    "web": "model providers, webhooks, AWS's APIs",
    "worker": "model providers, webhooks, AWS's APIs",
    "migration": "the registry of its image, AWS's APIs",
    "grafana": "the registry of its image and plugins, AWS's APIs",
    "clickhouse-backup": "the registry of its image, AWS's APIs",
    "clickhouse-instance": "registries, packages, AWS's APIs",
    "nat": "forwards the private subnets' traffic",
}
"""The security groups, by the end of their names, that may connect to anywhere, and what for: none
of these has fixed addresses."""

RESOURCE_POLICIES: Final = {
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:kms/key:Key": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:backup/vaultPolicy:VaultPolicy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
}
"""Types with a policy that names who may use them, and its property."""


def _public_database(resource: Resource) -> Iterator[str]:
    if resource.inputs.get("publiclyAccessible") in (True, "true"):
        yield "publiclyAccessible is true"


def _unblocked_bucket(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    blocks = stack.attached(resource, PUBLIC_BLOCK, "bucket")
    if not blocks:
        yield "the bucket has no public access block"
    for block in blocks:
        for switch in (
            "blockPublicAcls",
            "blockPublicPolicy",
            "ignorePublicAcls",
            "restrictPublicBuckets",
        ):
            if is_off(block.inputs, switch):
                yield f"{switch} of its public access block is not true"


def _public_principal(resource: Resource) -> Iterator[str]:
    document = resource.inputs.get(RESOURCE_POLICIES[resource.type])
    for statement in statements(document):
        if statement.allows and "*" in statement.principals:
            yield f"anybody may {', '.join(statement.actions)}"


def _public_store(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    for subnet in stack.graph.origins(resource, "subnetIds", "aws:ec2/subnet:Subnet"):
        if subnet.inputs.get("mapPublicIpOnLaunch") is True:
            yield f"subnet {subnet.name} gives out public addresses"


def _open_ingress(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    behind_balancer = {
        group.urn
        for balancer in stack.graph.of_type("aws:lb/loadBalancer:LoadBalancer")
        for group in stack.graph.origins(balancer, "securityGroups", SECURITY_GROUP)
    }
    groups = stack.graph.origins(resource, "securityGroupId", SECURITY_GROUP) or [resource]
    balanced = all(group.urn in behind_balancer for group in groups)
    for each in open_blocks(resource, "ingress"):
        usual = each.ports is not None and OPEN_PORTS.issuperset(each.ports)
        if each.leads_anywhere and not (usual and balanced):
            yield f"{each.block} may enter at {each.where}"


def _open_egress(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    groups = stack.graph.origins(resource, "securityGroupId", SECURITY_GROUP) or [resource]
    listed = all(
        any(group.name.endswith(f"-{end}") for end in CONNECTS_ANYWHERE) for group in groups
    )
    for each in open_blocks(resource, "egress"):
        if each.leads_anywhere and each.ports is None and not listed:
            yield f"{groups[0].name} may connect to {each.block} at every port"


RULES: Final[tuple[Rule, ...]] = (
    ResourceRule(
        id="database-not-public",
        what="No database has a public address.",
        why="A password is then all that stands between the internet and every prompt and user.",
        remedy="Leave publiclyAccessible false",
        types=(DB_INSTANCE, "aws:rds/clusterInstance:ClusterInstance"),
        check=_public_database,
    ),
    StackRule(
        id="bucket-blocks-public-access",
        what="Every bucket has a public access block with all four switches on.",
        why="One ACL or policy written in haste opens all events and media to everybody.",
        remedy="Give the bucket a BucketPublicAccessBlock with all four switches true",
        types=(S3_BUCKET,),
        check=_unblocked_bucket,
    ),
    ResourceRule(
        id="no-public-principal",
        what="No policy of a resource lets everybody in.",
        why="An Allow for `*` is open to every AWS account, and often to those without one.",
        remedy="Name the account, role or service that needs it",
        types=tuple(RESOURCE_POLICIES),
        check=_public_principal,
    ),
    StackRule(
        id="stores-in-private-subnets",
        what="PostgreSQL and Valkey are in private subnets.",
        why="In a public subnet one wrong security group is enough to put a store on the internet.",
        remedy="Give the subnet group private subnets",
        types=("aws:rds/subnetGroup:SubnetGroup", "aws:elasticache/subnetGroup:SubnetGroup"),
        check=_public_store,
    ),
    StackRule(
        id="no-open-ingress",
        what="The internet enters at the load balancer's ports 80 and 443 only.",
        why="Three other projects open port 3000, or every port, of web and worker to 0.0.0.0/0.",
        remedy="Name the security group that may enter, or an address block of yours",
        types=(INGRESS_RULE, RULE, SECURITY_GROUP, DEFAULT_SECURITY_GROUP),
        check=_open_ingress,
    ),
    StackRule(
        id="no-open-egress",
        what="Only listed security groups may connect to anywhere.",
        why="Whoever breaks into a store or the load balancer could send everything away.",
        remedy=(
            "Name port and receiver, or list the group in langfuse_aws/policy/exposure.py "
            "with a reason"
        ),
        types=(EGRESS_RULE, RULE, SECURITY_GROUP, DEFAULT_SECURITY_GROUP),
        check=_open_egress,
    ),
)
