"""Both sides of a move, opened."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import httpx

from langfuse_aws.automation.move_in.clickhouse import ClickHouse, Table
from langfuse_aws.automation.move_in.objects import Prefix, copied_by_s3
from langfuse_aws.automation.move_in.postgres import Postgres
from langfuse_aws.automation.move_in.progress import Progress
from langfuse_aws.automation.move_in.source import Source, Use
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH

HEALTH_SECONDS: Final = 5
RELEASE: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Target:
    """A stack's stores, and what of it a move needs."""

    name: str
    release: str
    """X.Y.Z of Langfuse."""
    postgres: Postgres
    clickhouse: ClickHouse
    objects: Mapping[Use, Prefix]
    secrets: Mapping[str, str] = field(repr=False)
    """What its web and worker get: SALT and others."""
    postgres_room: int | None
    """Bytes that its database may have; None: it grows by itself."""
    stop: Callable[[], None]
    """Stop what writes to its stores."""
    start: Callable[[], None]
    migrate: Callable[[], None]
    """Run the migrations of its release."""
    initial_seed: bool = False
    """Whether its configuration has it make a first project."""


@dataclass(frozen=True)
class Keys:
    """Of one project of the source."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Sides:
    """The source and the target. What is worked out is worked out once."""

    source: Source
    postgres: Postgres
    clickhouse: ClickHouse
    objects: Mapping[Use, Prefix]
    target: Target
    told_release: str | None = None
    """As the operator says it."""
    keys: Keys | None = None

    @cached_property
    def source_release(self) -> str | None:
        """X.Y.Z: as told, as web says it, or as the tag of its image does; None: unknown."""
        return self.told_release or self._served_release() or self.source.release

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The source's tables of ClickHouse."""
        return self.clickhouse.tables()

    @cached_property
    def postgres_tables(self) -> Sequence[str]:
        """The source's tables of PostgreSQL."""
        return self.postgres.tables()

    @cached_property
    def target_tables(self) -> Mapping[str, Table]:
        """The target's."""
        return self.target.clickhouse.tables()

    @cached_property
    def common_tables(self) -> Mapping[str, Table]:
        """Those that are copied: the source's that the target has too."""
        return {name: each for name, each in self.tables.items() if name in self.target_tables}

    @cached_property
    def by_s3(self) -> Mapping[Use, bool]:
        """Which objects S3 copies by itself; the others go through this machine."""
        return {
            use: copied_by_s3(prefix, self.target.objects[use])
            for use, prefix in self.objects.items()
        }

    @property
    def left_tables(self) -> list[str]:
        """Those with rows that the target's release has no more."""
        return [
            name
            for name, each in self.tables.items()
            if name not in self.target_tables and each.rows
        ]

    @property
    def progress(self) -> Progress:
        """What is moved already."""
        return Progress(self.target.postgres)

    def columns(self, table: str) -> list[str]:
        """What is copied of a table: the columns that both have."""
        there = self.target_tables[table].columns
        return [each for each in self.tables[table].columns if each in there]

    def close(self) -> None:
        """Close what stays open."""
        self.clickhouse.close()
        self.target.clickhouse.close()

    def _served_release(self) -> str | None:
        if self.source.url is None:
            return None
        try:
            answer = httpx.get(
                f"{self.source.url.rstrip('/')}{WEB_HEALTH_PATH}", timeout=HEALTH_SECONDS
            )
            said = str(answer.json()["version"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
            return None
        return said if RELEASE.fullmatch(said) else None


def version(release: str) -> Version:
    """Split X.Y.Z. ValueError."""
    found = RELEASE.fullmatch(release)
    if found is None:
        raise ValueError(release)
    return int(found[1]), int(found[2]), int(found[3])
