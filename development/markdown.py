"""Writes Markdown tables.

It does not escape: cells must not have a vertical bar, nor line breaks.
"""

from collections.abc import Sequence
from typing import Final

ABSENT: Final = "–"  # noqa: RUF001 -- the tables use the dash.
"""A cell that has no value."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A Markdown table; the last `right` columns are set to the right."""
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
