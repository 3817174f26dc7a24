"""Reaches stores in a stack's own network from this machine, without opening anything to it.

A one-off task with the worker's definition, role and network sleeps there, and AWS's Session
Manager forwards a local port through it to each store, as the worker may reach them:
https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html#sessions-remote-port-forwarding
It needs `langfuse:exec`, by which the task's role may speak to Session Manager, and AWS's plugin.
"""

import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from typing import Final

from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.aws.worker_task import WorkerService
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.on_call.shell import (
    Session,
    agent_runs,
    find_plugin,
    plugin_arguments,
    plugin_environment,
    target_of,
)

DOCUMENT: Final = "AWS-StartPortForwardingSessionToRemoteHost"
LIFETIME_SECONDS: Final = 12 * 3600
"""After which the task ends by itself, if nobody could end it."""
START_SECONDS: Final = 300
FORWARD_SECONDS: Final = 30
POLL_SECONDS: Final = 3
USE_SECONDS: Final = 30
"""Between two connections that nobody needs: Session Manager ends a session whose client sends
nothing for 20 minutes, or for as few as 1 if the account says so, and objects take hours.
https://docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-timeout.html"""

Place = tuple[str, int]
"""A host name and a port."""


@contextmanager
def tunnels(deployed: Deployed, places: Sequence[Place]) -> Generator[Mapping[Place, int]]:
    """Give a local port for each place; all of it ends with the block. UserError."""
    if not deployed.settings.exec:
        raise UserError(
            f"stack {deployed.name}: its stores are reached through ECS Exec, which is off. pulumi "
            f"config set langfuse:exec true --stack {deployed.name}, then pulumi up; false "
            "afterwards. Or --direct, from a machine inside its network."
        )
    plugin = find_plugin()
    task = WorkerService.of(deployed).task({"command": ["sleep", str(LIFETIME_SECONDS)]})
    task.execute_command = True
    with ExitStack() as stack:
        with waits("a task in the stack's network"):
            task.begin()
            stack.callback(_stop, task)
            target = _target(task)
        found: dict[Place, int] = {}
        for place in places:
            with waits(f"a way to {place[0]}"):
                found[place] = stack.enter_context(_forwarded(deployed, plugin, target, place))
        yield found


def _stop(task: OneOffTask) -> None:
    # It ends by itself too, and what has failed before is what is to be told.
    with suppress(Exception):
        task.ecs.stop_task(cluster=task.cluster, task=task.arn, reason="move-in has ended")


def _target(task: OneOffTask) -> str:
    """Wait for ECS Exec's agent; gives what Session Manager calls the container."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        described = task.describe()
        if described["lastStatus"] == "STOPPED":
            raise UserError(
                f"the task in the stack's network has stopped: "
                f"{described.get('stoppedReason', 'ECS gives no reason')}. {task.log}"
            )
        container = next(each for each in described["containers"] if each["name"] == task.container)
        if agent_runs(container):
            return target_of(task.cluster, task.arn, container)
        time.sleep(POLL_SECONDS)
    raise UserError(
        f"after {START_SECONDS // 60} min ECS Exec's agent does not run in {task.arn}. In a VPC "
        f"without a way out it needs the endpoint of ssmmessages. {task.log}"
    )


@contextmanager
def _forwarded(deployed: Deployed, plugin: str, target: str, place: Place) -> Generator[int]:
    host, port = place
    local = _free_port()
    request = {
        "Target": target,
        "DocumentName": DOCUMENT,
        "Parameters": {
            "host": [host],
            "portNumber": [str(port)],
            "localPortNumber": [str(local)],
        },
    }
    ssm = deployed.aws("ssm")
    answer = ssm.start_session(**request)
    response = {key: answer[key] for key in ("SessionId", "TokenValue", "StreamUrl")}
    session = Session(response, request, deployed.region, ssm.meta.endpoint_url)
    process = subprocess.Popen(  # noqa: S603
        plugin_arguments(session),
        executable=plugin,
        env=plugin_environment(session),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is ours to handle: what is under way ends first.
        start_new_session=True,
    )
    try:
        _wait_for(local, process, place)
        with _in_use(local):
            yield local
    finally:
        process.terminate()
        process.wait()
        with suppress(Exception):
            ssm.terminate_session(SessionId=response["SessionId"])


@contextmanager
def _in_use(port: int) -> Generator[None]:
    ended = Event()

    def use() -> None:
        while not ended.wait(USE_SECONDS):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()

    thread = Thread(target=use, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]", place: Place) -> None:
    end = time.monotonic() + FORWARD_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise UserError(
        f"Session Manager opened no way to {place[0]}:{place[1]} within {FORWARD_SECONDS} s. Its "
        "plugin's log says more: "
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/plugin-version-history.html"
    )
