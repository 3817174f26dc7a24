"""Writes the table of versions that a store may have, from where the program keeps them."""

from __future__ import annotations

from typing import Final

from langfuse_aws.review.markdown import table
from langfuse_aws.settings.versions import CLICKHOUSE, POSTGRES_MAJOR, STORE_VERSIONS, VALKEY

OWN: Final = {
    "ClickHouse": ".".join(CLICKHOUSE.split(".")[:2]),
    "PostgreSQL": POSTGRES_MAJOR,
    "Valkey": VALKEY,
}


def store_table() -> str:
    """Each store's floor and ceiling, and what a stack makes itself."""
    rows = [
        (store, _dotted(bounds.least), _dotted(bounds.newest), OWN.get(store, "none"))
        for store, bounds in STORE_VERSIONS.items()
    ]
    return table(("Store", "At least", "Known to work up to", "The stack's own"), rows)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
