"""Versions of everything that moves, in one file.

Renovate reads the `renovate:` comments. Digests are not recorded here, but for Grafana's: they
belong to `images.lock.json`, since nothing but a registry can tell them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# renovate: datasource=docker depName=ghcr.io/langfuse/langfuse
LANGFUSE: Final = "4.16.0"
"""Langfuse of a stack that names no release: the newest 4.x whose environment was checked. Its
write mode in a new stack is `events_only`, Langfuse's own default. What it needs of its stores is
in STORE_VERSIONS."""

# renovate: datasource=docker depName=ghcr.io/langfuse/langfuse
LANGFUSE_3: Final = "3.225.4"
"""The 3.x whose environment was checked, for stacks that stay on 3, which gets security patches
until the end of January 2027:
https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4"""

# renovate: datasource=docker depName=clickhouse/clickhouse-server
CLICKHOUSE: Final = "25.12.11.4"
"""ClickHouse server; STORE_VERSIONS says what it may be."""

CLICKHOUSE_COMPATIBILITY: Final = "25.12"
"""ClickHouse release whose defaults of settings Langfuse's user has, in newer servers too.

Not to move with the server: from 26.8 on a bare integer is a time in seconds, and Langfuse writes
milliseconds and microseconds. 3.x then has every time in the year 9999, 4.x stores no span.
https://github.com/ClickHouse/ClickHouse/pull/108091,
https://github.com/langfuse/langfuse/issues/16858"""

# renovate: datasource=docker depName=grafana/grafana
GRAFANA: Final = "12.4.2"
GRAFANA_DIGEST: Final = "sha256:83749231c3835e390a3144e5e940203e42b9589761f20ef3169c716e734ad505"
"""Grafana, and the digest of its image index, with which arm64 and amd64 images are found. No
registry was asked: five public repositories name this digest for 12.4.2, among them a record of
`docker inspect` on arm64 and the build of an amd64 image on it."""

# renovate: datasource=github-releases depName=grafana/clickhouse-datasource
GRAFANA_CLICKHOUSE: Final = "4.20.0"
"""Grafana's ClickHouse data source, which Grafana fetches from grafana.com when it starts."""

LANGFUSE_MINIMUM: Final = (3, 125, 0)
"""Below it today's Langfuse SDKs (Python 4 and 5) are refused by the server."""

LANGFUSE_MAJORS: Final = (3, 4)
"""Majors whose environment this program knows."""

# renovate: datasource=docker depName=postgres
POSTGRES_MAJOR: Final = "16"
"""PostgreSQL major. AWS picks the minor, so an old pin cannot stop a first apply."""

# renovate: datasource=docker depName=valkey/valkey
VALKEY: Final = "8.0"
"""ElastiCache Valkey engine version (parameter group family `valkey8`)."""

# renovate: datasource=docker depName=public.ecr.aws/lambda/python
LAMBDA_PYTHON: Final = "3.13"
"""Python of the Lambda function, the newest that AWS runs: its images tell."""


@dataclass(frozen=True)
class StoreVersions:
    """Versions of a store, as its first numbers."""

    least: tuple[int, ...]
    """Langfuse 4's own floor.
    https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4"""
    newest: tuple[int, ...]
    """The newest that Langfuse was tried on, or that a stack has itself. A later one may work."""


STORE_VERSIONS: Final[Mapping[str, StoreVersions]] = {
    "ClickHouse": StoreVersions((25, 12), (26, 9)),
    "PostgreSQL": StoreVersions((15,), (int(POSTGRES_MAJOR),)),
    "Redis": StoreVersions((7, 0), (7,)),
    "Valkey": StoreVersions((7, 2), (8,)),
}
"""What an external store may be. ClickHouse from 26.8 on with CLICKHOUSE_COMPATIBILITY only."""


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


def grafana_image() -> str:
    """Image of Grafana; its digest is GRAFANA_DIGEST."""
    return f"docker.io/grafana/grafana:{GRAFANA}"
