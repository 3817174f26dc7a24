"""`logs`: what the parts of a stack print, merged by time, from CloudWatch Logs."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from langfuse_aws.automation.cli.words import TIME_FORMAT
from langfuse_aws.automation.engine.deployed import open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError
from langfuse_aws.automation.on_call.findings import now
from langfuse_aws.automation.on_call.log_events import LogEvent, coming, past
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE

LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
SERVED: Final = ("web", "worker")
"""What is shown if nobody says what."""
APP_RUNNER_GROUPS: Final = {"web": "application", "web-service": "service"}
"""What web prints there, and what App Runner says of its deployments.
https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cwl.html"""
COLORS: Final = ("cyan", "magenta", "green", "yellow", "blue", "red")
DURATION: Final = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smhd])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
METRICS: Final = '{"_aws":'
"""How a line begins that CloudWatch makes metrics of, six a minute from each queue probe. It is
shown to those who ask for a text in it."""
ESCAPE: Final = "\x1b"
CONTROL: Final = dict.fromkeys({*range(32), *range(127, 160)} - {ord("\t"), ord(ESCAPE)})
"""Characters that a terminal would obey: whoever sends traces can get them into a log. Colours,
which begin with ESCAPE, may stay."""


def logs(
    stack: str,
    folder: Path,
    parts: Sequence[str],
    since: str,
    follow: bool,
    text: str | None,
    as_json: bool,
) -> None:
    """Show what the parts print."""
    with one_line_errors(), waits.silent(as_json):
        begin = _begin(since)
        running = RunningStack.of(open_stack(stack, folder))
        groups = _chosen(stack, log_groups(running), parts)
        client = running.aws("logs")
        printer = Printer(list(groups), as_json)

        def wanted(event: LogEvent) -> bool:
            if text is None:
                return not event.message.startswith(METRICS)
            return text in event.message

        if not follow:
            end = int(now().timestamp() * 1000)
            for event in past(client, groups, begin, end, wanted):
                printer.print(event)
            return
        for events in coming(client, groups, begin, wanted):
            for event in events:
                printer.print(event)
            sys.stdout.flush()


def log_groups(stack: RunningStack) -> Mapping[str, str]:
    """The name of each log group of the stack, by the part that writes to it."""
    groups = {part: each.outputs["name"] for part, each in stack.by_part(LOG_GROUP).items()}
    for service in stack.of_type(APP_RUNNER_SERVICE):
        name = f"/aws/apprunner/{service.outputs['serviceName']}/{service.outputs['serviceId']}"
        groups |= {part: f"{name}/{kind}" for part, kind in APP_RUNNER_GROUPS.items()}
    return groups


def _chosen(stack: str, groups: Mapping[str, str], parts: Sequence[str]) -> Mapping[str, str]:
    chosen = list(dict.fromkeys(parts)) or [each for each in SERVED if each in groups]
    unknown = [each for each in chosen if each not in groups]
    if unknown or not chosen:
        there = ", ".join(sorted(groups)) or "none"
        raise CommandLineError(
            f"{' '.join(unknown) or 'logs'}: stack {stack} has no such log group. It has: {there}."
        )
    return {each: groups[each] for each in chosen}


def _begin(since: str) -> int:
    """Read `1h`, `30m`, `2d` or a time; in milliseconds since 1970."""
    matched = DURATION.fullmatch(since)
    try:
        if matched:
            ago = timedelta(**{UNITS[matched["unit"]]: int(matched["number"])})
            return int((now() - ago).timestamp() * 1000)
        return int(
            datetime.strptime(since, TIME_FORMAT).astimezone(timezone.utc).timestamp() * 1000
        )
    except (ValueError, OverflowError):
        raise CommandLineError(
            f"--since {since}: is neither a duration, such as 90s, 30m, 1h or 2d, nor a time, such "
            "as 2026-11-20T10:00:00Z."
        ) from None


class Printer:
    """Prints events: as NDJSON, in a terminal's colours, or in plain text."""

    def __init__(self, parts: Sequence[str], as_json: bool) -> None:
        self._as_json = as_json
        self._width = max(map(len, parts))
        self._colors = {part: COLORS[index % len(COLORS)] for index, part in enumerate(parts)}

    def print(self, event: LogEvent) -> None:
        """Print one."""
        if self._as_json:
            typer.echo(
                json.dumps(
                    {
                        "time": event.time,
                        "part": event.part,
                        "stream": event.stream,
                        "message": event.message,
                    },
                    ensure_ascii=False,
                )
            )
            return
        prefix = f"{event.part:{self._width}}"
        for line in event.message.splitlines() or [""]:
            if not console.is_terminal:
                typer.echo(f"{event.time} {prefix} {line}")
                continue
            message = Text.from_ansi(line.translate(CONTROL))
            message.plain = message.plain.replace(ESCAPE, "")
            console.print(
                Text.assemble((event.time, "dim"), " ", (prefix, self._colors[event.part]), " ")
                + message
            )
