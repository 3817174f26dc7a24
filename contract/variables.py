"""The variables that Langfuse's containers validate at start, as a table to check values against.

`variables.csv` was read off the zod schemas of Langfuse 3.225.4 (packages/shared/src/env.ts,
web/src/env.mjs, worker/src/env.ts, the entrypoints) with what is known to differ in 4.16.0;
`majors` says where a row holds. AWS_REGION is read by the AWS SDK inside the images. For Langfuse 4
the table is not complete: it lacks some thirty variables that 4 added.
"""

import csv
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

Container = Literal["web", "worker"]

_TABLE: Final = Path(__file__).with_name("variables.csv")
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<=": operator.le,
}


_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""What JavaScript's `Number()` reads, but for hexadecimal and the like."""


@dataclass(frozen=True)
class Variable:
    """One row: a variable, who reads it, and what its value must be."""

    name: str
    read_by: Literal["web", "worker", "both"]
    kind: Literal["string", "bool", "url", "integer", "number", "pattern", "one of"]
    constraint: str
    majors: frozenset[int]

    def fault(self, value: str) -> str | None:
        """What is wrong with `value`, in words; None if Langfuse accepts it."""
        if self.kind == "bool":
            return None if value in ("true", "false") else "must be the word true or false"
        if self.kind == "url":
            return None if _is_url(value) else "must be a URL with a scheme"
        if self.kind == "one of":
            allowed = self.constraint.split()
            return None if value in allowed else f"must be one of {', '.join(allowed)}"
        if self.kind == "pattern":
            fits = re.fullmatch(self.constraint, value)
            return None if fits else f"must match {self.constraint}"
        if self.kind in ("integer", "number"):
            return self._number_fault(value)
        return None

    def _number_fault(self, value: str) -> str | None:
        if not _NUMBER.fullmatch(value):
            return f"must be a{'n integer' if self.kind == 'integer' else ' number'}"
        number = float(value)
        if self.kind == "integer" and not number.is_integer():
            return "must be an integer"
        for sign, bound in re.findall(r"(>=|<=|>)(\d+(?:\.\d+)?)", self.constraint):
            if not _COMPARISONS[sign](number, float(bound)):
                return f"must be {self.constraint}"
        return None


_WITH_HOST: Final = ("http", "https")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme in _WITH_HOST:
        return bool(parts.hostname) and port != 0 and not re.search(r"\s", parts.netloc)
    return bool(parts.scheme and (parts.netloc or parts.path))


@cache
def table() -> tuple[Variable, ...]:
    """All rows of the table."""
    with _TABLE.open(newline="", encoding="utf-8") as lines:
        return tuple(_variables(csv.DictReader(lines)))


def _variables(rows: Iterable[dict[str, str]]) -> Iterable[Variable]:
    for row in rows:
        yield Variable(
            name=row["name"],
            read_by=row["read_by"],  # pyright: ignore[reportArgumentType]
            kind=row["kind"],  # pyright: ignore[reportArgumentType]
            constraint=row["constraint"],
            majors=frozenset(int(major) for major in row["majors"].split()),
        )


@cache
def known(container: Container, major: int) -> dict[str, Variable]:
    """The variables that a container of a Langfuse major reads, by name."""
    return {
        row.name: row
        for row in table()
        if major in row.majors and row.read_by in (container, "both")
    }
