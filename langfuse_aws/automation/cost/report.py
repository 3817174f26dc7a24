"""Words a bill for people and for other tools."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.table import Table
from rich.text import Text

from langfuse_aws.automation.cli.words import By
from langfuse_aws.automation.terminal import console
from langfuse_aws.cost.bill import Bill, Line, Sums
from langfuse_aws.cost.prices import EVERYWHERE, Price, rows
from langfuse_aws.cost.rounding import shares, worded

USD: Final = ("On demand", "As configured", "Savings Plan")


def show(bill: Bill, stack: str, by: By) -> None:
    """Print it: a table in a terminal, Markdown in a pipe."""
    head, lines = _table(bill, by)
    total = ["Sum", *[""] * (len(head) - 5), shares(bill.sums.by_source), *_usd(bill.sums)]
    if console.is_terminal:
        table = Table(box=None, pad_edge=False, show_footer=True)
        for place, (title, foot) in enumerate(zip(head, total, strict=True)):
            right = place >= len(head) - 3
            table.add_column(title, Text(foot, "bold"), justify="right" if right else "left")
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        console.print(table)
    else:
        rule = [*["---"] * (len(head) - 3), *["---:"] * 3]
        bold = [f"**{cell}**" if cell else "" for cell in total]
        for line in (head, rule, *lines, bold):
            console.print(f"| {' | '.join(line)} |", markup=False)
        console.print()
    for sentence in notes(bill, stack):
        console.print(sentence, markup=False)


def notes(bill: Bill, stack: str) -> list[str]:
    """Say what the sums depend on, and what is not in them."""
    events = bill.usage.events_per_month
    by_use = Sums.of(line for line in bill.lines if line.usage_based)
    traffic = worded(by_use.configured, by_use.known_from)
    remembered = sum(row.source == "remembered" for row in _used(bill))
    return [
        f"Stack {stack} in {bill.region}, USD a month of 730 h."
        + (
            f" Of it {traffic} as configured for {events:,.0f} events."
            if events
            else " It idles: --events-per-month adds traffic."
        ),
        f"Prices of langfuse_aws/cost/prices.csv; {remembered} of {len(_used(bill))} for this "
        f"region are "
        "remembered, the others have an address there. What AWS has not said itself is rounded to "
        "two digits; --json has them all. docs/cost.md says what is left out.",
        *(f"Not in the sums: {each}" for each in bill.unpriced),
    ]


def as_json(bill: Bill, stack: str) -> str:
    """All of it as one JSON object."""
    return json.dumps(
        {
            "stack": stack,
            "region": bill.region,
            "usage": asdict(bill.usage),
            "usd": _sums(bill.sums),
            "components": {name: _sums(sums) for name, sums in bill.by_component().items()},
            "lines": [asdict(line) for line in bill.lines],
            "unpriced": bill.unpriced,
        },
        indent=2,
    )


def _sums(sums: Sums) -> dict[str, object]:
    return {**asdict(sums), "known_from": sums.known_from}


def _used(bill: Bill) -> list[Price]:
    return [row for row in rows() if row.region in (EVERYWHERE, bill.region)]


def _table(bill: Bill, by: By) -> tuple[Sequence[str], list[Sequence[str]]]:
    components = bill.by_component()
    if by == "component":
        head = ("Component", "Prices from", *USD)
        return head, [
            (name, shares(sums.by_source), *_usd(sums)) for name, sums in components.items()
        ]
    order = {name: place for place, name in enumerate(components)}
    lines = sorted(bill.lines, key=lambda line: (order[line.component], -line.configured))
    head = ("Component", "Resource", "What", "Arithmetic", "Prices from", *USD)
    return head, [
        (line.component, line.name, line.what, line.arithmetic, line.known_from, *_usd(line))
        for line in lines
    ]


def _usd(sums: Sums | Line) -> list[str]:
    columns = (sums.on_demand, sums.configured, sums.savings_plan)
    return [worded(usd, sums.known_from) for usd in columns]
