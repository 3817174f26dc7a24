"""Rules on tasks and services: what runs, how it is replaced, and what it may do."""

import re
from collections.abc import Iterator
from typing import Any, Final

from langfuse_aws.contract import node_options
from langfuse_aws.contract.start_and_stop import WEB_DRAIN_SECONDS, WORKER_STOP_SECONDS
from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE, ECS_SERVICE, TASK_DEFINITION
from langfuse_aws.policy.inputs import (
    LANGFUSE_IMAGE,
    containers,
    is_known,
    is_off,
    named_values,
    part,
    parts,
)
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule

FUNCTION: Final = "aws:lambda/function:Function"

PINNED: Final = re.compile(r".+(@sha256:[0-9a-f]{64}|:v?\d+\.\d+\.\d+[\w.+-]*)")
"""An image with a digest, or with a tag of three numbers or more."""


def _moving_image(resource: Resource) -> Iterator[str]:
    images = [container["image"] for container in containers(resource)]
    if resource.type == FUNCTION:
        images = [resource.inputs["imageUri"]] if resource.inputs.get("imageUri") else []
    for image in images:
        if is_known(image) and not PINNED.fullmatch(image):
            yield f"image {image} is not one exact version"


def _privileged(resource: Resource) -> Iterator[str]:
    for key in ("networkMode", "pidMode", "ipcMode"):
        if resource.inputs.get(key) == "host":
            yield f"{key} is host"
    for container in containers(resource):
        if container.get("privileged"):
            yield f"container {container['name']} is privileged"


def _network_file_system(resource: Resource) -> Iterator[str]:
    for volume in parts(resource.inputs, "volumes"):
        if volume.get("efsVolumeConfiguration") not in (None, UNKNOWN):
            yield f"volume {volume.get('name')} is on EFS"


def _no_time_to_drain(resource: Resource) -> Iterator[str]:
    for container in containers(resource):
        seconds = container.get("stopTimeout") or 30
        image = LANGFUSE_IMAGE.fullmatch(container["image"])
        if image and seconds < (WORKER_STOP_SECONDS if image[1] else WEB_DRAIN_SECONDS + 1):
            yield f"container {container['name']} is killed after {seconds:.0f} s"


def _heap_as_large_as_memory(resource: Resource) -> Iterator[str]:
    for container in containers(resource):
        memory: Any = container.get("memory") or resource.inputs.get("memory")
        options = named_values(container, "environment").get(node_options.VARIABLE, "")
        if not memory or not is_known(memory):
            continue
        for heap in node_options.heaps_mib(options, int(memory)):
            if heap and heap > node_options.LARGEST_HEAP_SHARE * int(memory):
                yield f"container {container['name']} has a heap of {heap:.0f} of {int(memory)} MiB"


def _open_shell(resource: Resource) -> Iterator[str]:
    if resource.inputs.get("enableExecuteCommand"):
        yield "ECS Exec is on"


def _no_way_back(resource: Resource) -> Iterator[str]:
    breaker = part(resource.inputs, "deploymentCircuitBreaker")
    if is_off(breaker, "enable") or is_off(breaker, "rollback"):
        yield "deploymentCircuitBreaker does not roll back"


def _no_health_check(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    protocol = part(resource.inputs, "healthCheckConfiguration").get("protocol")
    if resource.type == APP_RUNNER_SERVICE and is_known(protocol) and protocol != "HTTP":
        yield "its health check connects, and asks for nothing"
    for task in stack.graph.origins(resource, "taskDefinition", TASK_DEFINITION):
        for container in containers(task):
            if container.get("essential", True) and not container.get("healthCheck"):
                yield f"container {container['name']} has no health check"


def _two_on_one_volume(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    most = resource.inputs.get("deploymentMaximumPercent", 200)
    for task in stack.graph.origins(resource, "taskDefinition", TASK_DEFINITION):
        volumes = task.inputs.get("volumes")
        if task.inputs.get("requiresCompatibilities") == ["FARGATE"]:
            volumes = [each for each in parts(task.inputs, "volumes") if each.keys() - {"name"}]
        if volumes and volumes != UNKNOWN and is_known(most) and most > 100:
            yield f"it may run at {most:.0f} % during an update, and its tasks have a volume"


RULES: Final[tuple[Rule, ...]] = (
    ResourceRule(
        id="image-pinned",
        what="Every image is one exact version or a digest.",
        why="A task that restarts runs another release than the one that was migrated. Six other "
        "projects run latest or a major version.",
        remedy="Use a tag of three numbers or a digest",
        types=(TASK_DEFINITION, APP_RUNNER_SERVICE, FUNCTION),
        check=_moving_image,
    ),
    ResourceRule(
        id="container-unprivileged",
        what="No container is privileged, and none shares the host's network or processes.",
        why="Whoever breaks into it has the instance, with its role and its volume.",
        remedy="Use awsvpc networking and leave privileged out",
        types=(TASK_DEFINITION,),
        check=_privileged,
    ),
    ResourceRule(
        id="no-network-file-system",
        what="No task keeps data on EFS.",
        why="ClickHouse on EFS is slow, dear, and fails on renames; seven other "
        "projects have or had it.",
        remedy="Use an EBS volume",
        types=(TASK_DEFINITION,),
        check=_network_file_system,
    ),
    ResourceRule(
        id="container-drains",
        what=f"Web has more than {WEB_DRAIN_SECONDS} s to stop, the worker {WORKER_STOP_SECONDS}.",
        why="Web waits that long after SIGTERM, the worker for its jobs; ECS kills after 30 s and "
        "cuts requests off.",
        remedy=f"Set stopTimeout to 120, or to {WORKER_STOP_SECONDS} for the worker",
        types=(TASK_DEFINITION,),
        check=_no_time_to_drain,
    ),
    ResourceRule(
        id="heap-leaves-room",
        what=f"Node's heap is at most {node_options.LARGEST_HEAP_SHARE:.0%} of the memory.",
        why="tubone24/langfuse-v3-terraform ecs.tf:237 gives it all: the kernel kills the task "
        "before Node collects garbage.",
        remedy="Lower --max-old-space-size or raise the memory",
        types=(TASK_DEFINITION, APP_RUNNER_SERVICE),
        check=_heap_as_large_as_memory,
    ),
    ResourceRule(
        id="no-shell-in-tasks",
        what="ECS Exec is off.",
        why="A shell in web has every key in its environment.",
        remedy="Set langfuse:exec to false, or leave enableExecuteCommand out",
        types=(ECS_SERVICE,),
        check=_open_shell,
    ),
    ResourceRule(
        id="deployment-rolls-back",
        what="A failed deployment rolls back by itself.",
        why="Without a circuit breaker ECS starts broken tasks for ever.",
        remedy="Set deploymentCircuitBreaker to enable and rollback",
        types=(ECS_SERVICE,),
        check=_no_way_back,
    ),
    StackRule(
        id="service-has-health-check",
        what="Every container of a service has a health check.",
        why="A worker that hangs stays in service while the queue grows.",
        remedy="Give the container a healthCheck",
        types=(ECS_SERVICE, APP_RUNNER_SERVICE),
        check=_no_health_check,
    ),
    StackRule(
        id="one-task-on-a-volume",
        what="A service whose tasks have a volume stops a task before it starts the next.",
        why="Two ClickHouse servers on one volume end in exit code 76; four other "
        "projects allow it.",
        remedy="Set deploymentMaximumPercent to 100",
        types=(ECS_SERVICE,),
        check=_two_on_one_volume,
    ),
)
