"""Web and worker as ECS runs them: whether they are steady, and when the last old task is gone."""

import time
from collections.abc import Iterator
from typing import Any, Final

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import UserError
from langfuse_aws.settings.app_runner import APP_RUNNER

SERVICE: Final = "aws:ecs/service:Service"
POLL_SECONDS: Final = 5
LONGEST_SECONDS: Final = 600
"""A task has 120 s to stop in, and some more to leave its target group."""
APP_RUNNER_SECONDS: Final = 120
"""The longest a request to App Runner may take; its old instances are not to be seen.
https://docs.aws.amazon.com/apprunner/latest/dg/develop.html"""


def refuse_unless_steady(deployed: Deployed) -> None:
    """Raise UserError while ECS deploys web or worker."""
    ecs = deployed.aws("ecs")
    for name, cluster, service in _services(deployed):
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
        if found and len(found[0]["deployments"]) > 1:
            raise UserError(
                f"stack {deployed.name}: ECS is deploying {name}. Wait until that has ended: aws "
                f"ecs wait services-stable --cluster {cluster} --services {service}."
            )


def wait_for_old_tasks(deployed: Deployed) -> None:
    """Wait until the tasks that a deployment has replaced have stopped. UserError if they do not.

    A service counts as steady once they are told to stop, and they work until then.
    """
    with waits("the last tasks that were replaced"):
        if deployed.settings.web.platform == APP_RUNNER:
            time.sleep(APP_RUNNER_SECONDS)
        end = time.monotonic() + LONGEST_SECONDS
        while left := list(_stopping(deployed)):
            if time.monotonic() > end:
                raise UserError(
                    f"stack {deployed.name}: {', '.join(left)} should have stopped "
                    f"{LONGEST_SECONDS // 60} min ago. aws ecs describe-tasks says more."
                )
            time.sleep(POLL_SECONDS)


def _stopping(deployed: Deployed) -> Iterator[str]:
    ecs = deployed.aws("ecs")
    for _, cluster, service in _services(deployed):
        pages = ecs.get_paginator("list_tasks").paginate(
            cluster=cluster, serviceName=service, desiredStatus="STOPPED"
        )
        for arns in (page["taskArns"] for page in pages):
            tasks: list[dict[str, Any]] = (
                ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
            )
            yield from (each["taskArn"] for each in tasks if each["lastStatus"] != "STOPPED")


def _services(deployed: Deployed) -> Iterator[tuple[str, str, str]]:
    names = {f"{deployed.prefix}-web", f"{deployed.prefix}-worker"}
    for each in deployed.state:
        if each.type == SERVICE and each.name in names and not each.replaced:
            yield each.name, each.outputs["cluster"], each.outputs["name"]
