"""Reads back what runs at the end of `up`, waits while it comes, and ends `up` if it does not.

What Pulumi knows is not enough. A service whose deployment has failed is kept with an error, and
the next update of it is empty, so that the provider sends nothing and reports success. A rollback
passes for success where the clock of the deploying machine is wrong. The instances of an Auto
Scaling group are replaced after `up`, which hears nothing of it. So each `up` asks AWS itself.

https://github.com/pulumi/pulumi/blob/v3.250.0/pkg/resource/deploy/step_generator.go (hasInitErrors)
https://github.com/pulumi/pulumi-terraform-bridge/blob/59de6c6/pkg/tfbridge/provider.go (Update)
https://github.com/hashicorp/terraform-provider-aws/blob/v6.58.0/internal/service/ecs/service.go
https://github.com/hashicorp/terraform-provider-aws/issues/42355
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pulumi
import pulumi_aws as aws
from pulumi_aws.ecs.outputs import GetServiceDeploymentResult

from langfuse_aws.settings.installation import COMMAND

POLL_SECONDS: Final = 15
SERVICE_SECONDS: Final = 1200
"""The provider's own bound of a service's start."""
INSTANCE_SECONDS: Final = 1200
"""From an instance's end to the next one's start; several go one after the other."""
VERSION_TAG: Final = "aws:ec2launchtemplate:version"
"""EC2 puts it on what it launches from a template.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html"""
EVENTS: Final = 2
"""How many of a service's last events are told."""

SEND_AGAIN: Final = "Correct the cause, then run pulumi refresh --target '{urn}', and pulumi up."
"""A refresh reads what really runs, so that the next `up` has a difference to send."""


@dataclass(frozen=True)
class Finding:
    """What AWS says. `problem` is empty if all is as it should be."""

    problem: str = ""
    final: bool = False
    """Whether waiting is of no use."""


async def settled(look: Callable[[], Awaitable[Finding]], bound_seconds: int) -> None:
    """Wait until all is as it should be. Raises `pulumi.RunError` if that takes too long."""
    waited = 0
    while (found := await look()).problem:
        if found.final or waited >= bound_seconds:
            raise pulumi.RunError(found.problem)
        await asyncio.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def running_service(
    service: aws.ecs.Service,
    task_definition: pulumi.Output[str],
    *,
    provider: str | None = None,
    may_be_stopped: bool = True,
    after: Sequence[pulumi.Output[Any]] = (),
) -> pulumi.Output[str]:
    """Give a service's name, once ECS runs it with this task definition and on this provider.

    Whoever has stopped it on purpose knows, if it `may_be_stopped`. A preview does not ask. What is
    in `after` comes first.
    """
    told = service.name, service.cluster, service.urn, task_definition, *after
    if pulumi.runtime.is_dry_run():
        return _unasked(service.name, told)
    return pulumi.Output.all(*told).apply(
        lambda found: _running(service, provider, may_be_stopped, *found[:4])
    )


def _unasked(name: pulumi.Output[str], told: Sequence[pulumi.Output[Any]]) -> pulumi.Output[str]:
    """The name that a preview knows, which depends on all that the update will ask about.

    The engine holds an update to its plan by these dependencies, too.
    """

    async def resources() -> set[pulumi.Resource]:
        return set[pulumi.Resource]().union(*[await each.resources() for each in told])

    value = cast("Awaitable[str]", name.future())  # None only in a preview, if it is not known
    return pulumi.Output(resources(), value, name.is_known(), name.is_secret())


async def _running(
    service: aws.ecs.Service,
    provider: str | None,
    may_be_stopped: bool,
    name: str,
    cluster: str,
    urn: str,
    wanted: str,
) -> str:
    async def look() -> Finding:
        invoke_opts = pulumi.InvokeOptions(parent=service)
        asked = aws.ecs.get_service_output(cluster_arn=cluster, service_name=name, opts=invoke_opts)
        found = await asked.future()
        if found is None:
            return Finding()
        return service_finding(found, urn, wanted, provider, may_be_stopped=may_be_stopped)

    await settled(look, SERVICE_SECONDS)
    return name


def service_finding(
    found: aws.ecs.GetServiceResult,
    urn: str,
    wanted: str,
    provider: str | None = None,
    *,
    may_be_stopped: bool = True,
) -> Finding:
    """Hold what ECS runs against the task definition `wanted` and the capacity provider."""
    # Provider 5, which tests/provider has, tells no deployments, counts and events.
    deployments = found.deployments or []
    primary = next((each for each in deployments if each.status == "PRIMARY"), None)
    runs = found.task_definition if primary is None else primary.task_definition
    alone = len(deployments) <= 1
    placed = {each.capacity_provider for each in found.capacity_provider_strategies or ()}
    label, said = urn.rpartition("::")[2], _last_events(found)
    if found.desired_count == 0 and not may_be_stopped:
        return Finding(
            f"{label}: ECS is to run no task of it. If langfuse:hours was taken away while the "
            f"stack slept, run {COMMAND} resume, and pulumi up again; else somebody has set it "
            "to 0.",
            final=True,
        )
    if alone and runs != wanted:
        return Finding(
            f"{label}: ECS runs {_short(runs)}, not {_short(wanted)}, whose "
            f"deployment was rolled back.{said} {SEND_AGAIN.format(urn=urn)}",
            final=True,
        )
    if alone and provider is not None and placed and placed != {provider}:
        return Finding(
            f"{label}: ECS runs it on {' and '.join(sorted(placed))}, not on {provider}: the "
            f"deployment was rolled back.{said} {SEND_AGAIN.format(urn=urn)}",
            final=True,
        )
    if alone and found.running_count in (None, found.desired_count):
        return Finding()
    if primary is not None and _failed(primary, found):
        return Finding(
            f"{label}: ECS has given up starting {_short(wanted)}: {found.running_count} of "
            f"{found.desired_count} tasks run.{said} Correct the cause, then run aws ecs "
            f"update-service --cluster {found.cluster_arn.rpartition('/')[2]} --service "
            f"{found.service_name} --force-new-deployment, and pulumi up.",
            final=True,
        )
    return Finding(
        f"{label}: {found.running_count} of {found.desired_count} tasks run, and ECS goes on "
        f"trying.{said} Correct the cause, and run pulumi up again: it waits for them."
    )


def _failed(primary: GetServiceDeploymentResult, found: aws.ecs.GetServiceResult) -> bool:
    """Tell by ECS's event: after it, ECS starts no task of this deployment.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    """
    return any(
        f"(deployment {primary.id}) deployment failed" in each.message
        for each in found.events or ()
    )


def _last_events(found: aws.ecs.GetServiceResult) -> str:
    """Quote what ECS said last, the latest first."""
    said = [each.message.rstrip(".") for each in (found.events or [])[:EVENTS]]
    return f" ECS says: {'; '.join(said)}." if said else ""


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def current_instances(
    group: aws.autoscaling.Group, version: pulumi.Output[str], count: int
) -> pulumi.Output[str]:
    """Give a group's name, once no instance is left of another version of its launch template.

    `count` is how many may have to go, one after the other. A preview does not ask.
    """
    told = group.name, group.urn, version
    if pulumi.runtime.is_dry_run():
        return _unasked(group.name, told)
    return pulumi.Output.all(*told).apply(lambda found: _current(group, count, *found))


async def _current(
    group: aws.autoscaling.Group, count: int, name: str, urn: str, version: str
) -> str:
    async def instances(more: Mapping[str, str]) -> set[str]:
        asked = aws.ec2.get_instances_output(
            filters=[{"name": "tag-key", "values": [VERSION_TAG]}],
            instance_tags={"aws:autoscaling:groupName": name, **more},
            instance_state_names=["pending", "running", "stopping", "shutting-down"],
            opts=pulumi.InvokeOptions(parent=group),
        )
        found = await asked.future()
        return set() if found is None else set(found.ids)

    async def look() -> Finding:
        old = await instances({}) - await instances({VERSION_TAG: version})
        return instances_finding(urn.rpartition("::")[2], name, version, old)

    await settled(look, INSTANCE_SECONDS * count)
    return name


def instances_finding(label: str, name: str, version: str, old: Collection[str]) -> Finding:
    """Say which instances are still of another version."""
    if not old:
        return Finding()
    return Finding(
        f"{label}: version {version} of the launch template is not what {', '.join(sorted(old))} "
        f"runs. aws autoscaling describe-scaling-activities --auto-scaling-group-name {name} says "
        "what hinders the replacement. Correct the cause, then run aws autoscaling "
        f"start-instance-refresh --auto-scaling-group-name {name} --preferences "
        "MinHealthyPercentage=0 if none is under way, and pulumi up."
    )
