"""Makes the container that tells CloudWatch how long jobs wait, beside each worker.

Every probe looks at the same queues: so the statistic of what they tell is Maximum, never Sum.
docs/adr/0020-queue-probe-beside-each-worker.md has the reasons.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import pulumi

from langfuse_aws.components.environment import Environment
from langfuse_aws.components.runtime.task import Sidecar
from langfuse_aws.components.shared.metrics import queue_dimensions
from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract import queue_metrics, queues

Each = TypeVar("Each")

CONTAINER: Final = "queue-probe"
SCRIPT: Final = Path(__file__).with_name("queue_probe.js")
VARIABLE: Final = "QUEUE_PROBE"
"""Of the container, with the script's options, as JSON."""

REDIS_VARIABLES: Final = "REDIS_"
"""What the names of the worker's variables for Redis begin with."""

MEMORY_MIB: Final = 128
"""What the container may have at the most. Seen are 63 to 67 MiB, with 100,000 jobs too; 50 of them
are the program of Node.js, which the system may drop."""

FLAGS: Final = ("--max-old-space-size=16", "--max-semi-space-size=1")
"""MiB. Node.js would take more of the task's memory before it collects any."""

RESTART_SECONDS: Final = 60
"""The shortest that ECS takes: a probe that ends later than this after its start is started again.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerRestartPolicy.html"""


def queue_probe(
    stack: str,
    worker: Environment[pulumi.Input[str], SecretReference],
    *,
    tells_memory: bool,
    without: Collection[str],
) -> Sidecar:
    """Make the container, which reaches Redis as the worker does; see `script_options`."""
    return Sidecar(
        name=CONTAINER,
        environment=Environment(
            plain={
                **_of_redis(worker.plain),
                VARIABLE: json.dumps(
                    script_options(stack, tells_memory=tells_memory, without=without),
                    sort_keys=True,
                ),
            },
            secret=_of_redis(worker.secret),
        ),
        more={
            "essential": False,
            "entryPoint": ["node"],
            "command": [*FLAGS, "-e", SCRIPT.read_text("utf-8")],
            "memory": MEMORY_MIB,
            "restartPolicy": {
                "enabled": True,
                # It ends so when it is stopped.
                "ignoredExitCodes": [0],
                "restartAttemptPeriod": RESTART_SECONDS,
            },
        },
    )


def script_options(
    stack: str,
    *,
    tells_memory: bool,
    without: Collection[str] = (),
    seconds: float = queue_metrics.SECONDS,
) -> dict[str, Any]:
    """Write the script's options: where to look, and what CloudWatch makes metrics of.

    `without` are queues that no worker of the stack serves: what is in them waits for nobody.
    The other numbers of a line can be searched for in its log, and cost nothing. ElastiCache tells
    its memory by itself.
    """
    sharded = set(queues.INGESTION) | set(queues.SHARDED_OTHERS)
    found = {**queue_metrics.METRICS, **(queue_metrics.MEMORY_METRIC if tells_memory else {})}
    return {
        "namespace": queue_metrics.NAMESPACE,
        "dimensions": dict(queue_dimensions(stack)),
        "metrics": [list(each) for each in found.items()],
        "seconds": seconds,
        "prefix": queues.PREFIX,
        "groups": [
            {
                "plain": [name for name in names if name not in sharded],
                "sharded": [name for name in names if name in sharded],
            }
            for names in (
                [name for name in every if name not in without]
                for every in (queues.INGESTION, queues.OTHERS)
            )
        ],
    }


def _of_redis(variables: Mapping[str, Each]) -> dict[str, Each]:
    return {name: value for name, value in variables.items() if name.startswith(REDIS_VARIABLES)}
