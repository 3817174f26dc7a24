"""`shell`: a shell or a command in web, the worker or ClickHouse, through AWS's Session Manager.

Web and worker: ECS Exec, if `langfuse:exec` is on. ClickHouse: a session on its instance, and
`docker exec` there. AWS's plugin makes the connection; it is given its session as the AWS CLI does
(https://github.com/aws/aws-cli, awscli/customizations/sessionmanager.py and ecs/executecommand.py).
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.engine.deployed import open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.on_call.ecs_services import Service
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.automation.terminal import error_console, one_line_errors
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE, ECS_SERVICE

PLUGIN: Final = "session-manager-plugin"
PLUGIN_PAGE: Final = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)
PLUGIN_AFTER: Final = (1, 2, 497, 0)
"""Later releases take the session's token from the environment, not from the command line, which
every user of the machine can read."""
RESPONSE_VARIABLE: Final = "AWS_SSM_START_SESSION_RESPONSE"
AGENT: Final = "ExecuteCommandAgent"
SHELLS: Final = {"web": "/bin/sh", "worker": "/bin/sh", "clickhouse": "/bin/bash"}
"""By part, what is run if nobody says what: Langfuse's images are of Alpine Linux."""
DOCUMENT: Final = "AWS-StartInteractiveCommand"
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html"""


@dataclass(frozen=True)
class Session:
    """A session that AWS has begun."""

    response: Mapping[str, str]
    """With `SessionId`, `TokenValue` and `StreamUrl`."""
    request: Mapping[str, Any]
    """What StartSession was asked for, or would have been."""
    region: str
    endpoint: str
    """Of SSM's API."""


def shell(stack: str, folder: Path, part: str, command: Sequence[str], task: str | None) -> None:
    """Become the plugin, with a session in the part."""
    with one_line_errors():
        plugin = find_plugin()
        if part not in SHELLS:
            raise CommandLineError(f"{part}: has no shell. Those that have: {', '.join(SHELLS)}.")
        deployed = open_stack(stack, folder)
        need_awake(deployed)
        running = RunningStack.of(deployed)
        wanted = shlex.join(command) or SHELLS[part]
        with waits(f"a session in {part}"):
            begin = _on_instance if part == "clickhouse" else _in_task
            session = begin(running, part, wanted, task)
        _become(plugin, session)


def find_plugin() -> str:
    """Find the plugin. UserError if there is none that keeps its token to itself."""
    found = shutil.which(PLUGIN)
    if found is None:
        raise UserError(
            f"{PLUGIN}: not found on PATH. A shell needs it, and nothing else: {PLUGIN_PAGE}."
        )
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    said = done.stdout.strip()
    version = tuple(int(part) for part in said.split(".") if part.isdigit())
    if version <= PLUGIN_AFTER:
        least = ".".join(map(str, PLUGIN_AFTER))
        raise UserError(
            f"{PLUGIN}: is {said or 'of no known release'}, and must be later than {least}, which "
            f"takes the session's token on the command line. {PLUGIN_PAGE} has the newest."
        )
    return found


def _in_task(stack: RunningStack, part: str, command: str, task_id: str | None) -> Session:
    service = _service(stack, part)
    tasks = _running(service, task_id)
    ready = [each for each in tasks if _can_execute(each, part)]
    if not ready:
        raise UserError(_not_ready(stack, part, tasks))
    task = ready[0]
    _say_where(part, task)
    answer = service.ecs.execute_command(
        cluster=service.cluster,
        task=task["taskArn"],
        container=part,
        interactive=True,
        command=command,
    )
    target = target_of(answer["clusterArn"], task["taskArn"], _container(task, part))
    session = answer["session"]
    response = {
        "SessionId": session["sessionId"],
        "TokenValue": session["tokenValue"],
        "StreamUrl": session["streamUrl"],
    }
    return _session(stack, response, {"Target": target})


def _on_instance(stack: RunningStack, part: str, command: str, task_id: str | None) -> Session:
    service = _service(stack, part)
    task = _running(service, task_id)[0]
    instances = service.ecs.describe_container_instances(
        cluster=service.cluster, containerInstances=[task["containerInstanceArn"]]
    )["containerInstances"]
    runtime = _container(task, part)["runtimeId"]
    _say_where(part, task)
    request = {
        "Target": instances[0]["ec2InstanceId"],
        "DocumentName": DOCUMENT,
        "Parameters": {"command": [f"sudo docker exec -it {runtime} {command}"]},
    }
    answer = stack.aws("ssm").start_session(**request)
    response = {key: answer[key] for key in ("SessionId", "TokenValue", "StreamUrl")}
    return _session(stack, response, request)


def _session(
    stack: RunningStack, response: Mapping[str, str], request: Mapping[str, Any]
) -> Session:
    return Session(response, request, stack.deployed.region, stack.aws("ssm").meta.endpoint_url)


def _become(plugin: str, session: Session) -> None:
    """Run the plugin in place of this process: Ctrl-C goes to the shell, its exit code is ours."""
    os.execve(plugin, plugin_arguments(session), plugin_environment(session))  # noqa: S606 -- no shell reads this


def plugin_environment(session: Session) -> dict[str, str]:
    """What the plugin gets its session by."""
    return {**os.environ, RESPONSE_VARIABLE: json.dumps(session.response)}


def plugin_arguments(session: Session) -> list[str]:
    """What the plugin is called with, its name first."""
    return [
        PLUGIN,
        RESPONSE_VARIABLE,
        session.region,
        "StartSession",
        os.environ.get("AWS_PROFILE", ""),
        json.dumps(session.request),
        session.endpoint,
    ]


def _service(stack: RunningStack, part: str) -> Service:
    resource = stack.by_part(ECS_SERVICE).get(part)
    if resource is None:
        name = stack.deployed.name
        if any(stack.part(each) == part for each in stack.of_type(APP_RUNNER_SERVICE)):
            raise UserError(
                f"stack {name}: {part} runs on App Runner, which gives no shell. shell worker has "
                "the same environment but for web's own variables."
            )
        raise UserError(f"stack {name}: {part} is not its own: it is external, or not deployed.")
    return Service.of(stack, resource)


def _running(service: Service, task_id: str | None) -> Sequence[Mapping[str, Any]]:
    """The service's tasks that run, oldest first; or one of them."""
    tasks = [each for each in service.tasks("RUNNING") if each["lastStatus"] == "RUNNING"]
    if task_id is not None:
        tasks = [each for each in tasks if each["taskArn"].endswith(f"/{task_id}")]
    if not tasks:
        which = f"task {task_id}" if task_id else "task"
        raise UserError(
            f"{service.part}: no {which} runs. status --stack {service.stack.deployed.name} says "
            "why."
        )
    return sorted(tasks, key=lambda each: each["startedAt"])


def _container(task: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    return next(each for each in task["containers"] if each["name"] == part)


def _can_execute(task: Mapping[str, Any], part: str) -> bool:
    return bool(task.get("enableExecuteCommand")) and agent_runs(_container(task, part))


def target_of(cluster: str, task_arn: str, container: Mapping[str, Any]) -> str:
    """What Session Manager calls a container of a task; `cluster` is its name or ARN."""
    names = (each.rpartition("/")[2] for each in (cluster, task_arn))
    return f"ecs:{'_'.join([*names, container['runtimeId']])}"


def agent_runs(container: Mapping[str, Any]) -> bool:
    """Whether ECS Exec's agent runs in it."""
    agents: Sequence[Mapping[str, Any]] = container.get("managedAgents", [])
    return any(each["name"] == AGENT and each.get("lastStatus") == "RUNNING" for each in agents)


def _not_ready(stack: RunningStack, part: str, tasks: Sequence[Mapping[str, Any]]) -> str:
    name = stack.deployed.name
    if any(each.get("enableExecuteCommand") for each in tasks):
        return (
            f"{part}: ECS Exec's agent does not run in the task yet, or has stopped. Try again in "
            "a minute; in a VPC without a way out it needs the endpoint of ssmmessages."
        )
    return (
        f"{part}: ECS Exec is off, as it should be by day. To switch it on: pulumi config set "
        f"langfuse:exec true --stack {name}, then pulumi up, which starts web's and the worker's "
        "tasks anew; false afterwards. docs/status.md says what it opens."
    )


def _say_where(part: str, task: Mapping[str, Any]) -> None:
    name = task["taskArn"].rpartition("/")[2]
    error_console.print(f"{part}, task {name}", markup=False)
