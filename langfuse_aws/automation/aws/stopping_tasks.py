"""Tasks of ECS services that were told to stop, and work until they have."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from langfuse_aws.automation.errors import UserError

POLL_SECONDS: Final = 5
LONGEST_SECONDS: Final = 600
"""A task has 120 s to stop in, and some more to leave its target group."""


def stopping_tasks(ecs: Any, cluster: str, service: str) -> Iterator[str]:
    """ARNs of those that have not stopped yet. The service counts them as running no more.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
    """
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=cluster, serviceName=service, desiredStatus="STOPPED"
    )
    for arns in (page["taskArns"] for page in pages):
        tasks: list[dict[str, Any]] = (
            ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        )
        yield from (each["taskArn"] for each in tasks if each["lastStatus"] != "STOPPED")


def wait_until_stopped(ecs: Any, services: Sequence[tuple[str, str]]) -> None:
    """Wait until there are none of these services, by cluster and name. UserError if that fails."""
    end = time.monotonic() + LONGEST_SECONDS
    while left := [arn for each in services for arn in stopping_tasks(ecs, *each)]:
        if time.monotonic() > end:
            raise UserError(
                f"{', '.join(left)} should have stopped {LONGEST_SECONDS // 60} min ago. aws ecs "
                "describe-tasks says more."
            )
        time.sleep(POLL_SECONDS)
