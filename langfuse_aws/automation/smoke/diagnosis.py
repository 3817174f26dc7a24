"""Names the part that is to blame for an answer, given that every step before it went well.

What web says when a store fails: langfuse 3.225.4, packages/shared/src/server/ingestion/
processEventBatch.ts, services/StorageService.ts and otel/OtelIngestionProcessor.ts.
"""

import re
from datetime import datetime
from typing import Final

from langfuse_aws.automation.smoke.api import Answer
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH
from langfuse_aws.settings.versions import CLICKHOUSE_COMPATIBILITY

STORAGE: Final = re.compile(r"blob storage|storage service|to S3", re.IGNORECASE)
REDIS: Final = re.compile(
    r"redis|queue|\b(OOM|READONLY|NOAUTH|WRONGPASS|CROSSSLOT|MOVED)\b|connection is closed",
    re.IGNORECASE,
)
NO_ANSWER: Final = (503, 504)
"""What an API Gateway and a load balancer say when web does not answer them in time."""


READS_SECONDS: Final = (
    f"From ClickHouse 26.8 on, compatibility = '{CLICKHOUSE_COMPATIBILITY}' is a must in the "
    "profile of Langfuse's user, or its times are read as seconds."
)


class CheckError(Exception):
    """A check that failed, and why."""

    def __init__(self, result: str, blame: str, message: str) -> None:
        super().__init__(message)
        self.result = result
        self.blame = blame
        self.message = message


def health(answer: Answer, url: str) -> CheckError:
    """Nothing is known yet: the address may be wrong."""
    where = f"{url}{WEB_HEALTH_PATH}"
    if answer.status is None:
        return _failed(
            answer,
            "web or ingress",
            f"nothing answers at {where}: {answer.short}. Is that the address, does its name lead "
            "to the ingress, is a task of web running?",
        )
    if answer.status >= 500:
        return _failed(
            answer,
            "web or ingress",
            f"{where} answers {answer.short}. Look at the tasks and the log of web, and whether "
            "the ingress calls them healthy.",
        )
    return _failed(
        answer,
        "ingress",
        f"{where} answers {answer.short}, which is not what Langfuse says. Give the URL that "
        "Langfuse has itself, without a path.",
    )


def old(version: str) -> CheckError:
    """A release that this test does not know."""
    return CheckError(
        f"Langfuse {version}", "web", f"Langfuse {version} is too old: this tests 3 and later."
    )


def ready(answer: Answer) -> CheckError:
    """The process is up."""
    if answer.status == 500:
        return _failed(
            answer,
            "web",
            f"web is shutting down ({answer.short}). If a deployment is under way, try again in 2 "
            "minutes; otherwise the events of its ECS service say what stops it.",
        )
    return _failed(answer, "web", f"web is up but not ready: {answer.short}. See its log.")


def keys(answer: Answer) -> CheckError:
    """Web is ready; it looks keys up in Redis, then in PostgreSQL."""
    if answer.status in (401, 403):
        return _failed(
            answer,
            "keys",
            f"web does not take the keys: {answer.short}. They are of another project or stack, "
            "are deleted, or SALT has changed since they were made.",
        )
    if answer.late or answer.status in NO_ANSWER:
        return _failed(
            answer,
            "Redis or PostgreSQL",
            f"web does not answer whether the keys are good: {answer.short}. It asks Redis, then "
            "PostgreSQL, and waits for a Redis that it cannot reach without end; see its log.",
        )
    if answer.ok:
        return _failed(answer, "keys", "the project of the keys is deleted. Make new ones.")
    if answer.status is not None and answer.status >= 500:
        return _failed(
            answer,
            "PostgreSQL",
            f"web cannot look the keys up: {answer.short}. See the log of web, and the database.",
        )
    return _other(answer)


def sending(answer: Answer) -> CheckError:
    """The keys are good; web stores what is sent in S3, then queues it in Redis."""
    if answer.status is None and not answer.late:
        return _other(answer)
    if answer.status is not None and answer.status < 500:
        return _other(answer)
    if STORAGE.search(answer.text):
        return _failed(
            answer,
            "S3",
            f"web cannot write to S3: {answer.short}. Its log has S3's own error: the policy of "
            "its task role or of the bucket, the KMS key, the name of the bucket, or no way to S3.",
        )
    if REDIS.search(answer.text):
        return _failed(
            answer,
            "Redis",
            f"web stored the events in S3 but cannot queue them: {answer.short}. See Redis: its "
            "memory, its password, and REDIS_* of web.",
        )
    if answer.late or answer.status in NO_ANSWER:
        return _failed(
            answer,
            "Redis",
            f"web takes the events and does not answer: {answer.short}. It waits without end for a "
            "Redis that it cannot reach: a security group, or TLS on one side only. S3 without a "
            "route looks the same; the log of web tells them apart.",
        )
    return _failed(
        answer,
        "S3 or Redis",
        f"web could not store or queue the events: {answer.short}. Its log says which.",
    )


def refused(answer: Answer, error: object) -> CheckError:
    """The batch was taken, but not all of its events."""
    return _failed(
        answer,
        "web",
        f"web refuses an event of the batch: {error}. If it says events_only, this 3.x runs with "
        "v4's tables only (langfuse:v4).",
    )


def closed(answer: Answer) -> CheckError:
    """Reading cannot work however long one waits."""
    if answer.status in (401, 403):
        return keys(answer)
    if answer.status == 404:
        return _failed(
            answer,
            "web or ingress",
            f"the trace cannot be read: {answer.short}. Either the ingress does not lead "
            "/api/public/v2/observations to web, or LANGFUSE_MIGRATION_V4_* of web say that "
            "neither the old nor the new tables are read.",
        )
    return _other(answer)


def old_trace(answer: Answer, trace_id: str) -> CheckError:
    """Stores and keys are well, so this one is of another project, or was never here."""
    if answer.status in (401, 403):
        return keys(answer)
    if answer.status is not None and answer.status < 500:
        return _failed(
            answer,
            "data",
            f"the trace {trace_id} is not there: {answer.short}. Either it is of another project "
            "than the keys, or ClickHouse's tables have not come along, or the name still leads "
            "to another Langfuse.",
        )
    return _other(answer)


def timeless(answer: Answer) -> CheckError:
    """What was read back says nothing of when it was."""
    return _failed(
        answer,
        "web",
        "web shows the trace without its times, so nobody can say whether they are right: see "
        "LANGFUSE_API_TRACEBYID_DEFAULT_FIELDS of web.",
    )


def other_time(answer: Answer, text: str, sent: datetime) -> CheckError:
    """It was read back, with another time."""
    moment = sent.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _failed(
        answer,
        "ClickHouse",
        f"the trace comes back with the time {text or 'of no day'}, and was sent with {moment}: "
        f"ClickHouse reads times otherwise than Langfuse writes them. Years apart: {READS_SECONDS} "
        "Hours apart: its time zone must be UTC. docs/operations.md, External stores, has both.",
    )


def invisible(
    answer: Answer, seconds: float, queue: str, *, other_way_works: bool, drops_spans: bool
) -> CheckError:
    """Web stored and queued it, and it cannot be read yet.

    `drops_spans`: whether this Langfuse loses what a ClickHouse reads with another time.
    """
    if answer.status is None and not answer.late:
        return _other(answer)
    if answer.late or (answer.status is not None and answer.status >= 500):
        return _failed(
            answer,
            "ClickHouse",
            f"web cannot read traces: {answer.short}. It reads them from ClickHouse: see whether "
            "that runs, its memory and its log; and the log of web.",
        )
    if answer.status == 429:
        return _other(answer)
    if other_way_works:
        return CheckError(
            f"not within {seconds:g} s",
            "worker",
            f"what was sent by OTLP came through, the batch did not within {seconds:g} s. See "
            f"whether the queue {queue} shrinks, and the log of the worker.",
        )
    return CheckError(
        f"not within {seconds:g} s",
        "worker, ClickHouse or S3",
        f"web took the trace, but it cannot be read after {seconds:g} s. First the log of the "
        f"worker: does it run, does it read from S3, does it write to ClickHouse? Then the queue "
        f"{queue}: if it shrinks, the worker works and is behind."
        + (f" {READS_SECONDS}" if drops_spans else ""),
    )


def media(answer: Answer, host: str) -> CheckError:
    """Everything else works."""
    if not answer.ok and (answer.status is None or answer.status < 500):
        return _other(answer)
    said = f"one on {host or 'no host'}, which is not S3" if answer.ok else answer.short
    return _failed(
        answer,
        "S3 bucket for media",
        f"web gives no URL to upload media to: {said}. See LANGFUSE_S3_MEDIA_UPLOAD_BUCKET and "
        "_REGION of web, and the log of web.",
    )


def old_api(answer: Answer) -> CheckError:
    """The new API works; the old one says something else than that it is gone."""
    return _other(answer)


def prompt(answer: Answer) -> CheckError:
    """A prompt that nobody has is asked for, whose name has no slash."""
    return _other(answer)


def prompt_in_folder(answer: Answer, encoded: str) -> CheckError:
    """The same, with a slash in the name; without one web said that there is none."""
    if answer.status is None or answer.status >= 500 or answer.status in (401, 403, 429):
        return _other(answer)
    return _failed(
        answer,
        "ingress",
        f"web gets {encoded} as another path ({answer.short}), so no prompt in a folder can be "
        "fetched. What is before web decodes %2F in paths, or refuses it, as an HTTP API does "
        "(README.md, Limits of the API Gateway ingress): ingress.kind alb passes it on.",
    )


def _other(answer: Answer) -> CheckError:
    if answer.status == 401:
        return keys(answer)
    if answer.status is None:
        return _failed(
            answer,
            "web or ingress",
            f"web answered before, and now does not: {answer.short}. See whether its tasks restart "
            "(memory, health check).",
        )
    return _failed(answer, "web", f"web answers {answer.short}. See its log.")


def _failed(answer: Answer, blame: str, message: str) -> CheckError:
    result = f"HTTP {answer.status}" if answer.status else answer.short
    return CheckError(result, blame, message)
