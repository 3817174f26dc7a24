"""Who can reach what."""

from typing import Any, Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.graph.open_ports import (
    DEFAULT_SECURITY_GROUP,
    EGRESS_RULE,
    INGRESS_RULE,
    RULE,
    SECURITY_GROUP,
)
from langfuse_aws.policy.exposure import (
    PUBLIC_BLOCK,
    RESOURCE_POLICIES,
)
from tests.unit.policy_cases import Case, broken, document, kept, made

INSTANCE: Final = "aws:rds/instance:Instance"
BUCKET: Final = made("aws:s3/bucket:Bucket")
SWITCHES: Final = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)
ANYBODY: Final = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
ACCOUNT: Final = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "a:b"}

BALANCED: Final = made(SECURITY_GROUP, name="alb")
OTHER: Final = made(SECURITY_GROUP, name="langfuse-dev-postgres")
WEB: Final = made(SECURITY_GROUP, name="langfuse-dev-web")
BALANCER: Final = made("aws:lb/loadBalancer:LoadBalancer", securityGroups=BALANCED)


def block(**switches: Any) -> Resource:
    return made(PUBLIC_BLOCK, {**SWITCHES, **switches}, bucket=BUCKET)


def ingress(group: Resource, token: str = INGRESS_RULE, **inputs: Any) -> Resource:
    rule = {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", **inputs}
    return made(token, rule, name="rule", securityGroupId=group)


def store(token: str, public: bool) -> tuple[Resource, Resource]:
    subnet = made("aws:ec2/subnet:Subnet", {"mapPublicIpOnLaunch": public}, name="a")
    return made(token, {"subnetIds": ["subnet-1"]}, subnetIds=subnet), subnet


CASES: Final[tuple[Case, ...]] = (
    broken(
        "database-not-public",
        "publiclyAccessible is true",
        made(INSTANCE, {"publiclyAccessible": True}),
    ),
    kept("database-not-public", made(INSTANCE, {"publiclyAccessible": False})),
    kept("database-not-public", made("aws:rds/clusterInstance:ClusterInstance")),
    broken("bucket-blocks-public-access", "the bucket has no public access block", BUCKET),
    broken(
        "bucket-blocks-public-access",
        "the bucket has no public access block",
        made("aws:s3/bucket:Bucket", name="another"),
        block(),
    ),
    *(
        broken(
            "bucket-blocks-public-access",
            f"{switch} of its public access block is not true",
            BUCKET,
            block(**{switch: False}),
        )
        for switch in SWITCHES
    ),
    kept("bucket-blocks-public-access", BUCKET, block()),
    kept("bucket-blocks-public-access", BUCKET, block(blockPublicAcls=UNKNOWN)),
    *(
        broken(
            "no-public-principal",
            "anybody may s3:GetObject",
            made(token, {property_name: document(ANYBODY)}),
        )
        for token, property_name in RESOURCE_POLICIES.items()
    ),
    broken(
        "no-public-principal",
        "anybody may s3:GetObject",
        made(
            "aws:sns/topicPolicy:TopicPolicy",
            {"policy": document(ACCOUNT, {**ANYBODY, "Principal": {"AWS": ["*"]}})},
        ),
    ),
    broken(
        "no-public-principal",
        "anybody may sts:AssumeRole",
        made(
            "aws:iam/role:Role",
            {
                "assumeRolePolicy": document(
                    {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "sts:AssumeRole"}
                )
            },
        ),
    ),
    kept(
        "no-public-principal",
        made(
            "aws:s3/bucketPolicy:BucketPolicy",
            {"policy": document({**ANYBODY, "Effect": "Deny"}, ACCOUNT)},
        ),
    ),
    kept("no-public-principal", made("aws:kms/key:Key", {"policy": UNKNOWN})),
    *(
        case
        for token in (
            "aws:rds/subnetGroup:SubnetGroup",
            "aws:elasticache/subnetGroup:SubnetGroup",
        )
        for case in (
            broken(
                "stores-in-private-subnets",
                "subnet a gives out public addresses",
                *store(token, public=True),
            ),
            kept("stores-in-private-subnets", *store(token, public=False)),
        )
    ),
    broken(
        "no-open-ingress",
        "0.0.0.0/0 may enter at port 22",
        ingress(BALANCED, fromPort=22, toPort=22),
        BALANCED,
        BALANCER,
    ),
    broken(
        "no-open-ingress",
        "0.0.0.0/0 may enter at port 443",
        ingress(OTHER, fromPort=443, toPort=443),
        OTHER,
        BALANCER,
    ),
    broken(
        "no-open-ingress",
        "0.0.0.0/0 may enter at ports 80 to 443",
        ingress(BALANCED, fromPort=80, toPort=443),
        BALANCED,
        BALANCER,
    ),
    broken(
        "no-open-ingress",
        "::/0 may enter at every port",
        ingress(BALANCED, cidrIpv4=None, cidrIpv6="::/0", ipProtocol="-1"),
        BALANCED,
        BALANCER,
    ),
    broken(
        "no-open-ingress",
        "0.0.0.0/0 may enter at every port",
        made(
            DEFAULT_SECURITY_GROUP, {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "protocol": "-1"}]}
        ),
    ),
    broken(
        "no-open-ingress",
        ["0.0.0.0/0 may enter at port 3000", "128.0.0.0/1 may enter at port 3000"],
        made(
            SECURITY_GROUP,
            {
                "ingress": [
                    {
                        "cidrBlocks": ["0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/8"],
                        "protocol": "tcp",
                        "fromPort": 3000,
                        "toPort": 3000,
                    }
                ]
            },
        ),
    ),
    broken(
        "no-open-ingress",
        "0.0.0.0/0 may enter at every port",
        made(RULE, {"type": "ingress", "protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}),
    ),
    kept("no-open-ingress", ingress(BALANCED, fromPort=443, toPort=443), BALANCED, BALANCER),
    kept("no-open-ingress", ingress(BALANCED, fromPort=80.0, toPort=80.0), BALANCED, BALANCER),
    kept("no-open-ingress", ingress(OTHER, cidrIpv4="10.0.0.0/16", ipProtocol="-1"), OTHER),
    kept("no-open-ingress", ingress(OTHER, cidrIpv4=UNKNOWN, ipProtocol="-1"), OTHER),
    kept("no-open-ingress", ingress(OTHER, fromPort=UNKNOWN, toPort=UNKNOWN), OTHER),
    kept(
        "no-open-ingress",
        made(RULE, {"type": "egress", "protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}),
    ),
    broken(
        "no-open-egress",
        "langfuse-dev-postgres may connect to 0.0.0.0/0 at every port",
        ingress(OTHER, EGRESS_RULE, ipProtocol="-1"),
        OTHER,
    ),
    broken(
        "no-open-egress",
        "langfuse-dev-postgres may connect to 0.0.0.0/0 at every port",
        ingress(OTHER, EGRESS_RULE, fromPort=0, toPort=65535),
        OTHER,
    ),
    broken(
        "no-open-egress",
        "it may connect to 0.0.0.0/0 at every port",
        made(DEFAULT_SECURITY_GROUP, {"egress": [{"cidrBlocks": ["0.0.0.0/0"], "protocol": "-1"}]}),
    ),
    broken(
        "no-open-egress",
        "it may connect to ::/0 at every port",
        made(RULE, {"type": "egress", "protocol": "-1", "ipv6CidrBlocks": ["::/0"]}),
    ),
    broken(
        "no-open-egress",
        "it may connect to 0.0.0.0/0 at every port",
        made(SECURITY_GROUP, {"egress": [{"cidrBlocks": ["0.0.0.0/0"], "protocol": "-1"}]}),
    ),
    kept("no-open-egress", ingress(WEB, EGRESS_RULE, ipProtocol="-1"), WEB),
    kept("no-open-egress", ingress(OTHER, EGRESS_RULE, fromPort=443, toPort=443), OTHER),
    kept(
        "no-open-egress",
        ingress(OTHER, EGRESS_RULE, cidrIpv4="10.0.0.0/16", ipProtocol="-1"),
        OTHER,
    ),
    kept("no-open-egress", made(DEFAULT_SECURITY_GROUP)),
)
