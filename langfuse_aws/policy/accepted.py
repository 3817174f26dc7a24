"""Rules that stacks fail, and why that is accepted: `accepted.csv`, and nowhere else."""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("accepted.csv")


@cache
def accepted() -> Mapping[str, str]:
    """The reason of each accepted rule, by the rule's ID in the policy pack or in checkov."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return {row["rule"]: row["because"] for row in csv.DictReader(file)}
