"""Rules on data on its way: TLS to every store, and from every user."""

import re
from collections.abc import Iterator
from typing import Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.graph.resource_types import DB_CLUSTER, DB_INSTANCE, S3_BUCKET
from langfuse_aws.policy.inputs import is_known, is_off, part, parts, statements
from langfuse_aws.policy.parameters import wrong_parameter
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule

BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"

MODERN_POLICY: Final = re.compile(r"ELBSecurityPolicy-(TLS13-1-[23]|TLS-1-2|FS-1-2)-.+")
"""Policies of load balancers without TLS 1.0 and 1.1.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html"""


def _database_in_clear(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    yield from wrong_parameter(resource, stack, "rds.force_ssl", "1")


def _cache_in_clear(resource: Resource) -> Iterator[str]:
    if is_off(resource.inputs, "transitEncryptionEnabled"):
        yield "transitEncryptionEnabled is not true"
    elif resource.inputs.get("transitEncryptionMode") == "preferred":
        yield "transitEncryptionMode preferred takes connections in the clear too"
    if not resource.inputs.get("authToken") and not resource.inputs.get("userGroupIds"):
        yield "it has no AUTH token"


def _bucket_in_clear(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    documents = [
        each.inputs.get("policy") for each in stack.attached(resource, BUCKET_POLICY, "bucket")
    ]
    if not all(map(is_known, documents)):
        return
    if not any(
        not statement.allows
        and {"*", "s3:*"} & set(statement.actions)
        and "*" in statement.principals
        and part(statement.conditions, "Bool").get("aws:SecureTransport") in ("false", False)
        for document in documents
        for statement in statements(document)
    ):
        yield "no policy of the bucket denies requests without TLS"


def _listener_in_clear(resource: Resource) -> Iterator[str]:
    protocol = resource.inputs.get("protocol")
    if not is_known(protocol):
        return
    if protocol in ("HTTPS", "TLS"):
        policy = resource.inputs.get("sslPolicy") or "AWS's default"
        if is_known(policy) and not MODERN_POLICY.fullmatch(policy):
            yield f"TLS policy {policy} takes TLS 1.0 and 1.1"
        return
    actions = parts(resource.inputs, "defaultActions")
    if not all(part(each, "redirect").get("protocol") in ("HTTPS", UNKNOWN) for each in actions):
        yield f"it serves {protocol or 'plain HTTP'} and does not only redirect to HTTPS"


def _old_tls_of_domain(resource: Resource) -> Iterator[str]:
    policy = part(resource.inputs, "domainNameConfiguration").get("securityPolicy")
    if is_known(policy) and policy != "TLS_1_2":
        yield f"securityPolicy is {policy or 'not set'}"


RULES: Final[tuple[Rule, ...]] = (
    StackRule(
        id="database-forces-tls",
        what="PostgreSQL refuses connections without TLS.",
        why="A client whose URL lacks sslmode sends passwords and prompts in the clear.",
        remedy="Set rds.force_ssl to 1 in a parameter group of the stack's own",
        types=(DB_CLUSTER, DB_INSTANCE),
        check=_database_in_clear,
    ),
    ResourceRule(
        id="cache-forces-tls",
        what="Valkey demands TLS and a password.",
        why="Four other projects run it without a password, and with no TLS or an optional one.",
        remedy="Use a replication group with transitEncryptionEnabled and an authToken",
        types=(
            "aws:elasticache/replicationGroup:ReplicationGroup",
            "aws:elasticache/cluster:Cluster",
        ),
        check=_cache_in_clear,
    ),
    StackRule(
        id="bucket-refuses-plain-http",
        what="Every bucket denies requests without TLS.",
        why="S3 answers plain HTTP unless a policy denies it.",
        remedy="Deny `s3:*` to everybody where aws:SecureTransport is false",
        types=(S3_BUCKET,),
        check=_bucket_in_clear,
    ),
    ResourceRule(
        id="listener-uses-tls",
        what="A listener speaks TLS 1.2 or later, or only redirects to HTTPS.",
        why="Three other projects forward plain HTTP: API keys and sessions are readable.",
        remedy="Use HTTPS with ELBSecurityPolicy-TLS13-1-2-2021-06, or redirect to HTTPS",
        types=("aws:lb/listener:Listener",),
        check=_listener_in_clear,
    ),
    ResourceRule(
        id="api-domain-uses-tls-1-2",
        what="The HTTP API's domain speaks TLS 1.2 or later.",
        why="Older versions have known faults.",
        remedy="Set securityPolicy to TLS_1_2",
        types=("aws:apigatewayv2/domainName:DomainName",),
        check=_old_tls_of_domain,
    ),
)
