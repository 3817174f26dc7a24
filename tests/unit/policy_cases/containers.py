"""Tasks and services."""

from collections.abc import Mapping
from typing import Any, Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.policy.containers import FUNCTION
from tests.unit.policy_cases import Case, app_runner, broken, kept, made, service, task

DIGEST: Final = "sha256:" + "83749231c3835e39" * 4
LANGFUSE: Final = {"image": "ghcr.io/langfuse/langfuse:3.200.1"}
BREAKER: Final = {"enable": True, "rollback": True}
NOT_BACK: Final = "deploymentCircuitBreaker does not roll back"
VOLUMES: Final = [{"name": "data", "hostPath": "/var/lib/data"}]


def heap(mib: int, **container: Any) -> dict[str, Any]:
    option = {"name": "NODE_OPTIONS", "value": f"--max-old-space-size={mib}"}
    return {"environment": [option], **container}


def on_app_runner(option: str) -> Resource:
    variables = {"NODE_OPTIONS": option}
    return app_runner(imageConfiguration={"runtimeEnvironmentVariables": variables})


def served(*containers: dict[str, Any]) -> tuple[Resource, Resource]:
    definition = task(*containers)
    return service(definition), definition


FARGATE: Final = {"requiresCompatibilities": ["FARGATE"]}
"""There a volume that is a name alone is the task's own, and goes with it."""


def on_volume(
    volumes: Any, on: Mapping[str, Any] | None = None, **inputs: Any
) -> tuple[Resource, Resource]:
    definition = task({}, volumes=volumes, **(on or {}))
    return service(definition, **inputs), definition


CASES: Final[tuple[Case, ...]] = (
    *(
        broken("image-pinned", f"image {image} is not one exact version", task({"image": image}))
        for image in (
            "clickhouse",
            "grafana:latest",
            "langfuse:3",
            "clickhouse:25.8",
            "r:5/web:1.2",
        )
    ),
    broken(
        "image-pinned",
        "image r/f:latest is not one exact version",
        made(FUNCTION, {"imageUri": "r/f:latest"}),
    ),
    *(
        kept("image-pinned", task({"image": image}))
        for image in (
            "ghcr.io/langfuse/langfuse:3.200.1",
            "clickhouse:25.12.9.9",
            "r:5000/web:v1.2.3-alpine",
            f"grafana:latest@{DIGEST}",
            UNKNOWN,
        )
    ),
    kept("image-pinned", made(FUNCTION)),
    broken(
        "image-pinned",
        "image r/langfuse:3 is not one exact version",
        app_runner(imageIdentifier="r/langfuse:3"),
    ),
    kept("image-pinned", app_runner()),
    kept("image-pinned", app_runner(imageIdentifier=UNKNOWN)),
    *(
        broken("container-unprivileged", f"{key} is host", task({}, **{key: "host"}))
        for key in ("networkMode", "pidMode", "ipcMode")
    ),
    broken("container-unprivileged", "container web is privileged", task({"privileged": True})),
    kept("container-unprivileged", task({"privileged": False}, networkMode="awsvpc")),
    broken(
        "no-network-file-system",
        "volume data is on EFS",
        task({}, volumes=[{"name": "data", "efsVolumeConfiguration": {"fileSystemId": UNKNOWN}}]),
    ),
    kept("no-network-file-system", task({}, volumes=VOLUMES)),
    broken("container-drains", "container web is killed after 30 s", task(LANGFUSE)),
    broken(
        "container-drains",
        "container web is killed after 110 s",
        task({**LANGFUSE, "stopTimeout": 110}),
    ),
    kept("container-drains", task({**LANGFUSE, "stopTimeout": 120})),
    *(
        case
        for image in ("ghcr.io/langfuse/langfuse-worker:4.1.0", f"r/langfuse-worker@{DIGEST}")
        for case in (
            broken(
                "container-drains",
                "container web is killed after 59 s",
                task({"image": image, "stopTimeout": 59}),
            ),
            kept("container-drains", task({"image": image, "stopTimeout": 60})),
        )
    ),
    kept("container-drains", task({"image": "docker.io/grafana/grafana:12.1.0"})),
    broken(
        "heap-leaves-room",
        "container web has a heap of 4096 of 4096 MiB",
        task(heap(4096), memory="4096"),
    ),
    broken(
        "heap-leaves-room",
        "container web has a heap of 1844 of 2048 MiB",
        task(heap(1844, memory=2048), memory="4096"),
    ),
    kept("heap-leaves-room", task(heap(3072), memory="4096")),
    kept("heap-leaves-room", task(heap(3072), memory=UNKNOWN)),
    kept("heap-leaves-room", task(heap(3072))),
    kept("heap-leaves-room", task({}, memory="512")),
    broken(
        "heap-leaves-room",
        "container web has a heap of 2048 of 2048 MiB",
        on_app_runner("--max-old-space-size=2048"),
    ),
    *(
        broken("heap-leaves-room", "container web has a heap of 2048 of 2048 MiB", each)
        for each in (
            on_app_runner("--trace-warnings --max_old_space_size=2048"),
            on_app_runner("--max-old-space-size-percentage=100"),
        )
    ),
    kept("heap-leaves-room", on_app_runner("--max-old-space-size=1536 --trace-warnings")),
    broken("no-shell-in-tasks", "ECS Exec is on", service(task({}), enableExecuteCommand=True)),
    kept("no-shell-in-tasks", service(task({}), enableExecuteCommand=False)),
    kept("no-shell-in-tasks", service(task({}))),
    broken("deployment-rolls-back", NOT_BACK, service(task({}))),
    *(
        broken(
            "deployment-rolls-back",
            NOT_BACK,
            service(task({}), deploymentCircuitBreaker={**BREAKER, switch: False}),
        )
        for switch in BREAKER
    ),
    kept("deployment-rolls-back", service(task({}), deploymentCircuitBreaker=BREAKER)),
    broken("service-has-health-check", "container web has no health check", *served({})),
    kept("service-has-health-check", *served({"healthCheck": {"command": ["CMD", "true"]}})),
    kept("service-has-health-check", *served({"essential": False})),
    broken(
        "service-has-health-check",
        "its health check connects, and asks for nothing",
        made("aws:apprunner/service:Service"),
    ),
    kept("service-has-health-check", app_runner()),
    *(
        broken(
            "one-task-on-a-volume",
            f"it may run at {most} % during an update, and its tasks have a volume",
            *on_volume(VOLUMES, on=None, **inputs),
        )
        for most, inputs in ((200, {}), (150, {"deploymentMaximumPercent": 150}))
    ),
    kept("one-task-on-a-volume", *on_volume(VOLUMES, deploymentMaximumPercent=100)),
    kept("one-task-on-a-volume", *on_volume(UNKNOWN, deploymentMaximumPercent=200)),
    kept("one-task-on-a-volume", *on_volume([], deploymentMaximumPercent=200)),
    kept("one-task-on-a-volume", *on_volume([{"name": "certificates"}], on=FARGATE)),
    broken(
        "one-task-on-a-volume",
        "it may run at 200 % during an update, and its tasks have a volume",
        *on_volume([{"name": "data", "configureAtLaunch": True}], on=FARGATE),
    ),
    broken(
        "one-task-on-a-volume",
        "it may run at 200 % during an update, and its tasks have a volume",
        *on_volume([{"name": "data"}]),
    ),
)
