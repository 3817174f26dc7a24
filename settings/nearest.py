"""Finds what a misspelt name was probably meant to be."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """`; the nearest known one is …`, or nothing when no known name is near."""
    by_folded = {each.casefold(): each for each in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; the nearest known one is {by_folded[matches[0]]}" if matches else ""
