"""`status`: one screen of how a stack is, for whoever was woken up. It only reads."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer
from botocore.config import Config
from rich.live import Live

from langfuse_aws.automation.engine.deployed import open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, is_expected, one_line
from langfuse_aws.automation.on_call.alarms import alarm_readings
from langfuse_aws.automation.on_call.app_runner import app_runner_readings
from langfuse_aws.automation.on_call.backups import backup_readings
from langfuse_aws.automation.on_call.certificates import certificate_readings
from langfuse_aws.automation.on_call.drift import drift_reading
from langfuse_aws.automation.on_call.ecs_services import service_readings
from langfuse_aws.automation.on_call.findings import Finding, Reading, now, read_all
from langfuse_aws.automation.on_call.measurements import measurement_readings
from langfuse_aws.automation.on_call.release import release_reading
from langfuse_aws.automation.on_call.report import Report
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.automation.terminal import console, one_line_errors

QUICK: Final = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=16,
)
"""Somebody waits: what does not answer soon is said to be unknown."""
DRIFT_SECONDS: Final = 1800


def status(stack: str, folder: Path, as_json: bool, watch: int | None, drift: bool) -> None:
    """Show how a stack is."""
    with one_line_errors(), waits.silent(as_json):
        if watch is not None and drift:
            raise CommandLineError(
                "--drift takes minutes, and --watch asks again and again. Leave one of them out."
            )
        running = RunningStack.of(open_stack(stack, folder, QUICK))
        with waits("asking AWS who you are"):
            account = running.aws("sts").get_caller_identity()["Account"]
        running.deployed.refuse_another_account(account)
        if watch is None:
            with waits("asking AWS"):
                report = read(running, account)
            if drift:
                with waits("drift: asking AWS for every resource"):
                    report = _with(
                        report, read_all([drift_reading(running.deployed)], DRIFT_SECONDS)
                    )
            _print(report, as_json)
            raise typer.Exit(report.exit_code)
        _watch(running, account, watch, as_json)


def read(stack: RunningStack, account: str) -> Report:
    """Read everything, side by side."""
    begun = now()
    with suppress(Exception):  # once for all readings; whichever needs them says what is wrong
        _ = stack.deployed.settings
    stack = stack.look()
    findings = read_all(list(readings(stack)))
    deployed = stack.deployed
    return Report(deployed.name, deployed.region, account, begun, findings, stack.asleep)


def readings(stack: RunningStack) -> Iterator[Reading]:
    """What is read, in the order of the screen."""
    sections: list[Callable[[RunningStack], Iterator[Reading]]] = [
        release_reading,
        service_readings,
        app_runner_readings,
        measurement_readings,
        alarm_readings,
        backup_readings,
        certificate_readings,
    ]
    for each in sections:
        yield from each(stack)


def _with(report: Report, more: list[Finding]) -> Report:
    return replace(report, findings=[*report.findings, *more])


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    elif console.is_terminal:
        console.print(report.screen(console.width), soft_wrap=False)
    else:
        for line in report.lines():
            typer.echo(line)


def _watch(stack: RunningStack, account: str, seconds: int, as_json: bool) -> None:
    """Show it again and again, until a signal ends the process."""
    if as_json or not console.is_terminal:
        for report in _rounds(stack, account, seconds):
            _print(report, as_json)
            sys.stdout.flush()
        return
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        for report in _rounds(stack, account, seconds):
            live.update(report.screen(console.width), refresh=True)


def _rounds(stack: RunningStack, account: str, seconds: int) -> Iterator[Report]:
    """Read it for ever, each time with the state of then; a backend that is away ends nothing."""
    stale: list[Finding] = []
    while True:
        yield _with(read(stack, account), stale)
        time.sleep(seconds)
        later, stale = stack.later(), []
        try:
            _ = later.resources
            stack = later
        except Exception as error:
            if not is_expected(error):
                raise
            text = f"could not be read again, what is wanted is of before: {one_line(error)}"
            stale.append(Finding("state", "state", "unknown", text))
