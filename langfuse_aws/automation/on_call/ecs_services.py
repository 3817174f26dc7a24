"""Findings on the ECS services: their tasks, what they run, the last deployment and why it failed.

How ECS says why tasks stop, for an hour after they did:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from langfuse_aws.automation.on_call import images
from langfuse_aws.automation.on_call.findings import Finding, Reading, State, age, iso, now
from langfuse_aws.automation.on_call.running_stack import RunningStack, container_images
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import ECS_SERVICE, TASK_DEFINITION

SECTION: Final = "services"
ORDER: Final = ("web", "worker", "clickhouse")
"""Along the way of an event; others come after."""
TASKS_AT_ONCE: Final = 100
"""Of DescribeTasks."""
DEPLOYMENTS_AT_ONCE: Final = 100
"""Of ListServiceDeployments, which gives 20 unless it is asked."""
SCALING: Final = "Scaling activity initiated by"
"""How ECS begins the reason of a task that it stopped for a deployment or to scale in."""
SPOT: Final = "SpotInterruption"
STEADY: Final = "has reached a steady state"
EVENTS: Final = 3
UNDER_WAY: Final = ("PENDING", "IN_PROGRESS")
SUCCESSFUL: Final = "SUCCESSFUL"


@dataclass(frozen=True)
class Service:
    """An ECS service of the stack."""

    stack: RunningStack
    part: str
    cluster: str
    name: str
    definition: Resource | None
    """The task definition that the last `up` gave it."""

    @classmethod
    def of(cls, stack: RunningStack, resource: Resource) -> "Service":
        """Take a service of the state."""
        arn = resource.outputs.get("taskDefinition")
        definitions = stack.of_type(TASK_DEFINITION)
        return cls(
            stack,
            stack.part(resource),
            resource.outputs["cluster"],
            resource.outputs["name"],
            next((each for each in definitions if each.outputs.get("arn") == arn), None),
        )

    @property
    def ecs(self) -> Any:
        """The client."""
        return self.stack.aws("ecs")

    def describe(self) -> Mapping[str, Any] | None:
        """What ECS says of it; None: ECS has no such service."""
        answer = self.ecs.describe_services(cluster=self.cluster, services=[self.name])
        found = [each for each in answer["services"] if each["status"] != "INACTIVE"]
        return found[0] if found else None

    def deployments(self) -> list[Mapping[str, Any]]:
        """Its deployments of the last 90 days. botocore has no paginator of these."""
        found: list[Mapping[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            answer = self.ecs.list_service_deployments(
                cluster=self.cluster, service=self.name, maxResults=DEPLOYMENTS_AT_ONCE, **more
            )
            found += answer["serviceDeployments"]
            if not answer.get("nextToken"):
                return found
            more = {"nextToken": answer["nextToken"]}

    def tasks(self, status: str) -> list[Mapping[str, Any]]:
        """Its tasks that are to be RUNNING, or STOPPED in the last hour."""
        pages = self.ecs.get_paginator("list_tasks").paginate(
            cluster=self.cluster, serviceName=self.name, desiredStatus=status
        )
        arns = [arn for page in pages for arn in page["taskArns"]]
        return [
            task
            for begin in range(0, len(arns), TASKS_AT_ONCE)
            for task in self.ecs.describe_tasks(
                cluster=self.cluster, tasks=arns[begin : begin + TASKS_AT_ONCE]
            )["tasks"]
        ]


def service_readings(stack: RunningStack) -> Iterator[Reading]:
    """Two of each service: its tasks, and its last deployment."""
    services = stack.by_part(ECS_SERVICE)
    for part in sorted(services, key=lambda each: (*ORDER, each).index(each)):
        resource = services[part]
        yield Reading(SECTION, part, partial(_tasks, stack, resource))
        yield Reading(SECTION, f"{part} deployment", partial(_deployment, stack, resource))


def _tasks(stack: RunningStack, resource: Resource) -> Iterator[Finding]:
    service = Service.of(stack, resource)
    described = service.describe()
    if described is None:
        yield Finding(
            SECTION,
            service.part,
            "wrong",
            f"ECS has no service {service.name}",
            "It was deleted by hand: status --drift, then pulumi up --refresh.",
        )
        return
    running, desired = described["runningCount"], described["desiredCount"]
    pending = described["pendingCount"]
    tasks = service.tasks("RUNNING")
    failures = [each for each in _failures(service) if each.get("stopCode") != SPOT]
    container = _container(service)
    run, want = images.of_tasks(tasks, container), images.wanted(service.definition, container)
    unhealthy = sum(each.get("healthStatus") == "UNHEALTHY" for each in tasks)
    moving = len(described["deployments"]) > 1
    wrong: list[str] = []
    sleeps = stack.asleep is not None and not desired
    if not desired and not sleeps:
        wrong.append("no task is wanted: it was stopped")
    if unhealthy:
        wrong.append(f"{unhealthy} unhealthy")
    if not moving:
        wrong += filter(None, [_other_definition(service, described), images.difference(run, want)])
    short = running + pending < desired
    if failures:
        count = f"{len(failures)} task{'s' if len(failures) > 1 else ''} failed in the last hour"
        wrong.append(f"{count}, the newest {stop_reason(failures[0])}")
    elif short:
        wrong += _newest_events(described)[:1]
    counts = f"{running} of {desired} tasks" + (f", {pending} starting" if pending else "")
    if sleeps:
        counts = f"{running} tasks, asleep"
    yield Finding(
        SECTION,
        service.part,
        "wrong" if wrong or short else "ok",
        "; ".join(filter(None, [f"{counts}, {images.shown(run, want)}".rstrip(", "), *wrong])),
        f"logs {service.part} --since 1h" if wrong or short else "",
        {
            "service": service.name,
            "running_tasks": running,
            "desired_tasks": desired,
            "pending_tasks": pending,
            "unhealthy_tasks": unhealthy,
            "images": images.facts(run, want),
            "failures": [_failure(each) for each in failures],
            "events": _newest_events(described),
        },
    )


def _deployment(stack: RunningStack, resource: Resource) -> Iterator[Finding]:
    service = Service.of(stack, resource)
    subject = f"{service.part} deployment"
    found = service.deployments()
    if not found:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/view-service-deployment.html
        yield Finding(SECTION, subject, "ok", "none in the last 90 days")
        return
    last = max(found, key=lambda each: each["createdAt"])
    status, reason = last["status"], last.get("statusReason", "")
    when = last.get("finishedAt") or last["createdAt"]
    state: State = "ok" if status in (SUCCESSFUL, *UNDER_WAY) else "wrong"
    words = status.lower().replace("_", " ")
    text = f"{words} {age((now() - when).total_seconds())} ago"
    if status in UNDER_WAY:
        text = f"{words} for {age((now() - last['createdAt']).total_seconds())}"
    elif state == "wrong":
        failures = _failures(service)
        why = [reason, *(stop_reason(each) for each in failures[:1])]
        text = ": ".join([text, "; ".join(filter(None, why)) or "ECS gives no reason"])
    yield Finding(
        SECTION,
        subject,
        state,
        text,
        "Mend what it says, and pulumi up." if state == "wrong" else "",
        {
            "status": status,
            "reason": reason,
            "created_at": iso(last["createdAt"]),
            "finished_at": iso(last["finishedAt"]) if last.get("finishedAt") else None,
        },
    )


def _container(service: Service) -> str:
    """Name the container that counts: the part's own, or the first of the definition."""
    names = list(container_images(service.definition)) if service.definition else []
    return service.part if service.part in names or not names else names[0]


def _other_definition(service: Service, described: Mapping[str, Any]) -> str:
    want: str = service.definition.outputs["arn"] if service.definition else ""
    if not want or described["taskDefinition"] == want:
        return ""
    runs, wants = (arn.rpartition("/")[2] for arn in (described["taskDefinition"], want))
    return f"runs task definition {runs}, the last up wanted {wants}"


def _failures(service: Service) -> list[Mapping[str, Any]]:
    """The tasks that ended otherwise than ECS meant them to, newest first."""
    stopped = [
        each
        for each in service.tasks("STOPPED")
        if each.get("stoppedAt") and not each.get("stoppedReason", "").startswith(SCALING)
    ]
    return sorted(stopped, key=lambda each: each["stoppedAt"], reverse=True)


def stop_reason(task: Mapping[str, Any]) -> str:
    """Say when and why a task ended, with its containers' own reasons."""
    containers = [
        f"{each['name']}: "
        + ", ".join(
            filter(
                None,
                [
                    f"exit code {each['exitCode']}" if each.get("exitCode") is not None else "",
                    each.get("reason", ""),
                ],
            )
        )
        for each in task["containers"]
        if each.get("exitCode") or each.get("reason")
    ]
    ago = age((now() - task["stoppedAt"]).total_seconds())
    said = [task.get("stoppedReason", "without a reason"), *containers]
    return f"{ago} ago: {'; '.join(said)}"


def _failure(task: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "task": task["taskArn"].rpartition("/")[2],
        "stopped_at": iso(task["stoppedAt"]),
        "code": task.get("stopCode", ""),
        "reason": stop_reason(task).partition(": ")[2],
    }


def _newest_events(described: Mapping[str, Any]) -> list[str]:
    """What ECS last said of the service, but that it is steady."""
    said = [each["message"] for each in described.get("events", [])]
    return [each for each in said if STEADY not in each][:EVENTS]
