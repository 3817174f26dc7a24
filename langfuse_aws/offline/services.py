"""What services run: a deployment that starts, and one that does not.

ECS waits for a first deployment that fails, then the provider gives up and the service stays
without a task; a later one is rolled back to what ran before. App Runner rolls back too, and its
provider takes that for success.
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

from langfuse_aws.offline.account import Existing

Properties = Mapping[str, Any]

ECS = "aws:ecs/service:Service"
APP_RUNNER = "aws:apprunner/service:Service"

GROUP = "aws:autoscaling/group:Group"

STATUS: Mapping[str, Properties] = {ECS: {}, APP_RUNNER: {"status": "CREATE_FAILED"}, GROUP: {}}
"""What is read of a service whose first deployment failed, or of a group whose instances did not
come up: its provider waits for them."""

_DEPLOYED_ANEW = frozenset(
    {
        "capacityProviderStrategies",
        "launchType",
        "loadBalancers",
        "networkConfiguration",
        "platformVersion",
        "serviceRegistries",
        "taskDefinition",
        "volumeConfiguration",
    }
)
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html"""


def program(token: str, properties: Properties) -> str | None:
    """The task definition or image of a service; None for all else."""
    if token == ECS:
        return str(properties.get("taskDefinition"))
    if token == APP_RUNNER:
        source = cast("Properties", properties.get("sourceConfiguration") or {})
        image = cast("Properties", source.get("imageRepository") or {})
        return str(image.get("imageIdentifier"))
    return None


def is_deployment(token: str, changed: Collection[str], new: Properties) -> bool:
    """Whether an update of these properties starts anything."""
    if token == APP_RUNNER:
        return "sourceConfiguration" in changed
    return token == ECS and bool(
        new.get("forceNewDeployment") or _DEPLOYED_ANEW.intersection(changed)
    )


def rolled_back(token: str, before: Properties) -> dict[str, Any]:
    """What is read of a service that runs again what ran before an update."""
    name = "taskDefinition" if token == ECS else "sourceConfiguration"
    return {name: before.get(name)}


def is_rolled_back_silently(existing: Existing) -> bool:
    """Whether a failed update is reported as success."""
    return existing.type == APP_RUNNER and existing.runs is not None
