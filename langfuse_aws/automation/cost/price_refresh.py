"""`cost --refresh-prices`: asks AWS's Price List API, and writes `cost/prices.csv` anew.

What the API does not have, or has at several prices, stays as it is and is named. The file is
written whole or not at all, in its order, so that a diff shows what has changed.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from langfuse_aws.cost.price_queries import HOME_REGION, Query, query
from langfuse_aws.cost.prices import EVERYWHERE, FILE

ENDPOINT: Final = "us-east-1"
"""Region of the API, which has the prices of every region.
https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html"""

SOURCE: Final = "https://api.pricing.us-east-1.amazonaws.com/"


@dataclass(frozen=True)
class Refresh:
    """What has become of the rows, a line for each."""

    same: int
    """Rows whose price AWS has confirmed."""
    changed: tuple[str, ...]
    not_found: tuple[str, ...]
    """Rows that stay as they are, and why."""


def refresh(client: Any, file: Path = FILE) -> Refresh:
    """Ask for each row, and write the file. `client` is boto3's of `pricing`.

    Raises botocore's errors, before anything is written.
    """
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        rows, columns = list(reader), list(reader.fieldnames or ())
    same, changed, missing = 0, list[str](), list[str]()
    for row in rows:
        label = f"{row['name']} in {row['region']}"
        found = _price(client, row["name"], row["region"])
        if isinstance(found, str):
            missing.append(f"{label}: {found}")
            continue
        usd, date = found
        if usd == float(row["USD"]):
            same += 1
        else:
            changed.append(f"{label}: {row['USD']} → {_plain(usd)}")
            row["USD"] = _plain(usd)
        row |= {"date": date, "source": SOURCE}
    _write(file, columns, rows)
    return Refresh(same, tuple(changed), tuple(missing))


def _write(file: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    new = file.with_name(f".{file.name}.new")
    with new.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(file)


def _plain(usd: float) -> str:
    """Write it without an exponent, with two decimals at the least."""
    whole, _, decimals = f"{usd:.10f}".rstrip("0").partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _price(client: Any, name: str, region: str) -> tuple[float, str] | str:
    """The price by the file's unit, and the day that AWS published it; or why there is none."""
    wanted = query(name)
    if wanted is None:
        return "langfuse_aws/cost/price_queries.py does not say how it is found"
    offers = set(_offers(client, wanted, region))
    prices = sorted({usd for usd, _ in offers})
    if not prices:
        return f"{wanted.service} has no price of {wanted.usage_type} there"
    if len(prices) > 1:
        several = ", ".join(map(_plain, prices))
        return f"{wanted.service} has several prices of {wanted.usage_type} there: {several}"
    return prices[0], max(date for _, date in offers)


def _offers(client: Any, wanted: Query, region: str) -> Iterator[tuple[float, str]]:
    terms = {**wanted.attributes}
    if not wanted.everywhere:
        terms["regionCode"] = HOME_REGION if region == EVERYWHERE else region
    filters = [
        {"Type": "CONTAINS", "Field": "usagetype", "Value": wanted.usage_type},
        *({"Type": "TERM_MATCH", "Field": key, "Value": terms[key]} for key in terms),
    ]
    pages = client.get_paginator("get_products").paginate(
        ServiceCode=wanted.service, FormatVersion="aws_v1", Filters=filters
    )
    for page in pages:
        for text in page["PriceList"]:
            offer: Mapping[str, Any] = json.loads(text)
            if wanted.fits(str(offer["product"]["attributes"].get("usagetype"))):
                for usd in _first_tier(offer, wanted.unit):
                    yield round(usd * wanted.times, 10), str(offer["publicationDate"])[:10]


def _first_tier(offer: Mapping[str, Any], unit: str) -> Iterator[float]:
    """What the first of it costs on demand, unless that is nothing."""
    for term in offer["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            first = float(dimension.get("beginRange") or 0) == 0
            if usd and first and unit in ("", str(dimension["unit"]).lower()):
                yield usd
