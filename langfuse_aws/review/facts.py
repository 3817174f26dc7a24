"""Facts of a stack that a reviewer asks about: open ports, exposure, permissions, containers.

Each is a set of plain values that do not depend on IDs, so that two graphs of a stack can be
compared. Documents that hold something unknown give no facts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.graph.model import SECRET, Resource, ResourceGraph, has_unknown
from langfuse_aws.graph.open_ports import OpenPort, open_ports
from langfuse_aws.graph.resource_types import TASK_DEFINITION
from langfuse_aws.review.physical_names import without_chance

POLICIES: Final[Mapping[str, str]] = {
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/policy:Policy": "policy",
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:kms/key:Key": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
}
"""Types with a policy document, and the input that holds it."""
_ACCESS_BLOCK: Final = (
    "blockPublicAcls",
    "blockPublicPolicy",
    "ignorePublicAcls",
    "restrictPublicBuckets",
)


@dataclass(frozen=True, order=True)
class Permission:
    """One action that a policy allows or denies."""

    owner: str
    """Name of the resource that has the policy."""
    effect: str
    principal: str
    """Who, in the policy of a resource or a role's trust; else empty."""
    action: str
    resource: str
    condition: str
    """Compact JSON; empty without one."""

    @property
    def wildcard(self) -> bool:
        """Whether it allows everything, or everything of a service."""
        return self.effect == "Allow" and (self.action == "*" or self.action.endswith(":*"))


def named_ports(graph: ResourceGraph) -> set[OpenPort]:
    """Every open port, by the names of its security groups in place of their URNs."""

    def name(end: str) -> str:
        return graph[end].name if end in graph else end

    return {
        OpenPort(name(each.source), name(each.target), each.ports) for each in open_ports(graph)
    }


def exposures(graph: ResourceGraph) -> set[str]:
    """What makes something reachable from the internet, a phrase for each."""
    return {phrase for resource in graph.resources for phrase in _exposures(resource)}


def _exposures(resource: Resource) -> Iterator[str]:
    kind, name, given = resource.type.rsplit(":", 1)[-1], resource.name, resource.inputs
    if given.get("publiclyAccessible") is True:
        yield f"{kind} {name} is publicly accessible"
    if resource.type == "aws:lb/loadBalancer:LoadBalancer" and not given.get("internal"):
        yield f"{kind} {name} faces the internet"
    if resource.type == "aws:apigatewayv2/api:Api":
        yield f"{kind} {name} faces the internet"
    network = cast("Mapping[str, Any]", given.get("networkConfiguration") or {})
    if network.get("assignPublicIp") is True:
        yield f"tasks of {name} have public addresses"
    for interface in cast("list[Mapping[str, Any]]", given.get("networkInterfaces") or []):
        if str(interface.get("associatePublicIpAddress")).lower() == "true":
            yield f"instances of {name} have public addresses"
    if resource.type == "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
        lifted = [key for key in _ACCESS_BLOCK if given.get(key) is not True]
        if lifted:
            yield f"bucket {name} may be public: {', '.join(lifted)} not set"
    for permission in _permissions(resource):
        if "*" in permission.principal and permission.effect == "Allow":
            yield f"policy of {name} lets everybody {permission.action}"


def permissions(graph: ResourceGraph) -> set[Permission]:
    """Every action of every policy document, and managed policies as `policy ARN`."""
    return {found for resource in graph.resources for found in _permissions(resource)}


def _permissions(resource: Resource) -> Iterator[Permission]:
    if resource.type == "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
        policy = str(resource.inputs.get("policyArn"))
        yield Permission(resource.name, "Allow", "", f"managed policy {policy}", "", "")
    text = resource.inputs.get(POLICIES.get(resource.type, ""))
    if not isinstance(text, str) or text == SECRET or has_unknown(text):
        return
    document = json.loads(text)
    for statement in _listed(document.get("Statement")):
        principal = statement.get("Principal", statement.get("NotPrincipal", ""))
        condition = statement.get("Condition")
        for action in _listed(statement.get("Action", statement.get("NotAction"))):
            for target in _listed(statement.get("Resource", statement.get("NotResource", ""))):
                yield Permission(
                    owner=resource.name,
                    effect=statement["Effect"],
                    principal=_told(principal),
                    action=action if "Action" in statement else f"all but {action}",
                    resource=_told(
                        target if "NotResource" not in statement else f"all but {target}"
                    ),
                    condition=_told(condition) if condition else "",
                )


@dataclass(frozen=True)
class Container:
    """What a container is started with. Values of variables are left out."""

    image: str
    variables: frozenset[str]
    secrets: frozenset[str]


def containers(graph: ResourceGraph) -> dict[str, Container]:
    """The containers of every task definition, by `task definition/container`."""
    found: dict[str, Container] = {}
    for task in graph.of_type(TASK_DEFINITION):
        text = task.inputs.get("containerDefinitions")
        if isinstance(text, str) and not has_unknown(text) and text != SECRET:
            for each in json.loads(text):
                found[f"{task.name}/{each['name']}"] = Container(
                    image=each["image"],
                    variables=frozenset(item["name"] for item in each.get("environment") or ()),
                    secrets=frozenset(item["name"] for item in each.get("secrets") or ()),
                )
    return found


def _listed(value: Any) -> list[Any]:
    """IAM's lists may be a single item."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _told(value: Any) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return without_chance(value)
