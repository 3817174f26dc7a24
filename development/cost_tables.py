"""Writes the tables of what a stack costs a month, from the resource graph of each size.

The graphs are recorded without an engine, and priced as `python3 -m automation cost` prices them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Final

from development.configuration_tables import EXAMPLE_DOMAIN
from development.recorded_graph import recorded, shipped_config
from langfuse_aws.cost.bill import Bill, Line, Sums, bill
from langfuse_aws.cost.prices import EVERYWHERE, price_list, regions, rows
from langfuse_aws.cost.rounding import shares, worded
from langfuse_aws.cost.usage import IDLE, Usage
from langfuse_aws.review.markdown import ABSENT, table
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sizing import SIZING

REGION: Final = "us-east-1"
"""Of the pages, and of the stack files."""

THREE_SERVERS: Final = {"clickhouse": {"replicas": 3}}
EVENTS: Final = (0, 1e6, 10e6, 100e6)
"""A month."""

FIFTY_HOURS: Final = {"from": "08:00", "to": "18:00", "timezone": "Europe/Berlin"}
"""A week."""

COLUMNS: Final = ("On demand", "As configured", "Savings Plan")


@cache
def bill_of(size: str, region: str = REGION, events: float = 0, *, servers: int = 1) -> Bill:
    """What a stack file as shipped costs, or one with three ClickHouse servers."""
    more: Mapping[str, Any] = THREE_SERVERS if servers > 1 else {}
    graph = recorded(size, {**shipped_config(size), **more})
    return bill(graph, region, Usage(events_per_month=events))


def settings_as_shipped(size: str) -> Settings:
    """A size's settings with the ingress of its row."""
    needs_domain = SIZING[size]["ingress"]["kind"] == "alb"
    return load({"size": size, **({"domain": EXAMPLE_DOMAIN} if needs_domain else {})})


def short_cost() -> str:
    """What each component costs, by size, and what is known of the sums."""
    bills = {size: bill_of(size).by_component() for size in SIZING}
    names = dict.fromkeys(name for found in reversed(bills.values()) for name in found)
    lines = [
        (name, *(_usd(found[name]) if name in found else ABSENT for found in bills.values()))
        for name in names
    ]
    sums = [bill_of(size).sums for size in SIZING]
    total = ("**Sum, about**", *(f"**{_usd(each)}**" for each in sums))
    known = ("Prices from", *(shares(each.by_source) for each in sums))
    return table(("Component", *SIZING), [*lines, total, known], right=len(SIZING))


def full_cost() -> str:
    """Every line of each size's bill."""
    parts: list[str] = []
    for size in SIZING:
        parts += [f"### {size}", _lines(bill_of(size))]
    return "\n\n".join(parts)


def cluster_cost() -> str:
    """Every line of prod with three ClickHouse servers."""
    return _lines(bill_of("prod", servers=3))


def sleeping_cost() -> str:
    """What of dev's bill its hours change, and the rest in one line."""
    awake = bill_of("dev")
    asleep = bill(recorded("dev", {**shipped_config("dev"), "hours": FIFTY_HOURS}), REGION)
    pairs = [*zip(awake.lines, asleep.lines, strict=True)]
    changed = [pair for pair in pairs if pair[0].configured != pair[1].configured]
    lines = [
        (f"`{less.name}`", less.what, less.arithmetic, _usd(always), _usd(less))
        for always, less in sorted(changed, key=lambda pair: _place(pair[1]))
    ]
    rest = _usd(Sums.of(always for always, less in pairs if (always, less) not in changed))
    sums = (f"**{_usd(each.sums)}**" for each in (awake, asleep))
    head = ("Resource", "What", "Arithmetic", "Always", "With hours")
    all_else = ("all else", "", "", rest, rest)
    return table(head, [*lines, all_else, ("**Sum, about**", "", "", *sums)], right=2)


def _lines(found: Bill) -> str:
    order = {name: place for place, name in enumerate(found.by_component())}
    lines = [
        (
            line.component,
            f"`{line.name}`",
            line.what,
            line.arithmetic,
            line.known_from,
            *_columns(line),
        )
        for line in sorted(found.lines, key=lambda line: (order[line.component], _place(line)))
    ]
    sums = found.sums
    total = [shares(sums.by_source), *(f"**{usd}**" for usd in _columns(sums))]
    head = ("Component", "Resource", "What", "Arithmetic", "Prices from", *COLUMNS)
    return table(head, [*lines, ("**Sum, about**", "", "", "", *total)], right=3)


def _columns(item: Line | Sums) -> list[str]:
    columns = (item.on_demand, item.configured, item.savings_plan)
    return [worded(usd, item.known_from) for usd in columns]


def _place(line: Line) -> tuple[float, str, str]:
    return -line.configured, line.name, line.what


def cost_by_region() -> str:
    """What each size costs in each region, as configured."""
    lines = [(region, *(_sum(bill_of(size, region)) for size in SIZING)) for region in regions()]
    return table(("Region", *SIZING), lines, right=len(SIZING))


def cost_by_events() -> str:
    """What each size costs by its traffic, as configured."""
    lines = [
        (f"{events:,.0f}", *(_sum(bill_of(size, events=events)) for size in SIZING))
        for events in EVENTS
    ]
    return table(("Events a month", *SIZING), lines, right=len(SIZING) + 1)


def usage_figures() -> str:
    """What is assumed of traffic."""
    lines = [
        (
            f"`{each.name}`",
            each.metadata["meaning"],
            f"{getattr(IDLE, each.name):g}",
            each.metadata["unit"],
        )
        for each in fields(Usage)
    ]
    return table(("Figure", "Meaning", "Value", "Unit"), lines)


def price_table() -> str:
    """The prices by region."""
    lists = {region: price_list(region).usd for region in regions()}
    units = {row.name: row.unit for row in rows()}
    everywhere = [row.name for row in rows() if row.region == EVERYWHERE]
    names = [*(name for name in units if name not in everywhere), *everywhere]
    lines = [
        (
            name,
            units[name],
            *(f"{usd[name]:g}" if name in usd else ABSENT for usd in lists.values()),
        )
        for name in names
    ]
    return table(("What", "per", *lists), lines, right=len(lists))


def _sum(found: Bill) -> str:
    """What a whole costs, and the source that most of it is known from."""
    parts = found.sums.by_source
    return f"{_usd(found.sums)}, {max(parts, key=lambda each: parts[each])}"


def _usd(item: Line | Sums) -> str:
    return worded(item.configured, item.known_from)
