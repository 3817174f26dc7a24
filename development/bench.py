"""Measures what a contributor waits for: `make bench`.

Previews of prod, of an empty program and of synthetic programs of growing size, with the real
engine on in-memory providers, and the wall time of the unit tests; prints them beside the targets.
It judges nothing and keeps nothing: a slow result is a printed line, not a failure. The times are
this machine's, with whatever else runs on it; compare them within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from development import pulumi_cli
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import (
    SECRETS_PROVIDER,
    OfflineStack,
    OfflineStackError,
    prepare,
)
from langfuse_aws.offline.serving import providers

STACK = "prod"
SYNTHETIC_STACK = "bench"
RUNS = 5
SMALL_PROGRAM = 100
LARGE_PROGRAM = 300
PREVIEW_TARGET_SECONDS = 8.0
RESOURCE_TARGET_SECONDS = 0.06
UNIT_TARGET_SECONDS = 15.0
HELP_TARGET_SECONDS = 0.5
VALIDATE_TARGET_SECONDS = 1.0
COMMAND_SECONDS = 600

EMPTY_PROGRAM = "import pulumi\n"
SYNTHETIC_PROGRAM = """import pulumi_aws as aws

for number in range({resources}):
    aws.ssm.Parameter(f"parameter-{{number}}", type="String", value=str(number))
"""
SYNTHETIC_SETTINGS = "config:\n  aws:region: us-east-1\n"


class BenchError(Exception):
    """A command that was to be measured failed; the message quotes it."""


@dataclass(frozen=True)
class Measurement:
    """The wall times of one program's previews."""

    seconds: tuple[float, ...]
    resources: int

    @property
    def median(self) -> float:
        """The middle of the measured times."""
        return statistics.median(self.seconds)

    def spread(self) -> str:
        """Write the least, the middle and the greatest time."""
        return f"{min(self.seconds):.2f} / {self.median:.2f} / {max(self.seconds):.2f} s"


@dataclass(frozen=True)
class Measured:
    """What the previews showed."""

    program: Measurement
    empty: Measurement
    small: Measurement
    large: Measurement

    @property
    def ratio(self) -> float:
        """How many times an empty program's preview this project's preview takes."""
        return self.program.median / self.empty.median

    @property
    def seconds_per_resource(self) -> float:
        """The slope between the small and the large synthetic program."""
        more = self.large.resources - self.small.resources
        return (self.large.median - self.small.median) / more


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m development.bench", description="Measure previews and unit tests."
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="previews of each program")
    runs = max(parser.parse_args().runs, 1)
    console = Console(highlight=False, markup=False)
    try:
        os.environ["PATH"] = pulumi_cli.search_path(pulumi_cli.ensure())
        with tempfile.TemporaryDirectory(prefix="langfuse-bench-") as scratch:
            measured = _measure_previews(console, Path(scratch), runs)
        help_seconds = _measure_command(console, runs, "up", "--help")
        check_seconds = _measure_command(console, runs, "validate")
        unit_seconds, unit_verdict = _measure_unit_tests(console)
    except (BenchError, OfflineStackError, pulumi_cli.PulumiUnavailableError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    table = _table(measured, unit_seconds, unit_verdict, runs)
    table.add_row("up --help", help_seconds.spread(), f"≤ {HELP_TARGET_SECONDS:g} s")
    table.add_row("validate", check_seconds.spread(), f"≤ {VALIDATE_TARGET_SECONDS:g} s")
    console.print(table)
    return 0


def _measure_previews(console: Console, scratch: Path, runs: int) -> Measured:
    with providers() as provider_environment:
        program = prepare(STACK, scratch / "program")
        empty = _synthetic(scratch / "empty", EMPTY_PROGRAM)
        small = _synthetic(scratch / "small", SYNTHETIC_PROGRAM.format(resources=SMALL_PROGRAM))
        large = _synthetic(scratch / "large", SYNTHETIC_PROGRAM.format(resources=LARGE_PROGRAM))
        stacks = {"this program": program, "empty": empty, "small": small, "large": large}
        counts: dict[str, int] = {}
        for name, stack in stacks.items():
            console.print(f"warming up: {name}")
            counts[name] = _create_and_count(stack, stack.environment(provider_environment))
        seconds: dict[str, list[float]] = {name: [] for name in stacks}
        for number in range(runs):  # in turn, so that a busy minute burdens all alike
            console.print(f"measuring: round {number + 1} of {runs}")
            for name, stack in stacks.items():
                environment = stack.environment(provider_environment)
                seconds[name].append(_timed_preview(stack, environment))
    measurements = [Measurement(tuple(seconds[name]), counts[name]) for name in stacks]
    return Measured(*measurements)


def _synthetic(folder: Path, program: str) -> OfflineStack:
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    (source / f"Pulumi.{SYNTHETIC_STACK}.yaml").write_text(SYNTHETIC_SETTINGS)
    (source / "__main__.py").write_text(program)
    return prepare(SYNTHETIC_STACK, folder, source)


def _create_and_count(stack: OfflineStack, environment: Mapping[str, str]) -> int:
    init = ["stack", "init", stack.name, "--secrets-provider", SECRETS_PROVIDER]
    _pulumi(init, stack, environment)
    for key, value in stack.placeholders.items():
        secret = ["config", "set", "--secret", key, value, "--stack", stack.name]
        _pulumi(secret, stack, environment)
    _timed_preview(stack, environment)  # where it fails, it says so more readably than in JSON
    preview = _pulumi(["preview", "--json", "--stack", stack.name], stack, environment)
    summary: dict[str, Any] = json.loads(preview).get("changeSummary", {})
    return sum(int(number) for number in summary.values())


def _timed_preview(stack: OfflineStack, environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    _pulumi(["preview", "--stack", stack.name], stack, environment)
    return time.perf_counter() - started


def _pulumi(arguments: Sequence[str], stack: OfflineStack, environment: Mapping[str, str]) -> str:
    result = _run(
        ["pulumi", "--non-interactive", "--color", "never", *arguments], stack.folder, environment
    )
    if result.returncode != 0:
        said = (result.stdout + result.stderr).strip()
        raise BenchError(f"`pulumi {arguments[0]}` failed in {stack.folder}:\n{said}")
    return result.stdout


def _measure_command(console: Console, runs: int, *arguments: str) -> Measurement:
    console.print(f"measuring: {' '.join(arguments)}")
    seconds: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        _run([sys.executable, "-m", "automation", *arguments], REPOSITORY, {})
        seconds.append(time.perf_counter() - started)
    return Measurement(tuple(seconds), 0)


def _measure_unit_tests(console: Console) -> tuple[float, str]:
    console.print("measuring: unit tests")
    workers = ("-n", "2", "--dist", "worksteal", "-p", "no:logging")  # as make unit
    command = [sys.executable, "-m", "pytest", "tests/unit", "-q", *workers]
    started = time.perf_counter()
    result = _run(command, REPOSITORY, {})
    seconds = time.perf_counter() - started
    last = result.stdout.strip().splitlines()[-1:] or ["no answer"]
    return seconds, last[0].strip("= ").split(" in ")[0]


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"`{' '.join(command)}` took longer than {COMMAND_SECONDS} s") from error


def _table(measured: Measured, unit_seconds: float, unit_verdict: str, runs: int) -> Table:
    table = Table(title=f"{os.cpu_count()} cores, {runs} runs each: least / median / greatest")
    table.add_column("measured")
    table.add_column("result", justify="right")
    table.add_column("target", justify="right")
    table.add_row(
        f"preview of {STACK} ({measured.program.resources} resources)",
        measured.program.spread(),
        f"≤ {PREVIEW_TARGET_SECONDS:g} s",
    )
    table.add_row("preview of an empty program", measured.empty.spread(), "")
    table.add_row(f"{STACK} / empty", f"{measured.ratio:.2f} times", "")
    for size in (measured.small, measured.large):
        table.add_row(f"preview of {size.resources} resources", size.spread(), "")
    table.add_row(
        "one resource more",
        f"{measured.seconds_per_resource * 1000:.1f} ms",
        f"≤ {RESOURCE_TARGET_SECONDS * 1000:g} ms",
    )
    table.add_row(
        f"unit tests ({unit_verdict})", f"{unit_seconds:.2f} s", f"≤ {UNIT_TARGET_SECONDS:g} s"
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
