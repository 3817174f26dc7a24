"""Gates of `diff --fail-on`: conditions on a difference that a check should not let pass."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from langfuse_aws.review.difference import Difference

_COST: Final = re.compile(r"cost>(\d+(?:\.\d+)?)(%?)")
KNOWN: Final = (
    "replace-data, unprotect, public-ingress, iam-wildcard, cost>N (USD a month), cost>N%"
)


class GateError(ValueError):
    """No gate has this name; the message lists those there are."""


@dataclass(frozen=True)
class Gate:
    """A condition, and how it was written."""

    name: str
    trips: Callable[[Difference], bool]


def parse(text: str) -> list[Gate]:
    """Read gates, separated by commas. Raises GateError."""
    return [_gate(name.strip()) for name in text.split(",") if name.strip()]


def tripped(gates: Sequence[Gate], differences: Sequence[Difference]) -> list[tuple[str, str]]:
    """The gates that a change trips, each with the stack."""
    return [
        (gate.name, difference.stack)
        for gate in gates
        for difference in differences
        if gate.trips(difference)
    ]


def _gate(name: str) -> Gate:
    if name == "replace-data":
        return Gate(name, lambda difference: bool(difference.at_risk))
    if name == "unprotect":
        return Gate(name, lambda difference: bool(difference.unprotected))
    if name == "public-ingress":
        return Gate(name, _is_public)
    if name == "iam-wildcard":
        return Gate(name, lambda difference: any(each.wildcard for each in difference.granted))
    if found := _COST.fullmatch(name):
        bound, percent = float(found[1]), bool(found[2])
        return Gate(name, lambda difference: _rises(difference, bound, percent=percent))
    raise GateError(f"--fail-on: {name}: is no gate. Gates are {KNOWN}.")


def _is_public(difference: Difference) -> bool:
    return bool(difference.exposed) or any(port.public for port in difference.opened)


def _rises(difference: Difference, bound: float, *, percent: bool) -> bool:
    before, after = difference.cost
    if before is None or after is None:
        return True  # what cannot be judged may rise by any amount
    rise = after - before
    if percent:
        return rise > 0 and (before == 0 or rise / before * 100 > bound)
    return rise > bound
