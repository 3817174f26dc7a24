"""Operation."""

from collections.abc import Mapping
from typing import Any, Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.graph.resource_types import AUTO_SCALING_GROUP, LAUNCH_TEMPLATE
from langfuse_aws.policy.operation import LAUNCHED, REQUIRED_TAGS, S3_ENDPOINT, VPC_OF_AWSX
from tests.unit.policy_cases import Case, broken, kept, made

LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
TARGETS: Final = "aws:lb/targetGroup:TargetGroup"
VPC: Final = made("aws:ec2/vpc:Vpc", name="vpc")
WRAPPED: Final = made(VPC_OF_AWSX)
TAGS: Final = dict.fromkeys(REQUIRED_TAGS, "x")
NO_ENDPOINT: Final = "the VPC has no gateway endpoint for S3"


def metadata(**options: Any) -> Resource:
    return made(LAUNCH_TEMPLATE, {"metadataOptions": options})


def group(*tags: str) -> Resource:
    return made(AUTO_SCALING_GROUP, {"tags": [{"key": key, "value": "x"} for key in tags]})


def launches(tags: Mapping[str, Any]) -> Resource:
    specifications = [{"resourceType": kind, "tags": own} for kind, own in tags.items()]
    return made(LAUNCH_TEMPLATE, {"tagsAll": TAGS, "tagSpecifications": specifications})


CASES: Final[tuple[Case, ...]] = (
    broken("log-retention", "retentionInDays is not set", made(LOGS)),
    broken("log-retention", "retentionInDays is not set", made(LOGS, {"retentionInDays": 0})),
    kept("log-retention", made(LOGS, {"retentionInDays": 7})),
    broken(
        "instance-metadata-v2",
        ["httpTokens is not required", "httpPutResponseHopLimit is not 1"],
        made("aws:ec2/instance:Instance"),
    ),
    broken(
        "instance-metadata-v2",
        "httpTokens is not required",
        metadata(httpTokens="optional", httpPutResponseHopLimit=1),
    ),
    broken(
        "instance-metadata-v2",
        "httpPutResponseHopLimit is not 1",
        metadata(httpTokens="required", httpPutResponseHopLimit=2),
    ),
    kept("instance-metadata-v2", metadata(httpTokens="required", httpPutResponseHopLimit=1.0)),
    kept("instance-metadata-v2", metadata(httpEndpoint="disabled")),
    broken("tagged", "it lacks the tag Stack", made(LOGS, {"tagsAll": {"Project": "langfuse"}})),
    broken("tagged", "it lacks the tag Project and Stack", made(LOGS, {"tags": {"Name": "a"}})),
    kept("tagged", made(LOGS, {"tagsAll": TAGS, "tags": {}})),
    kept("tagged", made(LOGS, {"tagsAll": UNKNOWN})),
    broken("tagged", "it lacks the tag Project and Stack", group("Name")),
    kept("tagged", group("Name", *REQUIRED_TAGS)),
    kept("tagged", made(AUTO_SCALING_GROUP, {"tags": UNKNOWN})),
    broken(
        "tagged",
        ["its volume lacks the tag Project and Stack", "its network-interface lacks the tag Stack"],
        launches({"instance": TAGS, "network-interface": {"Project": "x"}}),
    ),
    broken(
        "tagged",
        [f"its {kind} lacks the tag Project and Stack" for kind in LAUNCHED],
        made(LAUNCH_TEMPLATE, {"tagsAll": TAGS}),
    ),
    kept("tagged", launches(dict.fromkeys(LAUNCHED, TAGS))),
    kept("tagged", launches(dict.fromkeys(LAUNCHED, UNKNOWN))),
    kept("tagged", made(LAUNCH_TEMPLATE, {"tagSpecifications": UNKNOWN})),
    kept("tagged", made("aws:ec2/route:Route")),
    broken("target-health-path", "its health check asks for /", made(TARGETS)),
    broken(
        "target-health-path",
        "its health check asks for /",
        made(TARGETS, {"healthCheck": {"path": "/"}}),
    ),
    kept("target-health-path", made(TARGETS, {"healthCheck": {"path": "/api/public/health"}})),
    broken("s3-gateway-endpoint", NO_ENDPOINT, VPC),
    broken("s3-gateway-endpoint", NO_ENDPOINT, WRAPPED),
    kept("s3-gateway-endpoint", made("aws:ec2/vpc:Vpc", name="child", parent=WRAPPED), WRAPPED),
    broken(
        "s3-gateway-endpoint",
        NO_ENDPOINT,
        VPC,
        made(S3_ENDPOINT, {"serviceName": "com.amazonaws.us-east-1.sts"}),
    ),
    kept(
        "s3-gateway-endpoint",
        VPC,
        made(S3_ENDPOINT, {"serviceName": "com.amazonaws.us-east-1.s3"}),
    ),
)
