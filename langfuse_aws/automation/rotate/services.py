"""Web and worker as ECS runs them: whether they are steady, and when the last old task is gone."""

import time
from collections.abc import Iterator

from langfuse_aws.automation.aws.stopping_tasks import wait_until_stopped
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import UserError
from langfuse_aws.contract.timeouts import APP_RUNNER_SECONDS
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE, ECS_SERVICE
from langfuse_aws.settings.app_runner import APP_RUNNER


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


def how_to_start_anew(deployed: Deployed) -> str:
    """Give the commands after which web and worker read their secrets again.

    App Runner pulls them at a deployment only.
    https://docs.aws.amazon.com/apprunner/latest/dg/env-variable.html
    """
    commands = [
        f"aws ecs update-service --cluster {cluster} --service {service} --force-new-deployment"
        for _, cluster, service in _services(deployed)
    ] + [
        f"aws apprunner start-deployment --service-arn {each.outputs['arn']}"
        for each in deployed.state
        if each.type == APP_RUNNER_SERVICE and not each.replaced
    ]
    return ", and ".join(commands)


def wait_for_old_tasks(deployed: Deployed) -> None:
    """Wait until the tasks that a deployment has replaced have stopped. UserError if they do not.

    A service counts as steady once they are told to stop, and they work until then.
    """
    with waits("the last tasks that were replaced"):
        if deployed.settings.web.platform == APP_RUNNER:
            time.sleep(APP_RUNNER_SECONDS)  # its old instances are not to be seen
        services = [(cluster, service) for _, cluster, service in _services(deployed)]
        wait_until_stopped(deployed.aws("ecs"), services)


def _services(deployed: Deployed) -> Iterator[tuple[str, str, str]]:
    names = {f"{deployed.prefix}-web", f"{deployed.prefix}-worker"}
    for each in deployed.state:
        if each.type == ECS_SERVICE and each.name in names and not each.replaced:
            yield each.name, each.outputs["cluster"], each.outputs["name"]
