"""What data sources answer that look at what a stack has made: services and instances.

Pure: it is told what exists. What exists runs, unless whoever tells it says otherwise.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

Properties = Mapping[str, Any]

ECS = "aws:ecs/service:Service"
GROUP = "aws:autoscaling/group:Group"


@dataclass(frozen=True)
class Running:
    """A resource, and what of it really runs."""

    type: str
    properties: Properties
    runs: str | None
    """Task definition, or version of the launch template; None: no deployment was completed."""
    events: tuple[str, ...] = ()
    """What the service said last, the latest first."""


def answer(token: str, arguments: Properties, existing: Iterable[Running]) -> dict[str, Any] | None:
    """The answer of a data source; None if it looks at nothing that a stack makes.

    Raises ValueError for a resource that does not exist.
    """
    function = _FUNCTIONS.get(token.rpartition(":")[0])
    return None if function is None else function(arguments, list(existing))


def _service(arguments: Properties, existing: list[Running]) -> dict[str, Any]:
    name = arguments["serviceName"]
    found = [each for each in existing if each.type == ECS and each.properties.get("name") == name]
    if not found:
        raise ValueError(f"no ECS service {name}")
    service, properties = found[-1], found[-1].properties
    desired = int(properties.get("desiredCount", 1))
    running = 0 if service.runs is None else desired
    deployment = {
        "id": f"ecs-svc/{name}",
        "status": "PRIMARY",
        "taskDefinition": service.runs or properties["taskDefinition"],
        "desiredCount": desired,
        "runningCount": running,
        "pendingCount": 0,
        "createdAt": "2026-11-01T00:00:00Z",
        "updatedAt": "2026-11-01T00:00:00Z",
    }
    return {
        "id": properties.get("arn", name),
        "arn": properties.get("arn", name),
        "clusterArn": properties["cluster"],
        "serviceName": name,
        "status": "ACTIVE",
        "desiredCount": desired,
        "runningCount": running,
        "pendingCount": 0,
        "taskDefinition": deployment["taskDefinition"],
        "deployments": [deployment],
        "events": [
            {"id": str(number), "createdAt": deployment["updatedAt"], "message": message}
            for number, message in enumerate(service.events)
        ],
        "capacityProviderStrategies": properties.get("capacityProviderStrategies", []),
    }


def _instances(arguments: Properties, existing: list[Running]) -> dict[str, Any]:
    tags = cast("Properties", arguments.get("instanceTags") or {})
    version = tags.get("aws:ec2launchtemplate:version")
    ids = [
        f"i-{index:017x}"
        for each in existing
        if each.type == GROUP
        and each.properties.get("name") == tags.get("aws:autoscaling:groupName")
        and version in (None, each.runs)
        for index in range(int(each.properties.get("desiredCapacity", 0)))
    ]
    return {"id": "instances", "ids": ids, "privateIps": [], "publicIps": [], "ipv6Addresses": []}


def program(token: str, properties: Properties) -> str | None:
    """What of a resource runs, if its deployment is completed; None for what does not run."""
    if token == ECS:
        return properties["taskDefinition"]
    if token == GROUP:
        return str(properties["launchTemplate"]["version"])
    return None


_FUNCTIONS: dict[str, Callable[[Properties, list[Running]], dict[str, Any]]] = {
    "aws:ecs/getService": _service,
    "aws:ec2/getInstances": _instances,
}
