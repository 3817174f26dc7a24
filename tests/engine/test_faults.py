"""What a deployment does when something fails in its middle, under the real engine.

It proves what is left of a stack after a failed migration and after an engine that was killed, and
that the next `up` goes on from there. AWS is the in-memory one, made to fail where a test says.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from langfuse_aws.settings.versions import LANGFUSE
from tests.deployment import NEXT_RELEASE, Deployment

pytestmark = pytest.mark.running

INVOCATION = "aws:lambda/invocation:Invocation"
SERVICE = "aws:ecs/service:Service"
LONGEST_WAIT = 120
QUIET_SECONDS = 3


class FailingAws(AwsProvider):
    """Fails, or waits, in the creation of what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[str, str] = {}
        self.waits = ""
        self.waiting = threading.Event()
        self.go_on = threading.Event()
        self.forsaken = threading.Event()
        """The one who asked for what waits is gone."""
        self.created: Counter[tuple[str, str]] = Counter()

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create, unless it is to fail."""
        if not request.preview:
            if message := self.fails.get(request.type):
                context.abort(grpc.StatusCode.UNKNOWN, message)
            if f"{request.type} {request.name}" == self.waits:
                context.add_callback(self.forsaken.set)
                self.waiting.set()
                self.go_on.wait(LONGEST_WAIT)
                if not context.is_active():  # a killed engine's provider asks AWS for nothing more
                    context.abort(grpc.StatusCode.CANCELLED, "the engine is gone")
            self.created[request.type, request.name] += 1
        return super().Create(request, context)


@pytest.fixture
def aws() -> FailingAws:
    return FailingAws()


@pytest.fixture
def environment(aws: FailingAws) -> Iterator[dict[str, str]]:
    with providers(aws=aws) as found:
        yield {**found, "PULUMI_SKIP_CHECKPOINTS": ""}  # what is left of a killed engine is asked


def images(deployment: Deployment) -> dict[str, str]:
    """Which image each Langfuse service runs, by the task definition that it has."""
    state = deployment.state()
    definitions = {
        each["outputs"]["arn"]: json.loads(each["outputs"]["containerDefinitions"])
        for each in state
        if each["type"] == "aws:ecs/taskDefinition:TaskDefinition"
    }
    services = {
        each["urn"].split("::")[-1]: each["outputs"]["taskDefinition"]
        for each in state
        if each["type"] == SERVICE
    }
    return {
        name: definitions[arn][0]["image"].rsplit(":", 1)[-1] if arn in definitions else "old"
        for name, arn in services.items()
        if not name.endswith("clickhouse")
    }


def wait_until_nothing_else_happens(aws: FailingAws) -> None:
    """Let the engine write down what it has been told."""
    seen = -1
    while seen != (seen := aws.created.total()):
        time.sleep(QUIET_SECONDS)


def test_a_failed_migration_fails_up_and_leaves_the_services_alone(
    aws: FailingAws, environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    deployment.up()
    before = images(deployment)
    assert set(before.values()) == {LANGFUSE}
    services = {
        each["urn"]: each["outputs"]["taskDefinition"]
        for each in deployment.state()
        if each["type"] == SERVICE
    }
    deployment.configure("release", NEXT_RELEASE)
    aws.fails[INVOCATION] = (
        "invoking Lambda Function: Langfuse's database migration failed. Exit code: 1. "
        "Log group: langfuse-dev-migration, log stream: migration/migration/1."
    )
    done = deployment.run("up", "--yes", "--skip-preview", "--stack", "dev", check=False)
    assert done.returncode != 0
    assert "log stream: migration/migration/1" in done.stdout + done.stderr
    assert {
        each["urn"]: each["outputs"]["taskDefinition"]
        for each in deployment.state()
        if each["type"] == SERVICE
    } == services, "old services keep serving"
    aws.fails.clear()
    deployment.up()
    assert set(images(deployment).values()) == {NEXT_RELEASE}
    assert deployment.changes() == set()


def test_a_first_deployment_whose_migration_fails_starts_no_service(
    aws: FailingAws, environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    aws.fails[INVOCATION] = "CannotPullContainerError: ghcr.io/langfuse/langfuse: not found"
    done = deployment.run("up", "--yes", "--skip-preview", "--stack", "dev", check=False)
    assert done.returncode != 0
    assert "CannotPullContainerError" in done.stdout + done.stderr
    there = [each["urn"].split("::")[-1] for each in deployment.of_type(SERVICE)]
    assert there == ["langfuse-dev-clickhouse"]


def test_an_update_whose_engine_is_killed_goes_on_without_a_duplicate(
    aws: FailingAws, environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    aws.waits = f"{SERVICE} langfuse-dev-clickhouse"
    command = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "dev")
    with subprocess.Popen(
        command,
        cwd=deployment.stack.folder,
        env=deployment.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as killed:
        assert aws.waiting.wait(LONGEST_WAIT), "ClickHouse's service was never begun"
        wait_until_nothing_else_happens(aws)
        os.killpg(killed.pid, signal.SIGKILL)
    half = {each["urn"] for each in deployment.state()}
    assert half, "the killed update left no state at all"
    assert aws.forsaken.wait(LONGEST_WAIT), "the provider has not noticed that its engine is gone"
    aws.waits = ""
    aws.go_on.set()
    first = Counter(aws.created)
    deployment.run("cancel", "--yes", "--stack", "dev")
    deployment.up()
    urns = [each["urn"] for each in deployment.state()]
    assert len(urns) == len(set(urns))
    again = {
        f"{kind} {name}"
        for kind, name in aws.created
        if aws.created[kind, name] > 1 and first[kind, name]
    }
    assert again <= {f"{SERVICE} langfuse-dev-clickhouse"}, "only what was under way is made again"
    assert deployment.changes() == set()
    deployment.destroy()
    assert deployment.state() == []
