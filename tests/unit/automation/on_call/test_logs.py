"""`logs`: which log groups, which time, in which order, and what a terminal or a pipe gets.

CloudWatch Logs is moto's; what moto does not do, pages and late events, is given by botocore's
model. It proves nothing of how late AWS really is.
"""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Final

import pytest
from rich.console import Console
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.on_call import log_events
from langfuse_aws.automation.on_call import logs as logs_module
from langfuse_aws.automation.on_call.log_events import LogEvent, coming
from tests.unit.automation.on_call.stack_that_runs import OnCall, on_call, on_call_of
from tests.unit.automation.restore.test_restore import AwsError, always
from tests.unit.aws_account import Account, aws
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.stack_graph import build_locked

NOW: Final = datetime(2026, 11, 29, 1, 0, tzinfo=timezone.utc)
MS: Final = int(NOW.timestamp() * 1000)


@pytest.fixture(autouse=True)
def at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be one o'clock."""
    monkeypatch.setattr(logs_module, "now", always(NOW))
    monkeypatch.setattr(log_events.time, "time", always(NOW.timestamp()))


def run(world: OnCall, *arguments: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs_module, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["logs", "--stack", "prod", *arguments])


def put(world: OnCall, part: str, *events: tuple[float, str]) -> None:
    """Have a part print lines, each so many minutes ago."""
    name = logs_module.log_groups(world.stack)[part]
    client = aws("logs")
    client.create_log_group(logGroupName=name)
    client.create_log_stream(logGroupName=name, logStreamName=f"{part}/{part}/0f1e2d")
    client.put_log_events(
        logGroupName=name,
        logStreamName=f"{part}/{part}/0f1e2d",
        logEvents=[
            {"timestamp": MS - int(minutes * 60_000), "message": message}
            for minutes, message in sorted(events, reverse=True)
        ],
    )


@pytest.fixture
def world(account: Account) -> OnCall:
    """A stack whose web, worker and ClickHouse have printed something."""
    assert account is not None
    found = on_call()
    found.aws.client = aws  # pyright: ignore[reportAttributeAccessIssue]
    put(found, "web", (30, "GET /health"), (90, "too old"), (10, "error: no route\n  at here"))
    put(found, "worker", (20, "job 7 failed"), (5, "job 8 done"))
    put(found, "clickhouse", (15, "<Error> Memory limit"))
    return found


def test_what_cloudwatch_makes_metrics_of_is_for_those_who_ask(world: OnCall) -> None:
    line = '{"_aws":{"Timestamp":1},"Stack":"langfuse-prod","WaitingJobs":3}'
    put(world, "clickhouse-backup", (4, line), (3, "queue probe: cannot read the queues"))
    assert "_aws" not in run(world, "clickhouse-backup").stdout
    assert "cannot read the queues" in run(world, "clickhouse-backup").stdout
    assert "WaitingJobs" in run(world, "clickhouse-backup", "--grep", "WaitingJobs").stdout


def test_web_and_worker_of_the_last_hour_are_merged_by_time(world: OnCall) -> None:
    result = run(world)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "2026-11-29T00:30:00.000Z web    GET /health",
        "2026-11-29T00:40:00.000Z worker job 7 failed",
        "2026-11-29T00:50:00.000Z web    error: no route",
        "2026-11-29T00:50:00.000Z web      at here",
        "2026-11-29T00:55:00.000Z worker job 8 done",
    ]


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (("clickhouse",), ["<Error> Memory limit"]),
        (("clickhouse", "worker", "clickhouse"), ["job 7 failed", "<Error> Memory limit",
                                                  "job 8 done"]),
        (("worker", "--since", "6m"), ["job 8 done"]),
        (("worker", "--since", "360s"), ["job 8 done"]),
        (("web", "--since", "2h"), ["too old", "GET /health", "error: no route\n  at here"]),
        (("web", "--since", "1d", "--grep", "old"), ["too old"]),
        (("--grep", "at here"), ["error: no route\n  at here"]),
        (("--grep", "Job"), []),
        (("worker", "--since", "2026-11-29T00:50:00Z"), ["job 8 done"]),
        (("worker", "--since", "2026-11-29T01:50:00+0100"), ["job 8 done"]),
    ],
)  # fmt: skip
def test_parts_times_and_texts_are_chosen(
    world: OnCall, arguments: tuple[str, ...], messages: list[str]
) -> None:
    result = run(world, *arguments, "--json")
    assert result.exit_code == 0, result.output
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["message"] for each in events] == messages
    for each in events:
        assert set(each) == {"time", "part", "stream", "message"}
        assert each["stream"].endswith("/0f1e2d")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--since", "yesterday"), "--since yesterday: is neither a duration, such as 90s, 30m"),
        (("--since", "999999d"), "--since 999999d: is neither a duration"),
        (("--since", "2026-11-29"), "nor a time, such as 2026-11-20T10:00:00Z"),
        (
            ("redis", "web"),
            "redis: stack prod has no such log group. It has: clickhouse, clickhouse-backup, "
            "flow-logs, migration, migration-gate, web, worker.",
        ),
    ],
)
def test_a_wrong_part_or_time_is_one_line_and_2(arguments: tuple[str, ...], text: str) -> None:
    world = on_call()
    result = run(world, *arguments)
    assert (result.exit_code, result.stdout, world.aws.asked) == (2, "", [])
    assert result.stderr.count("\n") == 1
    assert text in result.stderr


def test_a_log_group_that_may_not_be_read_is_one_line_and_1() -> None:
    result = run(on_call(FilterLogEvents=AwsError("AccessDeniedException", "no")))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "when calling the FilterLogEvents operation: no" in result.stderr
    assert result.stderr.count("\n") == 1


def test_app_runner_has_groups_of_its_own() -> None:
    graph = build_locked("platform", APP_RUNNER)
    (service,) = graph.of_type("aws:apprunner/service:Service")
    outputs = service.outputs
    folder = f"/aws/apprunner/{outputs['serviceName']}/{outputs['serviceId']}"
    groups = logs_module.log_groups(on_call_of(graph, APP_RUNNER, "platform").stack)
    assert groups["web"] == f"{folder}/application"
    assert groups["web-service"] == f"{folder}/service"
    assert groups["worker"].startswith("langfuse-platform-worker-")


# --- pages


def event(minutes: float, identity: str, message: str = "") -> dict[str, Any]:
    return {
        "timestamp": MS - int(minutes * 60_000),
        "message": message or identity,
        "logStreamName": "s",
        "eventId": identity,
    }


def paged(pages: Sequence[Sequence[dict[str, Any]]]) -> Any:
    """FilterLogEvents in pages; of the worker's group alone."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        if "worker" not in params["logGroupName"]:
            return {"events": []}
        index = int(params.get("nextToken", 0))
        more = {"nextToken": str(index + 1)} if index + 1 < len(pages) else {}
        return {"events": pages[index], **more}

    return answer


def test_every_page_is_read_and_an_empty_one_is_not_the_end() -> None:
    world = on_call(FilterLogEvents=paged([[event(9, "a")], [], [event(8, "b")]]))
    assert [line.split()[-1] for line in run(world).stdout.splitlines()] == ["a", "b"]


def test_pages_are_asked_for_as_they_are_needed() -> None:
    world = on_call(FilterLogEvents=paged([[event(9, str(n))] for n in range(50)]))
    events = log_events.past(
        world.stack.aws("logs"), {"worker": "of worker"}, 0, MS, lambda _: True
    )
    assert next(events).message == "0"
    assert len(world.calls("FilterLogEvents")) == 1


# --- following


def rounds(world: OnCall, number: int) -> Iterator[list[str]]:
    """What comes in some rounds."""
    found = coming(world.stack.aws("logs"), {"worker": "worker"}, MS - 60_000, lambda _: True)
    for _, events in zip(range(number), found, strict=False):
        yield [each.message for each in events]


def test_what_comes_is_shown_once_and_late_events_too(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [event(0.5, "first")]
    monkeypatch.setattr(log_events.time, "sleep", always(None))
    world = on_call(FilterLogEvents=lambda _: {"events": list(there)})
    seen = rounds(world, 3)
    assert next(seen) == ["first"]
    there.append(event(0.1, "second"))
    assert next(seen) == ["second"]
    there.insert(0, event(1.9, "late"))
    assert next(seen) == ["late"]


def test_following_polls_and_asks_for_no_more_than_may_be_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(log_events.time, "sleep", slept.append)
    world = on_call(FilterLogEvents={"events": []})
    late = MS - log_events.LATE_MILLISECONDS
    found = coming(world.stack.aws("logs"), {"worker": "worker"}, MS - 3_600_000, lambda _: True)
    for _ in range(3):
        next(found)
    starts = [each["startTime"] for each in world.calls("FilterLogEvents")]
    assert starts == [MS - 3_600_000, late, late]
    assert slept == [log_events.POLL_SECONDS] * 2


# --- terminals and pipes


def shown(message: str, width: int, *, colors: bool) -> str:
    """What a terminal of this width is sent."""
    text = io.StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=True,
        no_color=not colors,
        soft_wrap=True,
        highlight=False,
        emoji=False,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs_module, "console", console)
        logs_module.Printer(["web", "worker"], as_json=False).print(
            LogEvent(MS, "web", "s", message, "1")
        )
    return text.getvalue()


@pytest.mark.parametrize("width", [60, 200])
def test_a_terminal_gets_whole_lines_with_the_parts_in_colours(width: int) -> None:
    long = "x" * 150
    plain = f"2026-11-29T01:00:00.000Z web    {long}\n"
    coloured = shown(long, width, colors=True)
    assert "\x1b[36mweb" in coloured
    assert long in coloured, "the terminal breaks it, so that a copied line is one"
    assert plain.split()[0] in shown(long, width, colors=False)
    assert "\x1b[36m" not in shown(long, width, colors=False)


def test_a_log_may_colour_a_terminal_and_tell_it_nothing_else() -> None:
    evil = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[1A bell\x07 back\x08 \x9b2J tab\there"
    sent = shown(evil, 200, colors=True)
    assert "\x1b[31mred" in sent
    for forbidden in ("\x1b]0;", "\x07", "\x1b[2J", "\x1b[1A", "\x08", "\x9b"):
        assert forbidden not in sent
    assert "here" in sent


def test_ctrl_c_ends_following_with_130_and_one_line() -> None:
    script = """
import sys, time
from types import SimpleNamespace
from langfuse_aws.automation.on_call import logs
from langfuse_aws.automation.on_call.log_events import LogEvent
logs.open_stack = lambda *_: None
logs.RunningStack = SimpleNamespace(of=lambda _: SimpleNamespace(aws=lambda _: None))
logs.log_groups = lambda _: {"web": "w", "worker": "v"}
def coming(*_):
    yield [LogEvent(0, "web", "s", "first", "1")]
    time.sleep(3600)
logs.coming = coming
sys.argv = ["automation", "logs", "--stack", "prod", "--follow"]
from langfuse_aws.automation.__main__ import main
main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # A pipe gets each round at once: --follow would be of no use otherwise.
        assert process.stdout.readline() == "1970-01-01T00:00:00.000Z web    first\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == "error: stopped by SIGINT.\n"


def test_a_pipe_that_ends_early_ends_the_command_without_a_traceback() -> None:
    """`logs | head`, in a process, with a million events."""
    script = """
import sys
from types import SimpleNamespace
from langfuse_aws.automation.on_call import logs
from langfuse_aws.automation.on_call.log_events import LogEvent
logs.open_stack = lambda *_: None
logs.RunningStack = SimpleNamespace(of=lambda _: SimpleNamespace(aws=lambda _: None))
logs.log_groups = lambda _: {"web": "w", "worker": "v"}
logs.past = lambda *_: (LogEvent(n, "web", "s", "x" * 200, str(n)) for n in range(1_000_000))
sys.argv = ["automation", "logs", "--stack", "prod"]
from langfuse_aws.automation.__main__ import main
main()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "60"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("1970-01-01T00:00:00.000Z web    xxx")
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == ""
