"""What data sources answer that look at what a stack has made: services and instances.

Pure: it is told what exists. An instance refresh is over as soon as it begins.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from langfuse_aws.offline.services import ECS

Properties = Mapping[str, Any]

GROUP = "aws:autoscaling/group:Group"
TYPES = (ECS, GROUP)
"""What the data sources look at."""

_GIVEN_UP = "(service {name}) (deployment ecs-svc/{name}) deployment failed: tasks failed to start."
_TIME = "2026-11-01T00:00:00Z"


@dataclass(frozen=True)
class Running:
    """A resource, and what of it really runs."""

    type: str
    properties: Properties
    runs: str | None
    """The task definition of a service; None: it has never started."""


def answer(token: str, arguments: Properties, existing: Iterable[Running]) -> dict[str, Any] | None:
    """The answer of a data source; None if it looks at nothing that a stack makes.

    Raises ValueError for a service that does not exist.
    """
    function = _FUNCTIONS.get(token.rpartition(":")[0])
    return None if function is None else function(arguments, list(existing))


def _service(arguments: Properties, existing: list[Running]) -> dict[str, Any]:
    name, cluster = arguments["serviceName"], _short(arguments["clusterArn"])
    found = [
        each
        for each in existing
        if each.type == ECS
        and each.properties.get("name") == name
        and _short(each.properties["cluster"]) == cluster
    ]
    if not found:
        message = f"no ECS service {name} in the cluster {cluster}"
        raise ValueError(message)
    service, properties = found[-1], found[-1].properties
    desired = int(properties.get("desiredCount", 1))
    counts = {
        "desiredCount": desired,
        "runningCount": 0 if service.runs is None else desired,
        "pendingCount": 0,
        "taskDefinition": service.runs or properties["taskDefinition"],
    }
    deployment = {"id": f"ecs-svc/{name}", "status": "PRIMARY", "createdAt": _TIME, **counts}
    said = [] if service.runs else [_GIVEN_UP.format(name=name)]
    return {
        "id": properties.get("arn", name),
        "arn": properties.get("arn", name),
        "clusterArn": properties["cluster"],
        "serviceName": name,
        "status": "ACTIVE",
        **counts,
        "deployments": [{**deployment, "updatedAt": _TIME}],
        "events": [{"id": "1", "createdAt": _TIME, "message": message} for message in said],
        "capacityProviderStrategies": properties.get("capacityProviderStrategies", []),
    }


def _short(arn: str) -> str:
    """The name at the end of an ARN, or a name: AWS takes both."""
    return arn.rpartition("/")[2]


def _instances(arguments: Properties, existing: list[Running]) -> dict[str, Any]:
    tags = cast("Properties", arguments.get("instanceTags") or {})
    version = tags.get("aws:ec2launchtemplate:version")
    ids = [
        f"i-{index:017x}"
        for each in existing
        if each.type == GROUP
        and each.properties.get("name") == tags.get("aws:autoscaling:groupName")
        and version in (None, each.properties["launchTemplate"]["version"])
        for index in range(int(each.properties.get("desiredCapacity", 0)))
    ]
    return {"id": "instances", "ids": ids, "privateIps": [], "publicIps": [], "ipv6Addresses": []}


_FUNCTIONS: dict[str, Callable[[Properties, list[Running]], dict[str, Any]]] = {
    "aws:ecs/getService": _service,
    "aws:ec2/getInstances": _instances,
}
