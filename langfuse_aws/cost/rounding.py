"""Words USD with no more digits than is known of the prices behind them."""

import math
from collections.abc import Mapping
from typing import Final

from langfuse_aws.cost.prices import SOURCE_CLASSES, SourceClass

DIGITS: Final = 2
"""Significant ones, of what is not from AWS itself: other sources are a few percent off, or old."""


def worded(usd: float, known_from: SourceClass) -> str:
    """`691.36` as `690`; to the cent if every price of it is AWS's."""
    return f"{usd:,.2f}" if known_from == "AWS" else about(usd)


def about(usd: float) -> str:
    """`691.36` as `690`, `3.65` as `3.7`, `0.4` as `0.40`."""
    if not usd:
        return "0"
    places = DIGITS - 1 - math.floor(math.log10(abs(usd)))
    rounded = round(usd, places)
    if abs(rounded) >= 10 ** (DIGITS - places):  # 9.96 is 10, and not 10.0
        places -= 1
    return f"{rounded:,.{max(places, 0)}f}"


def shares(by_source: Mapping[SourceClass, float]) -> str:
    """Say how much of a sum is known from where: `remembered 62 %, AWS 38 %`."""
    whole = sum(by_source.values())
    if not whole:
        return ""
    known: list[SourceClass] = [each for each in SOURCE_CLASSES if by_source.get(each)]
    known.sort(key=lambda each: -by_source[each])
    return ", ".join(f"{each} {100 * by_source[each] / whole:.0f} %" for each in known)
