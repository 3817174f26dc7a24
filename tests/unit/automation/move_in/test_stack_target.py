"""A deployed stack as a move's target: addresses, secrets, the task that sleeps, and the tunnels.

It proves the calls by botocore's models, and what the plugin gets by a script in its place that
listens as AWS's own does. It does not prove that AWS forwards anything.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in import stack_target, tunnel
from langfuse_aws.automation.move_in.sides import Target
from tests.unit.automation.on_call.stack_that_runs import Answer, OnCall, on_call_of, task
from tests.unit.stack_graph import Graph, shipped, shipped_config

TASK: Final = f"arn:aws:ecs:us-east-1:123456789012:task/langfuse-prod/{1:032x}"
NETWORK: Final = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
PLUGIN: Final = f"""#!{sys.executable}
import json, os, socket, sys, time
if "--version" in sys.argv:
    print("1.2.707.0")
    sys.exit()
variable, region, operation, profile, request, endpoint = sys.argv[1:]
found = json.loads(request)
with open(os.environ["NOTES"], "a") as notes:
    json.dump([os.getpid(), found, json.loads(os.environ[variable]), sys.argv], notes)
    notes.write("\\n")
if found["Parameters"]["portNumber"] == [os.environ.get("REFUSED")]:
    sys.exit(255)
server = socket.create_server(("127.0.0.1", int(found["Parameters"]["localPortNumber"][0])))
while True:
    server.accept()
    with open(os.environ["NOTES"] + "-used", "a") as used:
        print(found["Parameters"]["portNumber"][0], file=used)
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the plugin's stand-in on PATH; it writes its calls here."""
    script = tmp_path / "session-manager-plugin"
    script.write_text(PLUGIN)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setattr(tunnel, "POLL_SECONDS", 0)
    return tmp_path / "notes"


def calls(notes: Path) -> list[Any]:
    """What the plugin was called with."""
    return [json.loads(line) for line in notes.read_text().splitlines()]


def secret(params: Mapping[str, Any]) -> dict[str, Any]:
    """A secret whose values say where they are from."""
    name = str(params["SecretId"]).rsplit(":", 1)[-1]
    keys = ("password", "SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET")
    values = {key: f"{key} of {name}" for key in keys}
    return {"SecretString": json.dumps(values)}


def stack(*, execute: bool = True, **changed: Any) -> OnCall:
    """The shipped prod, with ECS Exec, and answers for a move."""
    config = {**shipped_config("prod"), "exec": execute, **changed.pop("config", {})}
    graph = shipped("prod")

    def definition(params: Mapping[str, Any]) -> dict[str, Any]:
        return {"taskDefinition": described(graph, params["taskDefinition"])}

    agent = {"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}
    ready = task("definition", "worker", "image", own={"managedAgents": [agent]})
    not_ready = task("definition", "worker", "image")
    looks = iter([{"tasks": [not_ready]}, {"tasks": [ready]}])
    services = {
        "services": [
            {
                "serviceName": "worker",
                "taskDefinition": "langfuse-prod-worker",
                "networkConfiguration": {"awsvpcConfiguration": NETWORK},
            }
        ]
    }
    answers: dict[str, Answer] = {
        "DescribeServices": services,
        "DescribeTaskDefinition": definition,
        "GetSecretValue": secret,
        "RunTask": {"tasks": [{"taskArn": TASK}]},
        "DescribeTasks": lambda _: next(looks),
        "StopTask": {"task": {"taskArn": TASK}},
        "StartSession": {"SessionId": "s-1", "TokenValue": "hush", "StreamUrl": "wss://x"},
        "TerminateSession": {"SessionId": "s-1"},
        **changed,
    }
    return on_call_of(graph, config, "prod", answers)


def described(graph: Graph, name: str) -> dict[str, Any]:
    """A task definition as ECS describes it; by ARN, or by family."""
    found = next(
        each
        for each in graph.of_type("aws:ecs/taskDefinition:TaskDefinition")
        if name in (each.outputs["arn"], each.name, each.outputs.get("family"))
    )
    return {
        "taskDefinitionArn": found.outputs["arn"],
        "containerDefinitions": json.loads(found.inputs["containerDefinitions"]),
    }


def test_the_stores_are_reached_through_a_task_that_sleeps_and_ends_with_the_move(
    notes: Path,
) -> None:
    world = stack()
    with stack_target.opened(world.deployed, direct=False) as target:
        assert isinstance(target, Target)
        assert target.postgres.address.host == "127.0.0.1"
        assert target.postgres.address.sslmode == "require"
        assert target.clickhouse.address.url.startswith("http://127.0.0.1:")
        assert world.calls("StopTask") == []
        made = calls(notes)
    (ran,) = world.calls("RunTask")
    assert ran["enableExecuteCommand"] is True
    assert ran["networkConfiguration"] == {"awsvpcConfiguration": NETWORK}
    (override,) = ran["overrides"]["containerOverrides"]
    assert override == {"name": "worker", "command": ["sleep", "43200"]}
    asked = world.calls("StartSession")
    assert [each["Parameters"]["portNumber"] for each in asked] == [["5432"], ["8123"]]
    assert {each["DocumentName"] for each in asked} == {
        "AWS-StartPortForwardingSessionToRemoteHost"
    }
    # The cluster's name, the task's, and the container's runtime ID.
    assert {each["Target"] for each in asked} == {
        f"ecs:{ran['cluster'].rsplit('/', 1)[-1]}_{1:032x}_0f1e2d-1"
    }
    assert [each["Parameters"]["host"][0].split(".")[0] for each in asked][1] == "clickhouse"
    for process, request, response, arguments in made:
        assert request in asked
        assert response["TokenValue"] == "hush"
        assert "hush" not in str(arguments)
        with pytest.raises(ProcessLookupError):
            os.kill(process, signal.SIG_DFL)
    assert [each["task"] for each in world.calls("StopTask")] == [TASK]
    assert len(world.calls("TerminateSession")) == 2


def test_a_way_that_nobody_needs_for_long_does_not_end_as_idle(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "USE_SECONDS", 0.05, raising=False)
    used, wanted = notes.with_name("notes-used"), 4
    with stack_target.opened(stack().deployed, direct=False):
        end = time.monotonic() + 10
        ports: list[str] = []
        while time.monotonic() < end and min(map(ports.count, ("5432", "8123"))) < wanted:
            time.sleep(0.05)
            ports = used.read_text().split()
    assert {port: ports.count(port) >= wanted for port in ("5432", "8123")} == {
        "5432": True,
        "8123": True,
    }, "each is used again and again, whoever else does"


def test_everything_is_what_the_worker_is_told() -> None:
    world = stack()
    with stack_target.opened(world.deployed, direct=True) as target:
        (worker,) = [
            each
            for each in described(world.graph, "langfuse-prod-worker")["containerDefinitions"]
            if each["name"] == "worker"
        ]
        told = {each["name"]: each["value"] for each in worker["environment"]}
        assert target.postgres.address.host == told["DATABASE_HOST"].split(":")[0]
        assert target.clickhouse.address.url == told["CLICKHOUSE_URL"]
        assert target.clickhouse.address.user == told["CLICKHOUSE_USER"]
        assert {str(each) for each in target.objects.values()} == {
            f"s3://{told['LANGFUSE_S3_EVENT_UPLOAD_BUCKET']}/{prefix}"
            for prefix in ("events/", "media/", "exports/")
        }
        assert "postgres-credentials" in target.postgres.address.password
        assert {"SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET"} <= set(target.secrets)
        assert target.clickhouse.cluster is None
        assert target.postgres_room is None
        assert not [each for each in target.secrets.values() if each in repr(target)]
    assert world.calls("RunTask") == []


def test_one_instance_has_a_bound_and_three_servers_a_cluster() -> None:
    instance = {"mode": "instance", "instanceClass": "db.t4g.small"}
    world = stack(config={"postgres": instance, "clickhouse": {"replicas": 3}})
    with stack_target.opened(world.deployed, direct=True) as target:
        assert target.postgres_room == 200 * 2**30
        assert target.clickhouse.cluster == "default"


def test_without_exec_it_says_how_to_switch_it_on_and_starts_nothing(notes: Path) -> None:
    world = stack(execute=False)
    with (
        pytest.raises(UserError, match="pulumi config set langfuse:exec true --stack prod"),
        stack_target.opened(world.deployed, direct=False),
    ):
        pass
    assert world.calls("RunTask") == []
    assert not notes.exists()


@pytest.mark.parametrize("refused", ["5432", "8123"])
def test_a_way_that_does_not_open_ends_what_was_begun(
    notes: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    monkeypatch.setenv("REFUSED", refused)
    world = stack()
    with (
        pytest.raises(UserError, match=rf"Session Manager opened no way to .+:{refused} within"),
        stack_target.opened(world.deployed, direct=False),
    ):
        pass
    assert [each["task"] for each in world.calls("StopTask")] == [TASK]
    for process, *_ in calls(notes):
        with pytest.raises(ProcessLookupError), suppress(ChildProcessError):
            os.kill(process, signal.SIG_DFL)


def test_a_task_that_stops_is_told_with_its_reason(notes: Path) -> None:
    stopped = task("definition", "worker", "image", lastStatus="STOPPED", stoppedReason="No ENI")
    world = stack(DescribeTasks={"tasks": [stopped]})
    with (
        pytest.raises(UserError, match="has stopped: No ENI"),
        stack_target.opened(world.deployed, direct=False),
    ):
        pass
    assert not notes.exists()


def test_the_migration_is_the_stacks_own_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {"lastStatus": "STOPPED", "stoppedReason": "done"}
    done = task("definition", "migration", "image", own={"exitCode": 0}, **ended)
    monkeypatch.setattr("langfuse_aws.automation.aws.one_off_task.POLL_SECONDS", 1)
    world = stack(DescribeTasks={"tasks": [done]})
    with stack_target.opened(world.deployed, direct=True) as target:
        target.migrate()
    (ran,) = world.calls("RunTask")
    invocation = next(
        each
        for each in world.graph.of_type("aws:lambda/invocation:Invocation")
        if each.name == "langfuse-prod-migration"
    )
    job = json.loads(invocation.inputs["input"])
    assert ran["taskDefinition"] == job["task_definition"]
    assert ran["cluster"] == job["cluster"]
    network = ran["networkConfiguration"]["awsvpcConfiguration"]
    assert (network["subnets"], network["securityGroups"]) == (
        job["subnets"],
        job["security_groups"],
    )
