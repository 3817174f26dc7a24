"""Words for error lines: what a misspelt name was meant to be, and a value in short."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, Final

_SHOWN_CHARACTERS: Final = 60

_IN_A_URL: Final = re.compile(r'(?<=://).*[@?].*(?=")')
"""What of a URL may have a password in it: the user before the host, or the query."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`; the nearest known one is …`, or nothing when no known name is near."""
    by_folded = {each.casefold(): each for each in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; the nearest known one is {by_folded[matches[0]]}" if matches else ""


def shown(value: Any) -> str:
    """A value on one line, as JSON, cut where it gets long, and where a URL has a password."""
    text = _IN_A_URL.sub("…", json.dumps(value, default=str))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."
