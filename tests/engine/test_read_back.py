"""What `up` says of services that do not run as they should, under the real engine.

The in-memory AWS plays ECS and provider 6 as their sources have them: a deployment that fails
leaves the service with an error, or on what it ran before; an update without differences sends
nothing; a refresh reads what runs. It proves that no `up` succeeds while something else runs, and
that each remedy which is told works. That ECS says what is played here, it does not prove.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from pulumi.runtime.proto import provider_pb2, status_pb2

from offline.provider import AwsProvider
from offline.read_back import ECS, Running
from offline.serving import providers
from offline.wire import from_struct, to_struct
from tests.deployment import Deployment

WEB = "langfuse-dev-web"
CLICKHOUSE = "langfuse-dev-clickhouse"
REASON = "waiting for ECS Service create: tasks failed to start"


class Ecs(AwsProvider):
    """Deploys services, unless they are to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: set[str] = set()
        """Logical names of services whose tasks do not start."""
        self.unnoticed = False
        """The provider takes a rollback for success, as it does where its clock is wrong."""
        self.runs: dict[str, str | None] = {}
        """What each service runs, by its physical name."""
        self.sent: list[tuple[str, dict[str, Any]]] = []
        """The updates that ECS got."""

    def running(self) -> list[Running]:
        """Services run what was last completed."""
        found = super().running()
        return [
            Running(
                each.type,
                each.properties,
                self.runs.get(each.properties["name"], each.runs),
                () if self.runs.get(each.properties["name"], "") else self._given_up(each),
            )
            if each.type == ECS
            else each
            for each in found
        ]

    @staticmethod
    def _given_up(service: Running) -> tuple[str, ...]:
        name = service.properties["name"]
        return (
            f"(service {name}) (deployment ecs-svc/{name}) deployment failed: tasks failed to "
            "start.",
        )

    def redeploy(self, name: str) -> None:
        """What `aws ecs update-service --force-new-deployment` does."""
        (service,) = [each for each in self.running() if each.properties.get("name") == name]
        if not any(re.fullmatch(f"{label}-[0-9a-f]{{7}}", name) for label in self.fails):
            self.runs[name] = service.properties["taskDefinition"]

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Compare with the state, as the bridge does: an update that failed is in it."""
        if request.type == ECS:
            olds = from_struct(request.olds)
            known = {key: olds.get(key) for key in from_struct(request.old_inputs)}
            request.old_inputs.CopyFrom(to_struct(known))
        return super().Diff(request, context)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a service, and wait for its first deployment."""
        made = super().Create(request, context)
        if request.type == ECS and not request.preview:
            outputs = from_struct(made.properties)
            fails = request.name in self.fails
            self.runs[outputs["name"]] = None if fails else outputs["taskDefinition"]
            if fails:
                _abort_half_made(context, made.id, made.properties)
        return made

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Send what differs, and wait for the deployment."""
        if request.type != ECS:
            return super().Update(request, context)
        olds, news = from_struct(request.olds), from_struct(request.news)
        differing = {
            key: value
            for key, value in news.items()
            if not key.startswith("__") and olds.get(key) != value
        }
        if not differing:
            return provider_pb2.UpdateResponse(properties=request.olds)
        updated = super().Update(request, context)
        if request.preview:
            return updated
        outputs = from_struct(updated.properties)
        self.sent.append((request.name, differing))
        if request.name not in self.fails:
            self.runs[outputs["name"]] = outputs["taskDefinition"]
            return updated
        if not self.unnoticed:
            _abort_half_made(context, request.id, updated.properties)
        outputs["taskDefinition"] = self.runs[outputs["name"]]
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Read what a service runs."""
        if request.type != ECS or not request.properties.fields:
            return super().Read(request, context)
        properties, inputs = from_struct(request.properties), from_struct(request.inputs)
        runs = self.runs.get(properties["name"]) or properties["taskDefinition"]
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=to_struct({**properties, "taskDefinition": runs}),
            inputs=to_struct({**inputs, "taskDefinition": runs}),
        )


def _abort_half_made(context: Any, resource_id: str, properties: Any) -> None:
    """Fail, and have the engine keep the resource."""
    failed = provider_pb2.ErrorResourceInitFailed(
        id=resource_id, properties=properties, reasons=[REASON]
    )
    detail = AnyMessage()
    detail.Pack(failed)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=REASON)
    status.details.append(detail)
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(grpc.StatusCode.UNKNOWN, REASON)


@pytest.fixture
def aws() -> Ecs:
    return Ecs()


@pytest.fixture
def deployment(aws: Ecs, tmp_path: Path) -> Iterator[Deployment]:
    with providers(aws=aws) as found:
        yield Deployment.of("dev", tmp_path, found)


def refused(deployment: Deployment, *options: str) -> str:
    """What an `up` says that must not succeed."""
    done = deployment.up(*options, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0, f"it reported success:\n{said}"
    assert "Traceback" not in said
    return said


def urn_of(deployment: Deployment, name: str) -> str:
    return next(
        each["urn"]
        for each in deployment.state()
        if each["type"] == ECS and each["urn"].endswith(f"::{name}")
    )


@pytest.mark.parametrize("name", [WEB, CLICKHOUSE])
def test_a_service_that_never_started_is_never_taken_for_one_that_runs(
    deployment: Deployment, aws: Ecs, name: str
) -> None:
    aws.fails = {name}
    assert REASON in refused(deployment), "the provider's own word"
    made = [found for found in aws.runs if found.startswith(f"{name}-")]
    said = refused(deployment)
    assert f"{name}: ECS has given up starting" in said
    assert "deployment failed: tasks failed to start" in said, "ECS's own reason"
    aws.fails = set()
    assert f"{name}: ECS has given up" in refused(deployment), "ECS starts nothing by itself"
    command = re.search(
        r"aws ecs update-service --cluster (\S+) --service (\S+) --force-new-deployment", said
    )
    assert command
    assert [command[2]] == made
    aws.redeploy(command[2])
    deployment.up()
    assert [found for found in aws.runs if found.startswith(f"{name}-")] == made, "no second one"
    assert all(aws.runs.values())
    assert deployment.changes() == set()


def test_a_first_start_that_a_change_mends_needs_no_more_than_up(
    deployment: Deployment, aws: Ecs
) -> None:
    aws.fails = {WEB}
    refused(deployment)
    aws.fails = set()
    deployment.configure("web.memory", "4096")
    deployment.up()
    assert all(aws.runs.values())


@pytest.mark.parametrize("unnoticed", [False, True])
def test_a_deployment_that_was_rolled_back_is_told_until_it_is_sent_again(
    deployment: Deployment, aws: Ecs, unnoticed: bool
) -> None:
    deployment.up()
    before = dict(aws.runs)
    aws.fails, aws.unnoticed = {WEB}, unnoticed
    deployment.configure("web.memory", "4096")
    said = refused(deployment)
    if not unnoticed:
        said = refused(deployment)
    (name,) = [found for found in aws.runs if found.startswith(f"{WEB}-")]
    running = before[name]
    assert running
    assert f"{WEB}: ECS runs {running.rpartition('/')[2]}, not {WEB}:" in said
    assert aws.runs == before, "the old tasks go on"
    aws.fails = set()
    urn = urn_of(deployment, WEB)
    assert f"pulumi refresh --target '{urn}'" in said
    deployment.run("refresh", "--yes", "--skip-preview", "--target", urn, "--stack", "dev")
    deployment.up()
    assert aws.runs[name] != running
    assert deployment.changes() == set()


def test_spot_is_switched_off_and_on_in_a_running_stack(deployment: Deployment, aws: Ecs) -> None:
    deployment.up()
    for spot, provider in (("false", "FARGATE"), ("true", "FARGATE_SPOT")):
        aws.sent.clear()
        deployment.configure("web.spot", spot)
        deployment.up()
        assert aws.sent == [
            (WEB, {"capacityProviderStrategies": [{"capacityProvider": provider, "weight": 1}]})
        ]
        (found,) = [each for each in deployment.state() if each["urn"] == urn_of(deployment, WEB)]
        assert found["inputs"]["forceNewDeployment"] is True, "provider 6 refuses it otherwise"
        assert deployment.changes() == set()
