"""What AWS and its provider refuse, replace, keep unique and bound: `rules.csv`, read.

One row is one fact with its source. `by` says how the in-memory AWS acts by it, `at` when:

| rule          | by                                                                          |
|---------------|-----------------------------------------------------------------------------|
| replaces      | `always`, or a condition of `offline/changes.py`                            |
| stays         | `always`: a change that is made in place, which one could doubt             |
| deletes first | `always`: replaced by deleting first                                        |
| read back     | `state`: what AWS has counts as the old value, not what was asked for       |
| unique        | `together`, or a refusal; `?` marks a property that may be absent           |
| in use        | the `type.property …` that may hold its ID or its ARN                       |
| bound         | `length`, `bytes`, `value` or `count` `<= n`, `pattern …`, or a refusal     |
| refuses       | a refusal of `offline/refusals.py`                                          |
| ineffective   | what `offline/provider.py` does about it                                    |

A row without `by` has the reason in `why_not`. Properties are the SDK's, in camelCase; a dotted one
lies in objects or lists. `count` is of the resources with the same value.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("rules.csv")


@dataclass(frozen=True)
class Rule:
    """One row. `properties` are without their `?`."""

    type: str
    properties: tuple[str, ...]
    optional: frozenset[str]
    rule: str
    at: frozenset[str]
    """`check` its inputs, `preview` a change, `create`, `update`, `delete`; `start`: when made."""
    by: str
    why_not: str
    condition: str
    outcome: str
    """What AWS or the provider says."""
    source: str

    @property
    def label(self) -> str:
        """What tells a row from all others."""
        words = (
            self.type,
            " ".join(self.properties),
            self.rule,
            self.by,
            " ".join(sorted(self.at)),
        )
        return " | ".join(words)


def _row(row: Mapping[str, str]) -> Rule:
    properties = row["property"].split()
    return Rule(
        row["type"],
        tuple(name.removesuffix("?") for name in properties),
        frozenset(name.removesuffix("?") for name in properties if name.endswith("?")),
        row["rule"],
        frozenset(row["at"].split()),
        *(row[name] for name in ("by", "why_not", "condition", "outcome", "source")),
    )


@cache
def table() -> tuple[Rule, ...]:
    """Every row."""
    with _TABLE.open(newline="") as file:
        return tuple(map(_row, csv.DictReader(file)))


@cache
def _enforced() -> Mapping[tuple[str, str], tuple[Rule, ...]]:
    found: defaultdict[tuple[str, str], tuple[Rule, ...]] = defaultdict(tuple)
    for rule in table():
        if rule.by:
            found[rule.type, rule.rule] += (rule,)
    return found


def rules_of(token: str, *kinds: str) -> list[Rule]:
    """The rows of a type that are acted by, of these kinds."""
    return [rule for kind in kinds for rule in _enforced().get((token, kind), ())]


def replaced_by(token: str) -> frozenset[str]:
    """The inputs whose change always replaces a resource of the type."""
    return frozenset(
        name
        for rule in rules_of(token, "replaces")
        if rule.by == "always"
        for name in rule.properties
    )


def read_back(token: str) -> frozenset[str]:
    """The inputs whose old value is what AWS has."""
    return frozenset(name for rule in rules_of(token, "read back") for name in rule.properties)


@cache
def protections() -> Mapping[str, str]:
    """For each type that can be protected from deletion, the input that does it."""
    return {rule.type: rule.properties[0] for rule in table() if rule.by == "is_set"}
