"""`simulate-spike`: a burst of events under both settings of `langfuse:worker.scaleOn`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from langfuse_aws.automation.errors import CommandLineError, WrongOptionsError
from langfuse_aws.automation.spike.arrivals import read, spiky
from langfuse_aws.automation.spike.inputs import ASSUMED, SIZE, Inputs, Row
from langfuse_aws.automation.spike.picture import draw, figure_class
from langfuse_aws.automation.spike.report import Outcome, compare, input_rows, measures
from langfuse_aws.automation.spike.scaling import PERIOD_SECONDS, ScaleOn
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.settings.how_to_set import HowToSet
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.sizing import SIZING

GIVEN: Final = "given"
OF_SPIKE: Final = ("base", "spike", "spike_minutes")
"""What a file of arrivals replaces."""
NOTE: Final = (
    "A simulation: nothing in it was measured. docs/scaling.md says what it leaves out, and how to "
    "find your own figures."
)


IN_OPTIONS: Final = HowToSet(plain="by its option", for_secrets="by its option")


def simulate_spike(
    context: typer.Context,
    size: str,
    min_tasks: int | None,
    max_tasks: int | None,
    cpu: int | None,
    memory: int | None,
    base: float,
    spike: float,
    spike_minutes: int,
    arrivals: Path | None,
    minutes: int,
    service_rate: float,
    busy_cpu: float,
    start_delay: int,
    metric_delay: int,
    log_delay: int,
    max_lag: float,
    png: Path | None,
    as_json: bool,
) -> None:
    """Compare scaling the worker on CPU with scaling it on the queue's backlog, in a spike."""
    with one_line_errors():
        if png:
            figure_class()
        typed = _typed(context)
        if arrivals and typed & set(OF_SPIKE):
            raise CommandLineError(
                "--arrivals says what arrives: leave out --base, --spike and --spike-minutes."
            )
        inputs = Inputs(
            **_worker(size, minTasks=min_tasks, maxTasks=max_tasks, cpu=cpu, memory=memory),
            base=base,
            spike=spike,
            spike_minutes=spike_minutes,
            minutes=minutes,
            service_rate=service_rate,
            busy_cpu=busy_cpu,
            start_delay=start_delay,
            metric_delay=metric_delay,
            log_delay=log_delay,
            max_lag=max_lag,
        )
        outcomes = compare(inputs, read(arrivals, minutes) if arrivals else spiky(inputs))
        if png:
            draw(outcomes, png)
    shown = _inputs(inputs, typed, size, arrivals)
    _show_json(shown, outcomes) if as_json else _show(shown, outcomes)


def _worker(size: str, **own: int | None) -> dict[str, int]:
    """The tasks of a size, with the caller's own values checked as those of a stack file are."""
    if size not in SIZING:
        raise CommandLineError(
            f"--size: {size}: must be one of {', '.join(SIZING)}. Choose one of these."
        )
    given = {key: value for key, value in own.items() if value is not None}
    # With the rest of dev, which lacks nothing.
    try:
        worker = load(
            {"size": "dev", "worker": {**SIZING[size]["worker"], **given}}, IN_OPTIONS
        ).worker
    except SettingsError as error:
        raise WrongOptionsError(error.problems) from None
    return {name: getattr(worker, name) for name in ("min_tasks", "max_tasks", "cpu", "memory")}


def _typed(context: typer.Context) -> set[str]:
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


def _inputs(inputs: Inputs, typed: set[str], size: str, arrivals: Path | None) -> list[Row]:
    found = input_rows(inputs, dict.fromkeys(typed, GIVEN))
    if arrivals:
        series = Row("arrivals", "Arrivals", str(arrivals), "jobs/s", GIVEN, "")
        found = [series, *(row for row in found if row.name not in OF_SPIKE)]
    return [row.of(f"size {size}") if row.origin == SIZE else row for row in found]


def _show(inputs: Sequence[Row], outcomes: Mapping[ScaleOn, Outcome]) -> None:
    told_to = Table("Input", box=None, pad_edge=False)
    told_to.add_column("Value", justify="right")
    for heading in ("Unit", "Origin"):
        told_to.add_column(heading)
    for row in inputs:
        value = row.value if isinstance(row.value, str) else f"{row.value:.5g}"
        style = "yellow" if row.origin == ASSUMED else ""
        told_to.add_row(row.meaning, Text(value), row.unit, Text(row.origin, style))
    console.print(told_to)
    console.print()
    result = Table("Result", box=None, pad_edge=False)
    for scale_on in outcomes:
        result.add_column(f"scaleOn: {scale_on}", justify="right")
    for measure in measures(outcomes):
        result.add_row(*measure)
    console.print(result)
    console.print()
    console.print(NOTE)


def _show_json(inputs: Sequence[Row], outcomes: Mapping[ScaleOn, Outcome]) -> None:
    found: dict[str, Any] = {
        "note": NOTE,
        "inputs": [asdict(row) for row in inputs],
        "results": {scale_on: asdict(each.totals) for scale_on, each in outcomes.items()},
        "minutes": {
            scale_on: [
                second._asdict() for second in each.run[PERIOD_SECONDS - 1 :: PERIOD_SECONDS]
            ]
            for scale_on, each in outcomes.items()
        },
    }
    typer.echo(json.dumps(found, indent=2))
