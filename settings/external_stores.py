"""Stores that exist already: the program makes nothing of them, and keeps their passwords.

Their networks must let the tasks of web, worker and migration in. What else must be so is in
docs/operations.md, External stores; versions are in `releases.STORE_VERSIONS`.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from settings.section import Section, refusal

_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = rf"({_LABEL}\.)*{_LABEL}"

HostName = Annotated[str, Field(pattern=f"^{_HOST}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]


class ExternalClickHouse(Section):
    """A ClickHouse that exists, such as ClickHouse Cloud; with TLS on both ports."""

    mode: Literal["external"] = Field(description="Where ClickHouse runs")
    url: str = Field(description="HTTP interface, such as https://abc.clickhouse.cloud:8443")
    migration_url: str = Field(
        description="Native protocol, such as clickhouse://abc.clickhouse.cloud:9440"
    )
    user: Name = Field("default", description="User that owns the database `default`")
    cluster: bool = Field(
        False,
        description="Self-managed replicas in a cluster named `default`; not for ClickHouse Cloud",
    )

    @property
    def clustered(self) -> bool:
        """Whether the tables are replicated ones, in a cluster named `default`."""
        return self.cluster

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return _checked(value, "https", "https://abc.clickhouse.cloud:8443")

    @field_validator("migration_url")
    @classmethod
    def _migration_url(cls, value: str) -> str:
        return _checked(value, "clickhouse", "clickhouse://abc.clickhouse.cloud:9440")


def _checked(value: str, scheme: str, example: str) -> str:
    bound = f"must be {scheme}://HOST:PORT and nothing more"
    remedy = f"write it as {example}; user and password have keys of their own, and TLS is a must"
    found = re.fullmatch(rf"({scheme}://{_HOST}:(?P<port>[1-9][0-9]{{0,4}}))/?", value.lower())
    if found is None or int(found["port"]) > 65_535:
        raise refusal(bound, remedy)
    return found[1]


class ExternalPostgres(Section):
    """A PostgreSQL that exists, with TLS."""

    mode: Literal["external"] = Field(description="Which PostgreSQL")
    host: HostName = Field(description="Host name of the writer, never of a transaction pooler")
    port: Port = Field(5432, description="Port")
    user: Name = Field("langfuse", description="User that owns the database")
    database: Name = Field("langfuse", description="Database; its schema `public` is used")


class ExternalRedis(Section):
    """A Redis or Valkey that exists, not in cluster mode, with maxmemory-policy noeviction."""

    mode: Literal["external"] = Field(description="Where Redis runs")
    host: HostName = Field(description="Host name of the primary")
    port: Port = Field(6379, description="Port")
    tls: bool = Field(True, description="Connect with TLS")
