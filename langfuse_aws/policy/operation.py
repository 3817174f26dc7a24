"""Rules on running a stack: logs, instances, tags, health, the way to S3."""

from collections.abc import Iterator, Mapping
from typing import Final

from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH
from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.graph.resource_types import AUTO_SCALING_GROUP, LAUNCH_TEMPLATE
from langfuse_aws.policy.inputs import Values, is_known, part, parts
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule

MOST_HOPS: Final = 1
"""Beyond it, containers on the instance reach its credentials."""

REQUIRED_TAGS: Final = ("Project", "Stack")
"""Those that every stack file of the repository sets by aws:defaultTags."""

LAUNCHED: Final = ("instance", "volume", "network-interface")
"""What a launch template tags only if it says so for each of them."""

VPC_OF_AWSX: Final = "awsx:ec2:Vpc"
S3_ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"


def _logs_for_ever(resource: Resource) -> Iterator[str]:
    days = resource.inputs.get("retentionInDays")
    if not days:
        yield "retentionInDays is not set"


def _old_metadata_service(resource: Resource) -> Iterator[str]:
    options = part(resource.inputs, "metadataOptions")
    if options.get("httpEndpoint") == "disabled":
        return
    tokens, hops = options.get("httpTokens"), options.get("httpPutResponseHopLimit")
    if is_known(tokens) and tokens != "required":
        yield "httpTokens is not required"
    if is_known(hops) and (not hops or hops > MOST_HOPS):
        yield f"httpPutResponseHopLimit is not {MOST_HOPS}"


def _untagged(resource: Resource) -> Iterator[str]:
    key = "tagsAll" if "tagsAll" in resource.inputs else "tags"
    if isinstance(resource.inputs.get(key), Mapping):  # not of a type without, nor unknown
        yield from _missing("it", part(resource.inputs, key))
    if resource.type == LAUNCH_TEMPLATE and is_known(resource.inputs.get("tagSpecifications")):
        specifications = parts(resource.inputs, "tagSpecifications")
        brought = any(
            each.get("networkInterfaceId") for each in parts(resource.inputs, "networkInterfaces")
        )
        for kind in LAUNCHED[:-1] if brought else LAUNCHED:
            own = [part(each, "tags") for each in specifications if each["resourceType"] == kind]
            yield from _missing(f"its {kind}", own[0] if own else {})
    if resource.type == AUTO_SCALING_GROUP and is_known(resource.inputs.get("tags")):
        tags = parts(resource.inputs, "tags")
        yield from _missing("it", {each["key"]: each.get("value") for each in tags})


def _missing(what: str, tags: Values) -> Iterator[str]:
    missing = [tag for tag in REQUIRED_TAGS if not tags.get(tag)]
    if missing:
        yield f"{what} lacks the tag {' and '.join(missing)}"


def _wrong_health_path(resource: Resource) -> Iterator[str]:
    path = part(resource.inputs, "healthCheck").get("path", "/")
    if path == "/":
        yield "its health check asks for /"


def _no_endpoint(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    if f"{VPC_OF_AWSX}::" in resource.parent:
        return  # told of the component already
    endpoints = stack.graph.of_type(S3_ENDPOINT)
    names = [str(each.inputs.get("serviceName")) for each in endpoints]
    if not any(name.endswith(".s3") or name == UNKNOWN for name in names):
        yield "the VPC has no gateway endpoint for S3"


RULES: Final[tuple[Rule, ...]] = (
    ResourceRule(
        id="log-retention",
        what="Every log group forgets.",
        why="Logs hold what users typed, and are paid for; two other projects keep them for ever.",
        remedy="Set retentionInDays to langfuse:logs.retentionDays",
        types=("aws:cloudwatch/logGroup:LogGroup",),
        check=_logs_for_ever,
    ),
    ResourceRule(
        id="instance-metadata-v2",
        what=f"Instances demand IMDSv2 with a hop limit of {MOST_HOPS}.",
        why="With version 1, one request that a program can be tricked into gives away the "
        "instance's credentials; with more hops, so does a container.",
        remedy="Set httpTokens to required and httpPutResponseHopLimit to 1",
        types=(LAUNCH_TEMPLATE, "aws:ec2/instance:Instance"),
        check=_old_metadata_service,
    ),
    ResourceRule(
        id="tagged",
        what=f"Whatever has tags has {' and '.join(REQUIRED_TAGS)}, and so has what a launch "
        "template launches.",
        why="Nobody can tell on the bill what belongs to which stack.",
        remedy="Set aws:defaultTags in the stack file",
        types=(),
        level="advisory",
        check=_untagged,
    ),
    ResourceRule(
        id="target-health-path",
        what="The load balancer asks for a path that tells health.",
        why="/ answers with a redirect or a page while the database is away: niklas-palm "
        "template.yaml:410.",
        remedy=f"Use {WEB_HEALTH_PATH}",
        types=("aws:lb/targetGroup:TargetGroup",),
        check=_wrong_health_path,
    ),
    StackRule(
        id="s3-gateway-endpoint",
        what="A VPC of the stack's own has a gateway endpoint for S3.",
        why="All events and media would pay for the NAT gateway, as in langfuse-with-aws-cdk.",
        remedy="Add a gateway endpoint; it costs nothing",
        types=(VPC_OF_AWSX, "aws:ec2/vpc:Vpc"),
        level="advisory",
        check=_no_endpoint,
    ),
)
