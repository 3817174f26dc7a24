"""Facts about what Langfuse itself tells CloudWatch, by its metrics and its log.

Source: Langfuse 3.225.4 and 4.16.0, packages/shared/src/server/instrumentation/index.ts,
worker/src/features/queue-metrics-runner, worker/src/queues/workerManager.ts. Its metrics have no
dimensions, neither the namespace nor the names can be given a prefix, and it publishes all of some
200 or none: so nothing here looks at them, and a queue probe tells how long jobs wait.
"""

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "Langfuse"
"""CloudWatch namespace, fixed in Langfuse's code."""

PUBLISHING_VARIABLE: Final = "ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING"
"""What turns them on, if a stack file does."""

SCHEDULE_LOG: Final = "Executing Blob Storage Integration Job"
"""What a worker logs each time it runs this job of BullMQ's: every 20 minutes, every hour before
3.170.0, whether there is an integration or not (worker/src/queues/blobStorageIntegrationQueue.ts
and packages/shared/src/server/redis/blobStorageIntegrationQueue.ts of 3.125.0 to 4.16.0)."""

REFUSED_LOG: Final = "Max attempts reached"
"""What each line has in which a worker says that it gives up rows which ClickHouse did not take, in
3.125.0 to 4.16.0 (worker/src/services/ClickhouseWriter/index.ts). The jobs that they came from are
done by then, so no queue and no failed set has them."""

UNMADE_LOGS: Final = ("Failed to create event record", "Failed to write event record")
"""And in which it says that it makes no row of a span for the tables of Langfuse 4, since
PostgreSQL could not be asked for its model or prompt: the job is done all the same
(worker/src/queues/otelIngestionQueue.ts, 3.225.4 and 4.16.0)."""

LOG_LEVEL: Final = "LANGFUSE_LOG_LEVEL"
SILENT_LEVELS: Final = frozenset({"trace", "fatal"})
"""Langfuse takes them, and its logger does not know them: nothing is logged, errors neither.
https://github.com/winstonjs/winston#logging-levels"""

SCHEDULE_SWITCHES: Final[Mapping[str, frozenset[str]]] = {
    "QUEUE_CONSUMER_BLOB_STORAGE_INTEGRATION_QUEUE_IS_ENABLED": frozenset({"false"}),
    LOG_LEVEL: frozenset({"warn", "error"}) | SILENT_LEVELS,
}
"""The worker's variables, with the values that end it, or that it is logged."""


def logs_schedules(own: Mapping[str, str]) -> bool:
    """Whether a worker with these variables of its own logs what it runs by schedule."""
    return not any(own.get(name) in values for name, values in SCHEDULE_SWITCHES.items())


def dropped_rows_pattern(write_mode: str) -> str:
    """Write the filter of CloudWatch Logs for lines in which rows are lost: any of the phrases.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    if write_mode == "legacy":
        return f'"{REFUSED_LOG}"'
    return " ".join(f'?"{phrase}"' for phrase in (REFUSED_LOG, *UNMADE_LOGS))


def logs_dropped_rows(own: Mapping[str, str]) -> bool:
    """Whether a worker with these variables of its own logs errors."""
    return own.get(LOG_LEVEL) not in SILENT_LEVELS


def publishes(own: Mapping[str, str]) -> bool:
    """Whether a container with these variables of its own publishes Langfuse's metrics."""
    return own.get(PUBLISHING_VARIABLE) == "true"
