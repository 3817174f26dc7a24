"""`shell`: which task or instance, what AWS is asked for, what the plugin gets, what is refused.

It proves the calls by botocore's models and the plugin's arguments by a script in its place, which
takes them as AWS's own does. It does not prove that AWS opens a session.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.on_call import shell as shell_module
from tests.unit.automation.on_call.stack_that_runs import (
    Answer,
    OnCall,
    ago,
    images_of,
    on_call,
    on_call_of,
    task,
)
from tests.unit.automation.restore.test_restore import AwsError, always
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.stack_graph import build_locked, shipped

SESSION: Final = {"sessionId": "s-1", "tokenValue": "very-secret", "streamUrl": "wss://x"}
INSTANCE: Final = "i-0123456789abcdef0"
CLUSTER: Final = "arn:aws:ecs:us-east-1:123456789012:cluster/langfuse-prod-1a2b3c4"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin of a release that will do, alone on PATH."""
    return make_plugin(tmp_path, monkeypatch, "1.2.707.0")


def make_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> Path:
    script = folder / "session-manager-plugin"
    script.write_text(f"#!/bin/sh\necho '{version}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return script


@pytest.fixture(autouse=True)
def became(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What this process would have become."""
    found: list[Any] = []

    def become(*of_all: Any) -> None:
        found.append(of_all)

    monkeypatch.setattr(shell_module.os, "execve", become)
    return found


def tasks(part: str, *made: dict[str, Any]) -> dict[str, Answer]:
    """The tasks that run, of whatever service is asked for."""
    definition, (container, image) = next(
        (arn, named) for arn, named in images_of(shipped("prod")).items() if named[0] == part
    )
    found = [
        task(definition, container, image, number=number, **each)
        for number, each in enumerate(made, start=1)
    ]
    return {
        "ListTasks": {"taskArns": [each["taskArn"] for each in found]},
        "DescribeTasks": {"tasks": found},
    }


def ready(runtime: str = "r-1", **more: Any) -> dict[str, Any]:
    agent = {"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}
    own = {"runtimeId": runtime, "managedAgents": [agent]}
    return {"enableExecuteCommand": True, "own": own, **more}


def run(world: OnCall, *arguments: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell_module, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["shell", "--stack", "prod", *arguments])


def with_exec(part: str = "worker", *made: dict[str, Any]) -> OnCall:
    answer = {"clusterArn": CLUSTER, "session": SESSION}
    return on_call(ExecuteCommand=answer, **tasks(part, *(made or (ready(),))))


@pytest.mark.parametrize("part", ["web", "worker"])
def test_a_shell_in_a_task_is_ecs_execs_and_the_plugins(
    part: str, plugin: Path, became: list[Any]
) -> None:
    world = with_exec(part)
    result = run(world, part)
    assert result.exit_code == 0, result.output
    (asked,) = world.calls("ExecuteCommand")
    assert asked["container"] == part
    assert asked["command"] == "/bin/sh"
    assert asked["interactive"] is True
    ((path, arguments, environment),) = became
    assert path == str(plugin)
    name, variable, region, operation, profile, request, endpoint = arguments
    assert (name, operation, region, profile) == (
        "session-manager-plugin", "StartSession", "us-east-1", "",
    )  # fmt: skip
    assert json.loads(environment[variable]) == {
        "SessionId": "s-1",
        "TokenValue": "very-secret",
        "StreamUrl": "wss://x",
    }
    number = f"{1:032x}"
    assert json.loads(request) == {"Target": f"ecs:langfuse-prod-1a2b3c4_{number}_r-1"}
    assert endpoint == "https://ssm.us-east-1.amazonaws.com"
    assert result.stderr == f"{part}, task {number}\n"


@pytest.mark.usefixtures("plugin")
def test_the_token_is_in_no_argument_which_every_user_of_the_machine_can_read(
    became: list[Any],
) -> None:
    assert run(with_exec(), "worker").exit_code == 0
    ((_, arguments, _),) = became
    assert "very-secret" not in " ".join(arguments)


@pytest.mark.usefixtures("plugin", "became")
@pytest.mark.parametrize(
    ("typed", "command"),
    [
        (("ls", "-la", "/app"), "ls -la /app"),
        (("sh", "-c", "ps aux | grep 'node x'"), "sh -c 'ps aux | grep '\"'\"'node x'\"'\"''"),
        (("--", "node", "--version"), "node --version"),
    ],
)
def test_a_command_keeps_its_words(typed: tuple[str, ...], command: str) -> None:
    world = with_exec()
    result = run(world, "worker", *typed)
    assert result.exit_code == 0, result.output
    assert world.calls("ExecuteCommand")[0]["command"] == command


@pytest.mark.usefixtures("plugin", "became")
def test_the_oldest_task_that_can_is_taken_or_the_one_that_is_named() -> None:
    old, older = ready(startedAt=ago(days=1)), ready(startedAt=ago(days=9))
    world = with_exec("worker", old, older, {"startedAt": ago(days=30)})
    assert run(world, "worker").exit_code == 0
    assert run(world, "worker", "--task", f"{1:032x}").exit_code == 0
    asked = [each["task"].rpartition("/")[2] for each in world.calls("ExecuteCommand")]
    assert asked == [f"{2:032x}", f"{1:032x}"]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("typed", "command"),
    [((), "/bin/bash"), (("du", "-sh", "/var/lib"), "du -sh /var/lib")],
)
def test_clickhouse_is_entered_through_its_instance(
    typed: tuple[str, ...], command: str, became: list[Any]
) -> None:
    runs = {"containerInstanceArn": "arn:instance", "own": {"runtimeId": "0f1e2d"}}
    world = on_call(
        DescribeContainerInstances={"containerInstances": [{"ec2InstanceId": INSTANCE}]},
        StartSession={"SessionId": "s-2", "TokenValue": "t", "StreamUrl": "wss://y"},
        **tasks("clickhouse", runs),
    )
    result = run(world, "clickhouse", *typed)
    assert result.exit_code == 0, result.output
    request = {
        "Target": INSTANCE,
        "DocumentName": "AWS-StartInteractiveCommand",
        "Parameters": {"command": [f"sudo docker exec -it 0f1e2d {command}"]},
    }
    assert world.calls("StartSession") == [request]
    ((_, arguments, _),) = became
    assert json.loads(arguments[5]) == request


# --- what there can be no shell for


def refusal(world: OnCall, *arguments: str, code: int = 1) -> str:
    result = run(world, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    message = result.stderr.splitlines()[-1]
    assert message.startswith("error: ")
    assert world.calls("ExecuteCommand") == []
    return message


def test_without_the_plugin_one_line_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, became: list[Any]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    world = with_exec()
    message = refusal(world, "worker")
    assert message.startswith("error: session-manager-plugin: not found on PATH.")
    assert "session-manager-working-with-install-plugin.html" in message
    assert (world.aws.asked, became) == ([], [])


@pytest.mark.parametrize("version", ["1.2.497.0", "1.1.0.0", "", "unknown"])
def test_a_plugin_that_shows_the_token_to_others_is_refused(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plugin(tmp_path, monkeypatch, version)
    assert "must be later than 1.2.497.0" in refusal(with_exec(), "worker")


@pytest.mark.usefixtures("plugin")
def test_ecs_exec_that_is_off_says_how_it_is_switched_on() -> None:
    message = refusal(with_exec("web", {}), "web")
    assert "ECS Exec is off" in message
    assert "pulumi config set langfuse:exec true --stack prod, then pulumi up" in message


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("agents", [[], [{"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}]])
def test_an_agent_that_does_not_run_yet_says_to_wait(agents: list[dict[str, str]]) -> None:
    world = with_exec("web", {"enableExecuteCommand": True, "own": {"managedAgents": agents}})
    assert "agent does not run in the task yet" in refusal(world, "web")


@pytest.mark.usefixtures("plugin")
def test_a_part_without_tasks_says_who_knows_why() -> None:
    world = on_call(ListTasks={"taskArns": []})
    assert refusal(world, "worker") == (
        "error: worker: no task runs. status --stack prod says why."
    )
    assert "no task 0a runs" in refusal(with_exec(), "worker", "--task", "0a")


@pytest.mark.usefixtures("plugin")
def test_what_has_no_shell_is_a_wrong_command_line() -> None:
    message = refusal(with_exec(), "redis", code=2)
    assert message == "error: redis: has no shell. Those that have: web, worker, clickhouse."


@pytest.mark.usefixtures("plugin")
def test_web_on_app_runner_has_none() -> None:
    world = on_call_of(build_locked("platform", APP_RUNNER), APP_RUNNER, "platform")
    assert "web runs on App Runner, which gives no shell" in refusal(world, "web")


@pytest.mark.usefixtures("plugin")
def test_a_right_that_is_missing_is_one_line() -> None:
    denied = AwsError("AccessDeniedException", "no")
    result = run(on_call(ExecuteCommand=denied, **tasks("web", ready())), "web")
    assert result.exit_code == 1
    assert "when calling the ExecuteCommand operation: no" in result.stderr


def test_the_process_becomes_the_plugin_with_its_exit_code_and_its_ctrl_c(tmp_path: Path) -> None:
    """In a process: the plugin is what runs, handles SIGINT as it will, and says how it ended."""
    plugin = tmp_path / "session-manager-plugin"
    plugin.write_text("#!/bin/sh\ntrap 'echo interrupted; exit 7' INT\nkill -INT $$\nexit 1\n")
    plugin.chmod(0o755)
    script = f"""
from langfuse_aws.automation.engine.stopping import stopped_by_signals
from langfuse_aws.automation.on_call.shell import Session, _become
with stopped_by_signals(lambda: False, lambda: None):
    _become({str(plugin)!r}, Session({{}}, {{}}, "r", "e"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "interrupted\n", "")
