"""Writes the tables of docs/scaling.md: what the simulation of a spike is told, and what it says.

It runs the model on its defaults. The picture is drawn by `python3 -m automation simulate-spike`.
"""

from dataclasses import replace
from typing import Final

from langfuse_aws.automation.spike.arrivals import spiky
from langfuse_aws.automation.spike.inputs import SIZE, Inputs, Row
from langfuse_aws.automation.spike.model import simulate, totals
from langfuse_aws.automation.spike.report import (
    compare,
    drain,
    duration,
    first_scale_out,
    input_rows,
    measures,
    usd_per_task_hour,
)
from langfuse_aws.review.markdown import table
from langfuse_aws.settings.services import ApiGatewayIngress
from langfuse_aws.settings.sizing import SIZING

BUSY_CPU_PERCENT: Final = (30, 50, 55, 75, 100)

WEB_TASKS: Final = SIZING["prod"]["web"]
WEB_REQUESTS: Final = 50
"""That a busy task of prod's web answers in a second; assumed."""
RATE_LIMIT: Final[int] = ApiGatewayIngress.model_fields["rate_limit"].default
WEB_SPIKES: Final = (50, 90, 150, 600)
"""Requests a second."""


def spike_inputs() -> str:
    """Every figure of the simulation, with its unit and its source."""
    lines = [
        (row.meaning, f"{row.value:.5g}", row.unit, _source(row))
        for row in input_rows(Inputs(), {})
    ]
    return table(("Input", "Value", "Unit", "Source"), lines)


def _source(row: Row) -> str:
    if row.origin == SIZE:
        return "size `prod`"
    return f"{row.origin}, [link]({row.link})" if row.link else row.origin


def spike_results() -> str:
    """Both settings, side by side."""
    inputs = Inputs()
    outcomes = compare(inputs, spiky(inputs))
    head = ("Result", *(f"`scaleOn: {scale_on}`" for scale_on in outcomes))
    return table(head, measures(outcomes), right=len(outcomes))


def spike_by_busy_cpu() -> str:
    """The same spike under `scaleOn: cpu`, by the CPU that a busy task uses."""
    lines: list[tuple[str, ...]] = []
    for percent in BUSY_CPU_PERCENT:
        inputs = replace(Inputs(), busy_cpu=percent)
        run = simulate(inputs, spiky(inputs), "cpu")
        found = totals(run, inputs, usd_per_task_hour(inputs))
        lag = duration(found.peak_lag_seconds)
        lines.append((f"{percent} %", first_scale_out(found), lag, drain(found)))
    head = ("CPU of a busy task", "First scale-out, from the start", "Most lag", "Time to drain")
    return table(head, lines, right=3)


def web_spikes() -> str:
    """What spikes do to web of prod, by their height."""
    lines: list[tuple[str, ...]] = []
    for spike in WEB_SPIKES:
        inputs = replace(
            Inputs(),
            min_tasks=WEB_TASKS["minTasks"],
            max_tasks=WEB_TASKS["maxTasks"],
            service_rate=WEB_REQUESTS,
            busy_cpu=100,
            spike=spike,
        )
        run = simulate(inputs, spiky(inputs), "cpu")
        found = totals(run, inputs, 0)
        cpu = min(100 * spike / (inputs.min_tasks * WEB_REQUESTS), 100)
        refused = max(0, 1 - RATE_LIMIT / spike)
        lines.append(
            (
                f"{spike}",
                f"{cpu:.0f} %",
                first_scale_out(found),
                duration(found.peak_lag_seconds),
                f"{refused:.0%}".replace("%", " %"),
            )
        )
    head = (
        "Requests a second in the spike",
        "CPU at first",
        "First scale-out, from the start",
        "Latest answer",
        "429 of an HTTP API",
    )
    return table(head, lines, right=5)
