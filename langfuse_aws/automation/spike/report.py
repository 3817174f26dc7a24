"""Compares both settings of `langfuse:worker.scaleOn`, and words the result for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from langfuse_aws.automation.spike.inputs import Inputs, Row, rows
from langfuse_aws.automation.spike.model import Second, Totals, simulate, totals
from langfuse_aws.automation.spike.scaling import ScaleOn
from langfuse_aws.cost.prices import price_list

SCALE_ON: Final[Sequence[ScaleOn]] = ("cpu", "backlog")
REGION: Final = "us-east-1"
"""Of the price."""


@dataclass(frozen=True)
class Outcome:
    """What one setting made of the arrivals."""

    run: Sequence[Second]
    totals: Totals


def compare(inputs: Inputs, arrivals: Sequence[float]) -> dict[ScaleOn, Outcome]:
    """Run both settings on the same arrivals."""
    outcomes: dict[ScaleOn, Outcome] = {}
    for scale_on in SCALE_ON:
        run = simulate(inputs, arrivals, scale_on)
        outcomes[scale_on] = Outcome(run, totals(run, inputs, usd_per_task_hour(inputs)))
    return outcomes


def usd_per_task_hour(inputs: Inputs) -> float:
    """On demand, ARM, by langfuse_aws/cost/prices.csv."""
    price, vcpus, gigabytes = price_list(REGION), inputs.cpu / 1024, inputs.memory / 1024
    return vcpus * price["Fargate ARM vCPU"] + gigabytes * price["Fargate ARM memory"]


def input_rows(inputs: Inputs, origins: Mapping[str, str]) -> list[Row]:
    """Lines of a table: all that the result depends on, the price too."""
    price, link = usd_per_task_hour(inputs), "https://aws.amazon.com/fargate/pricing/"
    meaning = "Price of a task, on demand, ARM"
    row = Row("usd_per_task_hour", meaning, price, "USD/h", "cost/prices.csv", link)
    return [*rows(inputs, origins), row]


def measures(outcomes: Mapping[ScaleOn, Outcome]) -> list[tuple[str, ...]]:
    """Lines of a table: what it is, and its value for each setting."""
    every = [(outcome.totals, outcome.run) for outcome in outcomes.values()]
    return [
        ("Most waiting jobs", *(f"{each.peak_backlog_jobs:,.0f}" for each, _ in every)),
        ("Most lag", *(duration(each.peak_lag_seconds) for each, _ in every)),
        ("Time to drain", *(drain(each) for each, _ in every)),
        ("Jobs that wait at the end", *(f"{run[-1].backlog:,.0f}" for _, run in every)),
        ("First scale-out, from the start", *(first_scale_out(each) for each, _ in every)),
        ("Most tasks", *(f"{each.most_tasks}" for each, _ in every)),
        ("Task-hours", *(f"{each.task_hours:.2f}" for each, _ in every)),
        ("Cost of the tasks, USD", *(f"{each.usd:.2f}" for each, _ in every)),
    ]


def drain(result: Totals) -> str:
    """How long jobs waited, if the end of the simulation did not cut it short."""
    text = duration(result.drain_seconds)
    return text if result.drained else f"more than {text}"


def first_scale_out(result: Totals) -> str:
    """When the first task was added."""
    second = result.first_scale_out_second
    return "never" if second is None else duration(second)


def duration(seconds: int) -> str:
    """Such as 3 min 54 s."""
    minutes, rest = divmod(seconds, 60)
    return " ".join([f"{minutes} min"] * bool(minutes) + [f"{rest} s"] * bool(rest)) or "0 s"
