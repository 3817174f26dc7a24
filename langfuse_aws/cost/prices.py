"""AWS's list prices, from prices.csv: the one file with the prices of every region.

A row of the region `*` holds in all of them. `date` is when the source said it, or, where the
source has no date, when it was looked up; the source `remembered` was not looked up at all. Nothing
here asks AWS.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

FILE: Final = Path(__file__).with_name("prices.csv")
EVERYWHERE: Final = "*"

HOURS: Final = 730
"""Of a month."""

SPOT_SHARE: Final = 0.3
"""What Fargate Spot is assumed to cost of the on-demand price. AWS says "up to a 70 % discount",
and the rate moves. https://aws.amazon.com/fargate/pricing/"""

FARGATE_PLAN_DISCOUNT: Final = 0.20
"""Of a Compute Savings Plan of 1 year with nothing upfront; remembered, 2026-11. It does not apply
to Spot. https://aws.amazon.com/savingsplans/compute-pricing/"""

EC2_PLAN_DISCOUNT: Final = 0.27
"""The same for Graviton instances, where it is 27 to 28 % by type; remembered, 2026-11."""


class UnknownRegionError(Exception):
    """There are no prices of a region; the message lists those that have some."""


class MissingPriceError(Exception):
    """A region has no price of this name."""


REMEMBERED: Final = "remembered"
"""The source of a price that was not looked up."""

SourceClass = Literal["AWS", "public repository", "other page", "remembered"]
"""AWS's own page or API; a file of somebody's repository; somebody's page; not looked up."""

SOURCE_CLASSES: Final[tuple[SourceClass, ...]] = get_args(SourceClass)
"""The best first."""

_AWS: Final = re.compile(r"https://([\w-]+\.)*(aws\.amazon\.com|amazonaws\.com|amazonaws\.cn)/")


def class_of(source: str) -> SourceClass:
    """What kind of source it is: an address, or `remembered`."""
    if source == REMEMBERED:
        return "remembered"
    if _AWS.match(source):
        return "AWS"
    return "public repository" if source.startswith("https://github.com/") else "other page"


def weakest(classes: Iterable[SourceClass]) -> SourceClass:
    """The class that a sum of prices has."""
    return SOURCE_CLASSES[max((SOURCE_CLASSES.index(each) for each in classes), default=0)]


@dataclass(frozen=True)
class Price:
    """A row of the file."""

    region: str
    name: str
    usd: float
    unit: str
    date: str
    source: str
    """An address, or `remembered`."""

    @property
    def known_from(self) -> SourceClass:
        """The class of its source."""
        return class_of(self.source)


@dataclass(frozen=True)
class PriceList:
    """The prices of one region, USD by name."""

    region: str
    usd: Mapping[str, float]
    known_from: Mapping[str, SourceClass]
    """The classes of their sources, by name."""

    def __getitem__(self, name: str) -> float:
        """Raises MissingPriceError."""
        try:
            return self.usd[name]
        except KeyError:
            raise MissingPriceError(
                f"langfuse_aws/cost/prices.csv has no price of {name!r} in {self.region}: add "
                f"a row."
            ) from None


@cache
def rows() -> tuple[Price, ...]:
    """Every row, in the order of the file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return tuple(
            Price(
                row["region"],
                row["name"],
                float(row["USD"]),
                row["unit"],
                row["date"],
                row["source"],
            )
            for row in csv.DictReader(lines)
        )


def regions() -> list[str]:
    """The regions that have prices."""
    return list(dict.fromkeys(row.region for row in rows() if row.region != EVERYWHERE))


@cache
def price_list(region: str) -> PriceList:
    """The prices of a region. Raises UnknownRegionError."""
    if region not in regions():
        raise UnknownRegionError(
            f"langfuse_aws/cost/prices.csv has no prices of region {region!r}. It has those of "
            f"{', '.join(regions())}."
        )
    found = [row for row in rows() if row.region in (EVERYWHERE, region)]
    usd = {row.name: row.usd for row in found}
    return PriceList(region, usd, {row.name: row.known_from for row in found})
