"""What sources that run in containers have in common: images, and names of their own network."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from langfuse_aws.automation.move_in.source import PORTS
from langfuse_aws.contract.ports_and_health import POSTGRES_PORT

WEB: Final = re.compile(r"(?:.*/)?langfuse(?::[\w.-]+)?(?:@sha256:\w+)?")
WORKER: Final = re.compile(r"(?:.*/)?langfuse-worker(?::[\w.-]+)?(?:@sha256:\w+)?")
URLS: Final = re.compile(r"(DATABASE|DIRECT|CLICKHOUSE)_URL|LANGFUSE_S3_\w+_ENDPOINT")
HOST: Final = "DATABASE_HOST"
_RELEASE: Final = re.compile(r":(\d+\.\d+\.\d+)(?:@|$)")


@dataclass(frozen=True)
class Lack:
    """Why a variable cannot be used from here, and what helps."""

    where: str
    """The file."""
    said: str
    """Goes after `NAME is`."""
    unreachable: bool = False
    """Whether the value is known, and leads nowhere from here."""


@dataclass(frozen=True)
class Reading:
    """What a file says of a source."""

    environment: Mapping[str, str] = field(repr=False)
    release: str | None = None
    """X.Y.Z of its images, if their tag says so."""
    lacking: Mapping[str, Lack] = field(default_factory=dict[str, Lack])
    """By variable, of what a later file may give."""


def release_of(image: str) -> str | None:
    """X.Y.Z of an image's tag; None: its tag is none."""
    found = _RELEASE.search(image)
    return found[1] if found else None


def addresses(environment: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Give variable, host and port of each store that the variables name."""
    for name, value in environment.items():
        if name == HOST:
            host, _, port = value.partition(":")
            port = port or environment.get("DATABASE_PORT", "")
            yield name, host, int(port) if port.isdigit() else POSTGRES_PORT
        elif URLS.fullmatch(name):
            try:
                parts = urlsplit(value)
                port = parts.port or PORTS.get(parts.scheme, POSTGRES_PORT)
            except ValueError:
                continue
            yield name, parts.hostname or "", port
