"""The variables that Langfuse's containers read, as a table to check names and values against.

`variables.csv` was read off the sources of Langfuse 3.225.4 and 4.16.0 (READ_OFF); `majors` says
where a row holds. `source` names the file that reads a variable, in Langfuse's repository unless it
is a library's: most are in the zod schemas, which parse all of them at start. `use` says whether a
stack file may set it (see `Use`), `reason` why not. What is for a container of its own is a
container of this table too: `migration` is web's image, of which only the entrypoint runs.

Releases of a major that came before the one the table was read off may lack some of its names;
those that came after may have more, so for them an unknown name proves nothing (`is_complete`).
"""

import csv
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

Container = Literal["web", "worker", "migration"]

READ_OFF: Final = {3: (3, 225, 4), 4: (4, 16, 0)}
"""By major: the release whose sources the table was read off."""

Use = Literal[
    "own",
    "shared",
    "fixed",
    "program",
    "build",
    "cloud",
    "storage",
    "development",
    "unsupported",
]
"""`own`: a stack file may set it, for each container as it likes. `shared`: it may, and all
containers that read it get the one value, since they would misunderstand each other otherwise.
`fixed`: the only value is that of `constraint`. The others cannot be set, see REFUSALS."""

Kind = Literal[
    "string",
    "bool",
    "url",
    "integer",
    "number",
    "pattern",
    "one of",
    "list of",
    "emails",
    "date",
    "flags",
]
"""What a value must be; the constraint bounds it further."""

REFUSALS: Final[dict[Use, str]] = {
    "program": "the program sets this itself",
    "build": "is decided when Langfuse's image is built, and the stock image cannot honour it",
    "cloud": "does something on Langfuse Cloud alone",
    "storage": "is for another storage than S3, where the stack's bucket is",
    "development": "is for the development and the tests of Langfuse",
    "unsupported": "is not supported",
}
"""Why a stack file cannot set a variable; a row's `reason` says more. What Next.js works out when
it builds does not change at start, headers included:
https://github.com/langfuse/langfuse/issues/14613"""

_TABLE: Final = Path(__file__).with_name("variables.csv")
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<=": operator.le,
}

_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OTHER_BASE: Final = re.compile(r"0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_SPACE: Final = " \t\n\v\f\r\u00a0\ufeff\u2028\u2029"

_LARGEST_INTEGER: Final = 2**53 - 1
"""zod's `int()` refuses what a double cannot count exactly."""

_EMAIL: Final = re.compile(r"[\w'+.-]*[\w+-]@([a-z\d][a-z\d-]*\.)+[a-z]{2,}", re.ASCII | re.I)

_FLAGS: Final = re.compile(r'\s*"?-\S+(\s+\S+)*\s*')


OTHER_FORM: Final = "has another form than Langfuse takes"

_PATTERN_WORDS: Final[Mapping[str, str]] = {
    "https://.+/application/o/[^/]+/?": "must be https://HOST/application/o/NAME",
    r"[1-9]\d*": "must be an integer above 0",
    "[a-zA-Z0-9_-]+": "must be letters, digits, _ and -",
    "[0-9a-fA-F]{64}": "must be 64 hexadecimal digits",
}
"""What to say of a value that does not fit a pattern of the table that a stack file can meet."""


@dataclass(frozen=True)
class Variable:
    """One row: a variable, who reads it, what its value must be, and whether it may be set."""

    name: str
    read_by: frozenset[Container]
    kind: Kind
    constraint: str
    majors: frozenset[int]
    use: Use = "own"
    reason: str = ""

    @property
    def refusal(self) -> str | None:
        """Why a stack file cannot set this, in words; None if it can."""
        because = REFUSALS.get(self.use)
        return f"{because}: {self.reason}" if because and self.reason else because

    def problem(self, value: str) -> str | None:
        """What is wrong with `value`, in words; None if Langfuse accepts it.

        An empty value is held to the constraint, too: Langfuse takes it for none.
        """
        if self.kind == "bool":
            return None if value in ("true", "false") else "must be the word true or false"
        if self.kind == "url":
            return None if _is_url(value) else "must be a URL with a scheme"
        if self.kind == "one of":
            allowed = self.constraint.split()
            return None if value in allowed else f"must be one of {', '.join(allowed)}"
        if self.kind == "list of":
            allowed = self.constraint.split()
            wrong = {each.strip() for each in value.split(",")} - {*allowed}
            return f"must be a comma-separated list of {', '.join(allowed)}" if wrong else None
        if self.kind == "pattern":
            fits = re.fullmatch(self.constraint, value)
            return None if fits else _PATTERN_WORDS.get(self.constraint, OTHER_FORM)
        if self.kind in ("integer", "number"):
            return self._number_fault(value)
        if self.kind in _FORMATS:
            return _FORMATS[self.kind](value)
        return "must not be empty" if self.constraint == "not empty" and not value else None

    def _number_fault(self, value: str) -> str | None:
        number = number_of(value)
        if number is None:
            return f"must be a{'n integer' if self.kind == 'integer' else ' number'}"
        if self.kind == "integer" and not (number.is_integer() and abs(number) <= _LARGEST_INTEGER):
            return "must be an integer"
        bounds, _, exception = self.constraint.partition(" or ")
        if exception and number == float(exception):
            return None
        for sign, bound in re.findall(r"(>=|<=|>)(\d+(?:\.\d+)?)", bounds):
            if not _COMPARISONS[sign](number, float(bound)):
                return f"must be {self.constraint}"
        return None


def number_of(text: str) -> float | None:
    """The number that JavaScript's `Number()` makes of a text; None if none, or an infinite one."""
    text = text.strip(_SPACE)
    if _OTHER_BASE.fullmatch(text):
        return float(int(text, 0))
    number = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


_WITH_HOST: Final = ("http", "https")


def _is_url(value: str) -> bool:
    value = value.strip()
    try:
        # As browsers do: the slashes before the host may be fewer, more, or the wrong ones.
        parts = urlsplit(re.sub(r"^(https?):[/\\]*", r"\1://", value, flags=re.I))
        port = parts.port
    except ValueError:
        return False
    if parts.scheme in _WITH_HOST:
        return bool(parts.hostname) and port != 0 and not re.search(r"\s", parts.netloc)
    return bool(parts.scheme and (parts.netloc or parts.path))


def _emails_fault(value: str) -> str | None:
    right = all(
        _EMAIL.fullmatch(each) and not each.startswith(".") and ".." not in each
        for each in value.split(",")
    )
    return None if right else "must be e-mail addresses with commas, without spaces, between them"


def _date_fault(value: str) -> str | None:
    problem = "must be a date, such as 2026-01-31"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return problem  # Python reads other forms as well
    try:
        date.fromisoformat(value)
    except ValueError:
        return problem
    return None


def _flags_fault(value: str) -> str | None:
    return None if _FLAGS.fullmatch(value) else "must be flags of Node.js, such as --enable-fips"


_FORMATS: Final[dict[str, Callable[[str], str | None]]] = {
    "emails": _emails_fault,
    "date": _date_fault,
    "flags": _flags_fault,
}


@cache
def table() -> tuple[Variable, ...]:
    """All rows of the table."""
    with _TABLE.open(newline="", encoding="utf-8") as lines:
        return tuple(_variables(csv.DictReader(lines)))


def _variables(rows: Iterable[dict[str, str]]) -> Iterable[Variable]:
    for row in rows:
        yield Variable(
            name=row["name"],
            read_by=frozenset(row["read_by"].split()),  # pyright: ignore[reportArgumentType]
            kind=row["kind"],  # pyright: ignore[reportArgumentType]
            constraint=row["constraint"],
            majors=frozenset(int(major) for major in row["majors"].split()),
            use=row["use"],  # pyright: ignore[reportArgumentType]
            reason=row["reason"],
        )


@cache
def known(container: Container, major: int) -> dict[str, Variable]:
    """The variables that a container of a Langfuse major reads, by name."""
    return {row.name: row for row in table() if major in row.majors and container in row.read_by}


def is_complete(release: tuple[int, int, int]) -> bool:
    """Whether the table has every variable of a release: a later one may have more."""
    return release <= READ_OFF[release[0]]
