"""Writes the tables of docs/scaling.md: what the simulation of a spike is told, and what it says.

It runs the model on its defaults. The picture is drawn by `python -m automation simulate-spike`.
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

BUSY_CPU_PERCENT: Final = (30, 50, 55, 75, 100)


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
