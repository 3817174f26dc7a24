"""`smoke`, on a stand-in for Langfuse with faults: what is blamed for what.

It proves for each fault which step fails, which part is named and what is said of it. That the
faults look like this in a real Langfuse was read in its sources, not seen.
"""

import re
import time
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from langfuse_aws.automation.smoke import checks as smoke_checks
from langfuse_aws.automation.smoke import payloads as smoke_payloads
from langfuse_aws.automation.smoke.api import Target
from tests.unit.automation.smoke.test_smoke import Clock, report, smoke
from tests.unit.langfuse_stand_in import (
    BATCH,
    EVENTS_ONLY,
    HEALTH,
    MEDIA,
    OBSERVATIONS,
    OTLP,
    PROJECTS,
    PROMPTS,
    PUBLIC_KEY,
    READY,
    SECRET_KEY,
    TOKEN,
    TRACES,
    V3,
    V4,
    Fault,
    LangfuseStandIn,
    WriteMode,
)

GATEWAY: Final = "<html><body>Gateway says no</body></html>"
OOM: Final = "OOM command not allowed when used memory > 'maxmemory'."


def error(text: str) -> dict[str, str]:
    """What most of Langfuse's routes say when something in them fails."""
    return {"message": "Internal Server Error", "error": text}


def otlp(status: int, body: Any) -> Fault:
    """The first thing that is sent fails."""
    return Fault({OTLP: (status, body)})


FAULTS: Final = {
    "health 503": (
        Fault({HEALTH: (503, {"status": "Database not available", "version": V3})}),
        *("health", "web or ingress", "HTTP 503 Service Unavailable: Database not available"),
    ),
    "no target": (
        Fault({HEALTH: (502, GATEWAY)}),
        *("health", "web or ingress", "/api/public/health answers HTTP 502 Bad Gateway. Look at"),
    ),
    "something else": (
        Fault({HEALTH: (200, "It works!")}),
        *("health", "ingress", "answers HTTP 200 OK: It works!, which is not what Langfuse says"),
    ),
    "redirect": (
        Fault({HEALTH: (301, "https://other.example.com/")}),
        *("health", "ingress", "it redirects to https://other.example.com/"),
    ),
    "too old": (
        Fault({HEALTH: (200, {"status": "OK", "version": "2.95.11"})}),
        *("health", "web", "Langfuse 2.95.11 is too old"),
    ),
    "ready 500": (
        Fault({READY: (500, {"status": "SIGTERM / SIGINT received, shutting down"})}),
        *("ready", "web", "web is shutting down (HTTP 500 Internal Server Error: SIGTERM"),
    ),
    "ready 503": (
        Fault({READY: (503, {"status": "Readiness check failed"})}),
        *("ready", "web", "web is up but not ready: HTTP 503"),
    ),
    "no project": (
        Fault({PROJECTS: (200, {"data": []})}),
        *("keys", "keys", "the project of the keys is deleted"),
    ),
    "database gone": (
        Fault({PROJECTS: (500, {"message": "Internal server error"})}),
        *("keys", "PostgreSQL", "web cannot look the keys up: HTTP 500"),
    ),
    "no answer for the keys": (
        Fault({PROJECTS: (504, GATEWAY)}),
        *("keys", "Redis or PostgreSQL", "whether the keys are good: HTTP 504 Gateway Timeout."),
    ),
    "S3 denied": (
        otlp(500, error("Failed to upload JSON to S3")),
        *("send by OTLP", "S3", "web cannot write to S3: HTTP 500 Internal Server Error: "),
    ),
    "S3 not found by name": (
        otlp(503, error("Storage service temporarily unavailable due to network issues")),
        *("send by OTLP", "S3", "web cannot write to S3: HTTP 503"),
    ),
    "S3 denied to the batch": (
        Fault({BATCH: (500, {"errors": ["Failed to upload events to blob storage, aborting"]})}),
        *("send a batch", "S3", "Failed to upload events to blob storage"),
    ),
    "Redis down, S3 well": (
        otlp(500, error("Failed to add the job: Connection is closed.")),
        *("send by OTLP", "Redis", "web stored the events in S3 but cannot queue them"),
    ),
    "Redis full": (otlp(500, error(OOM)), "send by OTLP", "Redis", OOM),
    "Redis not set": (
        Fault({BATCH: (500, {"errors": ["Redis not initialized, aborting event processing"]})}),
        *("send a batch", "Redis", "cannot queue them"),
    ),
    "Redis gone": (
        otlp(504, GATEWAY),
        *("send by OTLP", "Redis", "web takes the events and does not answer: HTTP 504"),
    ),
    "S3 or Redis": (
        otlp(500, error("An unknown error occurred")),
        *("send by OTLP", "S3 or Redis", "An unknown error occurred. Its log says which."),
    ),
    "too large": (otlp(413, GATEWAY), "send by OTLP", "web", "web answers HTTP 413"),
    "keys taken away": (otlp(401, error("no")), "send by OTLP", "keys", "does not take the keys"),
    "event refused": (
        Fault({BATCH: (207, {"successes": [], "errors": [{"status": 400, "error": "no id"}]})}),
        *("send a batch", "web", "web refuses an event of the batch: no id."),
    ),
    "worker dead": (
        Fault(works=()),
        *("read back OTLP", "worker, ClickHouse or S3", "the queue otel_ingestion: if it shrinks"),
    ),
    "batch queue stands": (
        Fault(works=(OTLP,)),
        *("read back batch", "worker", "whether the queue ingestion shrinks"),
    ),
    "times of another year": (
        Fault(stores=lambda _: "9999-12-31T23:59:59.000Z"),
        *("read back OTLP", "ClickHouse", "compatibility = '25.12'"),
    ),
    "media not set": (
        Fault({MEDIA: (500, error("Media upload to blob storage not enabled"))}),
        *("media", "S3 bucket for media", "not enabled. See LANGFUSE_S3_MEDIA_UPLOAD_BUCKET"),
    ),
    "media elsewhere": (
        Fault({MEDIA: (201, {"uploadUrl": "http://minio:9000/b?X-Amz-Signature=1"})}),
        *("media", "S3 bucket for media", "one on minio, which is not S3"),
    ),
    "slashes decoded": (
        Fault(decodes=True),
        *("prompt in a folder", "ingress", "web gets smoke-test%2Fsmoke-test as another path"),
    ),
    "slashes refused": (
        Fault({f"{PROMPTS}smoke-test%2Fsmoke-test": (400, GATEWAY)}),
        *("prompt in a folder", "ingress", "HTTP 400 Bad Request"),
    ),
    "no prompts": (
        Fault({f"{PROMPTS}smoke-test": (500, error("Prisma"))}),
        *("prompt in a folder", "web", "web answers HTTP 500 Internal Server Error: Prisma"),
    ),
    "no prompts in folders": (
        Fault({f"{PROMPTS}smoke-test%2Fsmoke-test": (500, error("Prisma"))}),
        *("prompt in a folder", "web", "web answers HTTP 500 Internal Server Error: Prisma"),
    ),
    "media by no URL": (
        Fault({MEDIA: (201, {"uploadUrl": None})}),
        *("media", "S3 bucket for media", "one on no host, which is not S3"),
    ),
}


@pytest.mark.parametrize(("fault", "step", "blame", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_blamed_on_its_part(fault: Fault, step: str, blame: str, words: str) -> None:
    with LangfuseStandIn(V3, fault) as langfuse:
        found = report(langfuse.url, "--timeout", "10")
    assert (found["ok"], found["blame"]) == (False, blame)
    assert words in found["message"]
    assert "\n" not in found["message"]
    assert "Signature" not in found["message"]
    assert [each["what"] for each in found["steps"] if not each["ok"]] == [step]
    assert found["steps"][-1]["what"] == step, "it went on after a failure"


MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def later(**difference: float) -> Fault:
    """ClickHouse stores every time so much later."""

    def stored(sent: str) -> str:
        moment = datetime.strptime(sent, MOMENT) + timedelta(**difference)
        return f"{moment.strftime(MOMENT)[:-4]}Z"

    return Fault(stores=stored)


TIMES: Final = {
    "seconds for milliseconds": Fault(stores=lambda _: "9999-12-31T23:59:59.000Z"),
    "beyond what Python knows": Fault(stores=lambda _: "+058633-10-25T03:22:03.000Z"),
    "the epoch": Fault(stores=lambda _: "1970-01-21T18:42:21.600Z"),
    "no time": Fault(stores=lambda _: ""),
    "another time zone": later(hours=2),
    "behind": later(hours=-9.5),
    "two seconds": later(seconds=2),
}
SHAPES: Final = {
    "3.x": (V3, None),
    "4.x events_only": (V4, "events_only"),
    "4.x dual": (V4, "dual"),
    "4.x legacy": (V4, "legacy"),
}


@pytest.mark.parametrize(("version", "mode"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("fault", TIMES.values(), ids=TIMES)
def test_a_time_that_comes_back_as_another_is_a_failure_of_clickhouse(
    version: str, mode: WriteMode | None, fault: Fault
) -> None:
    with LangfuseStandIn(version, fault, write_mode=mode) as langfuse:
        found = report(langfuse.url)
    assert (found["ok"], found["blame"]) == (False, "ClickHouse")
    assert [each["what"] for each in found["steps"] if not each["ok"]] == ["read back OTLP"]
    for words in ("was sent with", "compatibility = '25.12'", "UTC", "External stores"):
        assert words in found["message"], "what came back, and both ways to mend it"


def test_the_times_of_a_batch_are_compared_too() -> None:
    stored: list[str] = []

    def as_sent_by_otlp(sent: str) -> str:
        stored.append(sent)
        return sent if len(stored) <= 2 else "9999-12-31T23:59:59.000Z"

    with LangfuseStandIn(V3, Fault(stores=as_sent_by_otlp)) as langfuse:
        found = report(langfuse.url)
    assert (found["ok"], found["blame"]) == (False, "ClickHouse")
    assert found["steps"][-1]["what"] == "read back batch"


@pytest.mark.parametrize(("version", "mode"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("difference", [0.4, -0.4])
def test_a_time_that_was_rounded_is_none(
    version: str, mode: WriteMode | None, difference: float
) -> None:
    with LangfuseStandIn(version, later(seconds=difference), write_mode=mode) as langfuse:
        assert report(langfuse.url)["ok"]


@pytest.mark.parametrize(
    ("version", "answers"),
    [
        (V3, {"id": "1", "observations": []}),
        (V4, {"data": [{"id": "1"}], "meta": {}}),
    ],
)
def test_a_trace_without_a_time_is_not_taken_for_a_right_one(
    version: str, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke_payloads, "new_trace_id", lambda: "0" * 32)
    path = OBSERVATIONS if version == V4 else f"{TRACES}{'0' * 32}"
    with LangfuseStandIn(version, Fault({path: (200, answers)})) as langfuse:
        found = report(langfuse.url)
    assert (found["ok"], found["blame"]) == (False, "web")
    assert "without its times" in found["message"]


def test_a_4x_whose_trace_never_comes_may_have_a_clickhouse_that_reads_numbers_as_seconds() -> None:
    with LangfuseStandIn(V4, Fault(works=())) as langfuse:
        found = report(langfuse.url)
    assert "From ClickHouse 26.8 on, compatibility = '25.12' is a must" in found["message"]


def test_a_3x_whose_trace_never_comes_has_not() -> None:
    with LangfuseStandIn(V3, Fault(works=())) as langfuse:
        assert "26.8" not in report(langfuse.url)["message"], "it stores them, with another time"


def test_an_old_api_that_does_not_answer_is_no_write_mode() -> None:
    with LangfuseStandIn(V4, Fault({BATCH: (500, error("no"))})) as langfuse:
        found = report(langfuse.url)
    assert (found["ok"], found["steps"][-1]["what"]) == (False, "write mode")


@pytest.mark.parametrize("decodes", [True, False])
def test_an_http_api_that_decodes_slashes_is_a_limit_and_no_failure(
    decodes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is chosen with that limit, and dev has it: a deployment must not fail for it."""
    monkeypatch.setattr("langfuse_aws.automation.smoke.api.HTTP_API_HOST", re.compile("127.0.0.1"))
    with LangfuseStandIn(V3, Fault(decodes=decodes)) as langfuse:
        found = report(langfuse.url)
    assert found["ok"]
    assert found["steps"][-1]["result"] == (
        "a limit of the HTTP API: it decodes %2F, so prompts in folders answer HTTP 404"
        if decodes
        else "web gets the name as it is"
    )


@pytest.mark.parametrize(
    ("host", "is_api"),
    [
        ("a1b2c3.execute-api.eu-west-1.amazonaws.com", True),
        ("a1b2c3.execute-api.cn-north-1.amazonaws.com.cn", True),
        ("langfuse.example.com", False),
        ("execute-api.example.com", False),
    ],
)
def test_an_http_api_is_known_by_its_own_name(host: str, is_api: bool) -> None:
    assert Target(f"https://{host}", PUBLIC_KEY, SECRET_KEY).behind_http_api is is_api


def test_a_failure_is_a_line_of_the_table_and_a_line_on_stderr() -> None:
    with LangfuseStandIn(
        V3, Fault({OTLP: (500, error("Failed to upload JSON to S3"))})
    ) as langfuse:
        result = smoke("--url", langfuse.url)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].split() == [
        *("send", "by", "OTLP", "failed", "HTTP", "500", "0.00")
    ]
    assert result.stderr == (
        "error: S3: web cannot write to S3: HTTP 500 Internal Server Error: Failed to upload JSON "
        "to S3. Its log has S3's own error: the policy of its task role or of the bucket, the KMS "
        "key, the name of the bucket, or no way to S3.\n"
    )


def test_wrong_keys_are_to_blame_themselves() -> None:
    with LangfuseStandIn() as langfuse:
        wrong = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": "sk-lf-of-another"}
        result = smoke("--url", langfuse.url, keys=wrong)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "error: keys: web does not take the keys: HTTP 401 Unauthorized: Invalid credentials. "
    )
    assert "SALT has changed" in result.stderr
    assert "of-another" not in result.output


@pytest.mark.parametrize("said", [SECRET_KEY, TOKEN])
def test_what_an_answer_says_is_shown_without_the_secret(said: str) -> None:
    echoing = {PROJECTS: (500, {"message": f"no key {said}!"})}
    with LangfuseStandIn(fault=Fault(echoing)) as langfuse:
        assert "HTTP 500 Internal Server Error: no key …!" in report(langfuse.url)["message"]


def test_a_long_answer_is_cut() -> None:
    with LangfuseStandIn(fault=Fault({PROJECTS: (500, "a\n" * 5000)})) as langfuse:
        assert len(report(langfuse.url)["message"]) < 400


def test_a_clickhouse_that_cannot_be_read_is_waited_for_and_blamed() -> None:
    clock = Clock()
    with LangfuseStandIn(V4, Fault({OBSERVATIONS: (500, error("ECONNREFUSED"))})) as langfuse:
        found = report(langfuse.url, "--timeout", "5", clock=clock)
    assert (found["blame"], len(clock.slept)) == ("ClickHouse", 3)
    assert "web cannot read traces: HTTP 500" in found["message"]


@pytest.mark.parametrize(
    "answers",
    [
        {OBSERVATIONS: (404, error("Only in v4"))},
        {OBSERVATIONS: (404, GATEWAY)},
    ],
    ids=["closed in both ways", "not routed"],
)
def test_what_waiting_cannot_mend_is_not_waited_for(answers: dict[str, tuple[int, Any]]) -> None:
    clock = Clock()
    with LangfuseStandIn(V4, Fault(answers)) as langfuse:
        found = report(langfuse.url, clock=clock)
    assert (found["blame"], clock.slept) == ("web or ingress", [])
    assert f"the trace cannot be read: HTTP 404 Not Found: {EVENTS_ONLY}" in found["message"]


def test_an_answer_that_does_not_come_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke_checks, "LEAST_ANSWER_SECONDS", 0.05)
    with LangfuseStandIn(V4, Fault(hangs=(OBSERVATIONS,))) as langfuse:
        begin = time.monotonic()
        found = report(langfuse.url, "--timeout", "0.1")
    assert time.monotonic() - begin < 5
    assert found["blame"] == "ClickHouse"
    assert "no answer within 0.05 s" in found["message"]


def test_a_redis_that_is_never_reached_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langfuse_aws.automation.smoke.api.ANSWER_SECONDS", 0.05)
    with LangfuseStandIn(V4, Fault(hangs=(OTLP,))) as langfuse:
        found = report(langfuse.url)
    assert found["blame"] == "Redis"
    assert found["steps"][-1]["result"] == "no answer within 0.05 s"
