"""Data on its way."""

from typing import Any, Final

from langfuse_aws.graph.model import SECRET, UNKNOWN, Resource
from tests.unit.policy_cases import Case, broken, document, kept, made

CLUSTER_GROUP: Final = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
DEFAULT: Final = "it uses AWS's default parameter group, in which rds.force_ssl is not 1"
BUCKET: Final = made("aws:s3/bucket:Bucket")
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
SAFE_CACHE: Final = {
    "transitEncryptionEnabled": True,
    "transitEncryptionMode": "required",
    "authToken": SECRET,
}
DENY: Final = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
NO_DENIAL: Final = "no policy of the bucket denies requests without TLS"
REDIRECT: Final = {"type": "redirect", "redirect": {"protocol": "HTTPS"}}


def database(value: str, name: str = "rds.force_ssl") -> tuple[Resource, Resource]:
    group = made(CLUSTER_GROUP, {"parameters": [{"name": name, "value": value}]}, name="group")
    inputs = {"dbClusterParameterGroupName": "group-1"}
    return made("aws:rds/cluster:Cluster", inputs, dbClusterParameterGroupName=group), group


def instance(**inputs: Any) -> Resource:
    return made("aws:rds/instance:Instance", inputs)


def policy(document_text: Any) -> Resource:
    return made("aws:s3/bucketPolicy:BucketPolicy", {"policy": document_text}, bucket=BUCKET)


def listener(**inputs: Any) -> Resource:
    return made("aws:lb/listener:Listener", inputs)


def domain(**configuration: Any) -> Resource:
    return made(
        "aws:apigatewayv2/domainName:DomainName", {"domainNameConfiguration": configuration}
    )


CASES: Final[tuple[Case, ...]] = (
    broken("database-forces-tls", DEFAULT, instance()),
    broken("database-forces-tls", DEFAULT, instance(parameterGroupName="default.postgres16")),
    broken(
        "database-forces-tls",
        "parameter group group does not set rds.force_ssl to 1",
        *database("0"),
    ),
    broken(
        "database-forces-tls",
        "parameter group group does not set rds.force_ssl to 1",
        *database("1", "timezone"),
    ),
    kept("database-forces-tls", *database("1")),
    kept("database-forces-tls", *database(UNKNOWN)),
    kept("database-forces-tls", instance(parameterGroupName="of-another-stack")),
    broken(
        "cache-forces-tls",
        ["transitEncryptionEnabled is not true", "it has no AUTH token"],
        made("aws:elasticache/cluster:Cluster"),
    ),
    broken(
        "cache-forces-tls",
        "transitEncryptionMode preferred takes connections in the clear too",
        made(CACHE, {**SAFE_CACHE, "transitEncryptionMode": "preferred"}),
    ),
    broken(
        "cache-forces-tls", "it has no AUTH token", made(CACHE, {**SAFE_CACHE, "authToken": ""})
    ),
    kept("cache-forces-tls", made(CACHE, SAFE_CACHE)),
    kept(
        "cache-forces-tls", made(CACHE, {"transitEncryptionEnabled": True, "userGroupIds": ["a"]})
    ),
    broken("bucket-refuses-plain-http", NO_DENIAL, BUCKET),
    *(
        broken("bucket-refuses-plain-http", NO_DENIAL, BUCKET, policy(document({**DENY, **change})))
        for change in (
            {"Effect": "Allow"},
            {"Action": "s3:GetObject"},
            {"Principal": {"AWS": "arn:aws:iam::1:root"}},
            {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        )
    ),
    kept("bucket-refuses-plain-http", BUCKET, policy(document(DENY))),
    kept("bucket-refuses-plain-http", BUCKET, policy(UNKNOWN)),
    *(
        broken(
            "listener-uses-tls",
            f"TLS policy {shown} takes TLS 1.0 and 1.1",
            listener(protocol="HTTPS", sslPolicy=given),
        )
        for given, shown in (
            (None, "AWS's default"),
            ("ELBSecurityPolicy-2016-08", "ELBSecurityPolicy-2016-08"),
            ("ELBSecurityPolicy-TLS13-1-0-2021-06", "ELBSecurityPolicy-TLS13-1-0-2021-06"),
        )
    ),
    broken(
        "listener-uses-tls",
        "it serves HTTP and does not only redirect to HTTPS",
        listener(protocol="HTTP", defaultActions=[{"type": "forward"}]),
    ),
    broken(
        "listener-uses-tls",
        "it serves HTTP and does not only redirect to HTTPS",
        listener(
            protocol="HTTP", defaultActions=[{"type": "redirect", "redirect": {"protocol": "HTTP"}}]
        ),
    ),
    kept("listener-uses-tls", listener(protocol="HTTP", defaultActions=[REDIRECT])),
    *(
        kept("listener-uses-tls", listener(protocol="HTTPS", sslPolicy=f"ELBSecurityPolicy-{name}"))
        for name in ("TLS13-1-2-2021-06", "TLS13-1-3-2021-06", "TLS-1-2-2017-01", "FS-1-2-2019-08")
    ),
    broken(
        "api-domain-uses-tls-1-2", "securityPolicy is TLS_1_0", domain(securityPolicy="TLS_1_0")
    ),
    broken("api-domain-uses-tls-1-2", "securityPolicy is not set", domain()),
    kept("api-domain-uses-tls-1-2", domain(securityPolicy="TLS_1_2")),
)
