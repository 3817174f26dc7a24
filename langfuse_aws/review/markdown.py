"""Writes Markdown: tables, and text that somebody else made so that it stays text."""

import html
import re
from collections.abc import Sequence
from typing import Final

ABSENT: Final = "–"  # noqa: RUF001 -- the tables use the dash.
"""A cell that has no value."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


def code(text: str) -> str:
    """A code span, in which neither Markdown nor HTML nor a mention means anything."""
    plain = _CONTROL.sub(" ", text).replace("`", "'").replace("|", "\\|").strip()
    return f"`{plain}`" if plain else "``  ``"


def html_code(text: str) -> str:
    """The same inside of HTML."""
    return f"<code>{html.escape(_CONTROL.sub(' ', text))}</code>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A Markdown table; the last `right` columns are set to the right. Cells are not escaped."""
    rule = ["---"] * (len(head) - right) + ["---:"] * right
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def details(summary: str, body: str) -> str:
    """What opens with a click. `summary` is HTML."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"
