"""`smoke`, on a stand-in for Langfuse: what it sends and asks, and how long it waits.

It proves which calls are made in which order for a 3.x and a 4.x, that waiting ends, and that no
output has the secret key. It does not prove that a real Langfuse answers as the stand-in does:
nobody here could run one. What is blamed for what is in test_faults.py.
"""

import json
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.smoke import checks as smoke_checks
from langfuse_aws.automation.smoke.checks import S3_HOST
from tests.unit.langfuse_stand_in import (
    BATCH,
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

PROBES = (f"{PROMPTS}smoke-test", f"{PROMPTS}smoke-test%2Fsmoke-test")
"""What is asked for last: two prompts that nobody has, the second one in a folder."""


class Clock:
    """A time of its own, which only the command's own waiting moves."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.slept: list[float] = []
        self.woken: Any = lambda: None

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.slept.append(seconds)
        self.woken()


def smoke(
    *arguments: str, keys: Mapping[str, str] | None = None, clock: Clock | None = None
) -> Any:
    """Run the command with the stand-in's keys, and look for the secret in what it prints."""
    if keys is None:
        keys = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "HTTP_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        clock = clock or Clock()
        for module in (tenacity, tenacity.nap, smoke_checks):
            patch.setattr(module, "time", clock)
        result = CliRunner().invoke(app, ["smoke", *arguments], env=keys)
    assert SECRET_KEY not in result.output
    assert TOKEN not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def report(url: str, *more: str, clock: Clock | None = None) -> dict[str, Any]:
    """Run it, and give what --json prints."""
    result = smoke("--url", url, "--json", *more, clock=clock)
    found = json.loads(result.stdout)
    assert result.exit_code == (0 if found["ok"] else 1)
    assert result.stderr == ""
    return found


def trace_of(langfuse: LangfuseStandIn) -> str:
    """The ID of the trace that was sent by OTLP."""
    (resource,) = langfuse.one(OTLP).json["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    (span,) = scope["spans"]
    return span["traceId"]


def traces_of(langfuse: LangfuseStandIn) -> tuple[str, str]:
    """The IDs of both traces that are sent to a 3.x."""
    trace, generation = langfuse.one(BATCH).json["batch"]
    assert generation["body"]["traceId"] == trace["body"]["id"]
    return trace_of(langfuse), trace["body"]["id"]


# --- all is well


def test_a_3x_is_asked_by_both_ways_in_order() -> None:
    with LangfuseStandIn(V3) as langfuse:
        result = smoke("--url", langfuse.url)
    assert result.exit_code == 0, result.output
    otlp, batch = traces_of(langfuse)
    assert langfuse.paths == [
        *(HEALTH, READY, PROJECTS, OTLP, BATCH),
        *(f"{TRACES}{otlp}", f"{TRACES}{batch}", MEDIA, *PROBES),
    ]
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        *(
            "Step",
            "health",
            "ready",
            "keys",
            "send",
            "send",
            "read",
            "read",
            "media",
            "prompt",
            "All",
        )
    ]
    assert f"Langfuse {V3}" in result.stdout
    assert "project Demo [1]" in result.stdout
    assert result.stdout.endswith("A trace was visible 0.0 s after it was sent.\n")
    assert result.stderr == ""


def test_a_4x_is_asked_by_otlp_only_and_read_by_its_new_api() -> None:
    with LangfuseStandIn(V4) as langfuse:
        result = smoke("--url", langfuse.url)
    assert result.exit_code == 0, result.output
    trace_id = trace_of(langfuse)
    read = f"{OBSERVATIONS}?traceId={trace_id}"
    old = [f"{TRACES}{trace_id}", BATCH]
    assert langfuse.paths == [HEALTH, READY, PROJECTS, OTLP, read, *old, MEDIA, *PROBES]
    assert "All is well" in result.stdout


def test_a_4x_that_writes_the_old_tables_is_read_by_the_old_api() -> None:
    with LangfuseStandIn(V4, write_mode="legacy") as langfuse:
        assert report(langfuse.url)["ok"]
    trace_id = trace_of(langfuse)
    assert langfuse.paths[4:6] == [f"{OBSERVATIONS}?traceId={trace_id}", f"{TRACES}{trace_id}"]


@pytest.mark.parametrize(
    ("mode", "closed", "batches"),
    [
        (
            "events_only",
            [
                "GET /api/public/traces and its like (HTTP 404)",
                "traces by POST /api/public/ingestion (HTTP 400 for each)",
            ],
            1,
        ),
        ("dual", [], 0),
        ("legacy", ["GET /api/public/v2/observations (HTTP 404)"], 0),
    ],
)
def test_the_write_mode_of_a_4x_is_found_and_what_of_the_api_it_closes(
    mode: WriteMode, closed: list[str], batches: int
) -> None:
    with LangfuseStandIn(V4, write_mode=mode) as langfuse:
        found = report(langfuse.url)
        shown = smoke("--url", langfuse.url).stdout
    assert found["ok"]
    assert (found["write_mode"], found["closed"]) == (mode, closed)
    assert {step["what"]: step["result"] for step in found["steps"]}["write mode"] == mode
    assert langfuse.paths.count(BATCH) == 2 * batches, "what is taken would be a second trace"
    last = " ".join(shown.split()).partition("after it was sent.")[2].strip()
    assert last == (f"Closed in its write mode, {mode}: {', '.join(closed)}." if closed else "")


def test_a_3x_has_no_write_mode_to_be_found() -> None:
    with LangfuseStandIn(V3) as langfuse:
        found = report(langfuse.url)
    assert (found["write_mode"], found["closed"]) == (None, [])
    assert "write mode" not in [step["what"] for step in found["steps"]]


def test_keys_go_to_what_needs_them_and_the_trace_asks_for_the_new_tables() -> None:
    with LangfuseStandIn() as langfuse:
        keys = ("--public-key", PUBLIC_KEY, "--secret-key", SECRET_KEY)
        smoke("--url", f"{langfuse.url}/", *keys, keys={})
    for request in langfuse.requests:
        open_to_all = request.path in (HEALTH, READY)
        assert ("authorization" in request.headers) is not open_to_all, request.path
    assert langfuse.one(OTLP).headers["x-langfuse-ingestion-version"] == "4"


def test_every_run_sends_traces_of_its_own() -> None:
    with LangfuseStandIn() as langfuse:
        for _ in range(2):
            smoke("--url", langfuse.url)
    bodies = [request.body for request in langfuse.requests if request.body]
    assert len(set(bodies)) == len(bodies) == 6


def test_json_has_the_steps_and_the_time_until_the_trace_was_visible() -> None:
    clock = Clock()
    with LangfuseStandIn(V4, looks=4) as langfuse:
        found = report(langfuse.url, clock=clock)
    steps = found.pop("steps")
    assert found == {
        "ok": True,
        "version": V4,
        "write_mode": "events_only",
        "closed": [
            "GET /api/public/traces and its like (HTTP 404)",
            "traces by POST /api/public/ingestion (HTTP 400 for each)",
        ],
        "seconds_to_visible": 6.0,
        "blame": None,
        "message": None,
        "lag_seconds": None,
    }
    assert [step["what"] for step in steps] == [
        *(
            "health",
            "ready",
            "keys",
            "send by OTLP",
            "read back OTLP",
            "write mode",
            "media",
            "prompt in a folder",
        )
    ]
    assert steps[4] == {
        "what": "read back OTLP",
        "ok": True,
        "result": "visible after 6.0 s",
        "seconds": 6.0,
    }
    assert clock.slept == [2.0, 2.0, 2.0]


# --- waiting


@pytest.mark.parametrize(("version", "path"), [(V3, TRACES), (V4, OBSERVATIONS)])
def test_waiting_for_a_trace_ends(version: str, path: str) -> None:
    clock = Clock()
    with LangfuseStandIn(version, Fault(works=())) as langfuse:
        found = report(langfuse.url, "--timeout", "9", clock=clock)
    assert found["message"].startswith("web took the trace, but it cannot be read after 9 s.")
    assert found["seconds_to_visible"] is None
    assert clock.slept == [2.0] * 5
    assert len([each for each in langfuse.paths if each.startswith(path)]) == 6


@pytest.mark.parametrize(
    ("version", "write_mode", "asked"),
    [
        (V3, "legacy", [f"{TRACES}0"]),
        (V4, "dual", [f"{TRACES}0"]),
        (V4, "events_only", [f"{TRACES}0", f"{OBSERVATIONS}?traceId=0"]),
    ],
)
def test_an_old_trace_is_read_before_anything_is_sent(
    version: str, write_mode: WriteMode, asked: list[str]
) -> None:
    with LangfuseStandIn(version, write_mode=write_mode) as langfuse:
        langfuse.hold("0", "2026-01-01T00:00:00.000Z")
        found = report(langfuse.url, "--trace", "0")
        assert [each["what"] for each in found["steps"]][3:5] == [
            "read an old trace",
            "send by OTLP",
        ]
        assert found["steps"][3]["result"] == "trace 0"
        assert langfuse.paths[3 : 3 + len(asked)] == asked


@pytest.mark.parametrize(("version", "write_mode"), [(V3, "legacy"), (V4, "events_only")])
def test_an_old_trace_that_is_not_there_fails_with_what_may_be_why(
    version: str, write_mode: WriteMode
) -> None:
    with LangfuseStandIn(version, write_mode=write_mode) as langfuse:
        result = smoke("--url", langfuse.url, "--trace", "gone")
        assert OTLP not in langfuse.paths
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "error: data: the trace gone is not there: HTTP 404 Not Found" in said
    assert "is of another project than the keys" in said


def test_waiting_is_90_seconds_unless_told() -> None:
    clock = Clock()
    with LangfuseStandIn(V4, Fault(works=())) as langfuse:
        assert "after 90 s" in report(langfuse.url, clock=clock)["message"]
    assert sum(clock.slept) == 90


def test_a_refused_connection_is_tried_three_times() -> None:
    clock = Clock()
    with LangfuseStandIn() as langfuse:
        url = langfuse.url
    result = smoke("--url", url, clock=clock)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"error: web or ingress: nothing answers at {url}/api/public/health: no connection: "
    )
    assert "Connection refused" in result.stderr
    assert clock.slept == [2.0, 2.0]


def test_a_web_that_starts_meanwhile_is_waited_for() -> None:
    clock = Clock()
    with LangfuseStandIn() as gone:
        port = int(gone.url.rsplit(":", 1)[1])
    later = SimpleNamespace(langfuse=None)

    def start() -> None:
        if later.langfuse is None:
            later.langfuse = LangfuseStandIn(port=port)
            later.langfuse.__enter__()

    clock.woken = start
    try:
        assert report(gone.url, clock=clock)["ok"]
    finally:
        later.langfuse.__exit__()


@pytest.mark.parametrize(
    ("host", "s3"),
    [
        ("langfuse-dev-1a2b.s3.eu-west-1.amazonaws.com", True),
        ("a.b.s3.amazonaws.com", True),
        ("s3.dualstack.eu-west-1.amazonaws.com", True),
        ("langfuse.s3.cn-north-1.amazonaws.com.cn", True),
        ("minio", False),
        ("s3.example.com", False),
        ("langfuse.s3.eu-west-1.amazonaws.com.example.com", False),
        ("mys3.amazonaws.com", False),
    ],
)
def test_the_hosts_of_s3_are_known(host: str, s3: bool) -> None:
    assert bool(S3_HOST.fullmatch(host)) is s3
