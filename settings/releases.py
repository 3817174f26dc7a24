"""Versions of everything that moves, in one file.

Renovate reads the `renovate:` comments. Digests are not recorded here: they belong to the mirror's
lock file, since nothing but a registry can tell them.
"""

import re
from typing import Final

# renovate: datasource=docker depName=ghcr.io/langfuse/langfuse
LANGFUSE: Final = "3.225.4"
"""Default Langfuse release: the last 3.x whose environment was checked; 3.x is patched until
January 2027."""

# renovate: datasource=docker depName=clickhouse/clickhouse-server
CLICKHOUSE: Final = "25.12.11.4"
"""ClickHouse server. Langfuse 4 needs 25.12 or later, Langfuse 3 runs on it."""

LANGFUSE_MINIMUM: Final = (3, 125, 0)
"""Below it today's Langfuse SDKs (Python 4 and 5) are refused by the server."""

LANGFUSE_MAJORS: Final = (3, 4)
"""Majors whose environment this program knows."""

POSTGRES_MAJOR: Final = "16"
"""PostgreSQL major. AWS picks the minor, so an old pin cannot stop a first apply."""

VALKEY: Final = "8.0"
"""ElastiCache Valkey engine version (parameter group family `valkey8`)."""


_NUMBER: Final = re.compile(r"0|[1-9][0-9]*")


def version_of(release: str) -> tuple[int, int, int]:
    """`"3.225.4"` → `(3, 225, 4)`; ValueError if it is not an exact release."""
    parts = release.split(".")
    if len(parts) != 3 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError(f"{release!r} is not an exact X.Y.Z release")
    major, minor, patch = (int(part) for part in parts)
    return major, minor, patch


def web_image(release: str) -> str:
    """Image of the web container, from GHCR: Docker Hub limits anonymous pulls by address."""
    return f"ghcr.io/langfuse/langfuse:{release}"


def worker_image(release: str) -> str:
    """Image of the worker container."""
    return f"ghcr.io/langfuse/langfuse-worker:{release}"


def clickhouse_image() -> str:
    """Image of the ClickHouse server."""
    return f"docker.io/clickhouse/clickhouse-server:{CLICKHOUSE}"
