"""Serve the three providers to any number of engines for as long as a block lasts.

aws and random are threads of this process. awsx is a process of its own, because Pulumi's Python
runtime has one program per process.
"""

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.provider import AwsProvider, RandomProvider, serve

_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 5
_SHARING = threading.Lock()


@contextmanager
def providers(
    environment: Mapping[str, str] | None = None, aws: AwsProvider | None = None
) -> Generator[dict[str, str]]:
    """Serve the providers; gives the environment in which Pulumi uses them.

    `aws` may be one that behaves in another way.
    """
    base = dict(os.environ if environment is None else environment)
    with _awsx() as awsx:
        served = {"aws": serve(aws or AwsProvider()), "random": serve(RandomProvider())}
        try:
            ports = {name: port for name, (_, port) in served.items()}
            yield _environment(base, {**ports, "awsx": _announced_port(awsx)})
        finally:
            for server, _ in served.values():
                server.stop(grace=None)


@contextmanager
def _awsx() -> Generator[subprocess.Popen[str]]:
    """The awsx provider. It ends by itself when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "langfuse_aws.offline.awsx"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _announced_port(awsx: subprocess.Popen[str]) -> int:
    line = awsx.stdout.readline() if awsx.stdout else ""
    if not line:
        message = f"the offline awsx provider ended at once, with status {awsx.wait()}"
        raise RuntimeError(message)
    return int(line)


def _environment(base: Mapping[str, str], ports: Mapping[str, int]) -> dict[str, str]:
    attached = ",".join(f"{name}:{port}" for name, port in ports.items())
    return {
        "AWS_REGION": DEFAULT_REGION,
        **base,
        "AWS_ACCESS_KEY_ID": "offline",
        "AWS_SECRET_ACCESS_KEY": "offline",
        "PULUMI_DEBUG_PROVIDERS": attached,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }


def shared_providers() -> Mapping[str, str]:
    """What an engine needs in its environment to use this process's own providers.

    They start when they are first asked for, and end with the process.
    """
    with _SHARING:
        return _shared()


@cache
def shared_aws() -> AwsProvider:
    """The AWS of this process's own providers."""
    return AwsProvider()


@cache
def _shared() -> Mapping[str, str]:
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(providers({}, shared_aws()))
