"""Stores that exist already: the program makes nothing of them, and keeps their passwords.

Their networks must let the tasks of web, worker and migration in. What else must be so is in
docs/operations.md, External stores; versions are in `versions.STORE_VERSIONS`.
"""

import re
from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from langfuse_aws.contract.ports_and_health import POSTGRES_PORT, REDIS_PORT
from langfuse_aws.settings.connections import Connections
from langfuse_aws.settings.host_names import HOST, HostName
from langfuse_aws.settings.section import Form, Section, invalid

Port = Annotated[int, Field(ge=1, le=65_535)]
Name = Annotated[
    str,
    Form(
        r"^[A-Za-z_][A-Za-z0-9_.-]*$",
        "may have letters, digits and _.- only, and begins with a letter or _: it becomes part of "
        "a URL",
        "choose such a name",
    ),
]

_CACHE: Final = r"\.[a-z0-9-]+\.cache\.amazonaws\.com(\.cn)?"
_MEMORY_DB: Final = r"\.memorydb\.[a-z0-9-]+\.amazonaws\.com(\.cn)?"
_RDS: Final = r"\.[a-z0-9-]+\.rds\.amazonaws\.com(\.cn)?"
_DSQL: Final = r"\.dsql(-[a-z0-9]+)?\.[a-z0-9-]+\.on\.(aws|amazonwebservices\.com\.cn)"

_PRIMARY: Final = (
    "name the primary endpoint of a replication group that is not in cluster mode, master.NAME.… "
    "with TLS; or let the stack make one, with redis.mode elasticache"
)
_WRITER: Final = "name the writer's endpoint, such as NAME.cluster-….REGION.rds.amazonaws.com"

NOT_A_PRIMARY: Final[tuple[tuple[str, str, str], ...]] = (
    (
        rf".+\.serverless{_CACHE}",
        "is an ElastiCache Serverless cache, which is in cluster mode and evicts keys: Langfuse's "
        "queues fail there with CROSSSLOT",
        _PRIMARY,
    ),
    (
        rf"clustercfg\..+{_CACHE}|.+\.clustercfg{_CACHE}|[a-z0-9-]+-\d{{4}}-\d{{3}}\..+{_CACHE}",
        "is an ElastiCache cluster in cluster mode: Langfuse's queues fail there with CROSSSLOT",
        _PRIMARY,
    ),
    (
        rf".+{_MEMORY_DB}",
        "is a MemoryDB cluster, which is in cluster mode: Langfuse's queues fail there with "
        "CROSSSLOT",
        _PRIMARY,
    ),
    (
        rf"replica\.[a-z0-9-]+\.[a-z0-9]+{_CACHE}|[a-z0-9-]+-ro\.[a-z0-9]+\.ng\.\d+{_CACHE}",
        "is the reader endpoint of an ElastiCache replication group, where nothing can be written",
        _PRIMARY,
    ),
    (
        rf".+\.cfg{_CACHE}",
        "is an ElastiCache cluster for Memcached, which Langfuse does not speak",
        _PRIMARY,
    ),
)
"""Host names of AWS that are no primary of a Redis: pattern, what it is, remedy.
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Endpoints.html,
https://docs.aws.amazon.com/memorydb/latest/devguide/endpoints.html; on CROSSSLOT
https://github.com/langfuse/langfuse/issues/5906"""

NOT_A_WRITER: Final[tuple[tuple[str, str, str], ...]] = (
    (
        rf".+\.cluster-ro-[a-z0-9]+{_RDS}",
        "is the reader endpoint of a cluster, where nothing can be written",
        _WRITER,
    ),
    (
        rf".+\.cluster-custom-[a-z0-9]+{_RDS}",
        "is a custom endpoint of an Aurora cluster, which may lead to a reader",
        _WRITER,
    ),
    (
        rf".+\.endpoint\.proxy-[a-z0-9]+{_RDS}",
        "is an additional endpoint of an RDS Proxy, which may lead to a reader",
        _WRITER,
    ),
    (
        rf".+{_DSQL}",
        "is Aurora DSQL, which has no foreign keys and no passwords, and Langfuse needs both",
        _WRITER,
    ),
)
"""Host names of AWS that are no writer of a PostgreSQL: pattern, what it is, remedy.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html,
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-endpoints.html,
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with-postgresql-compatibility-unsupported-features.html"""


def _not_one_of(
    wrong: tuple[tuple[str, str, str], ...],
) -> Callable[[str], str]:
    def checked(host: str) -> str:
        for pattern, what, remedy in wrong:
            if re.fullmatch(pattern, host):
                raise invalid(what, remedy)
        return host

    return checked


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
    found = re.fullmatch(rf"({scheme}://{HOST}:(?P<port>[1-9][0-9]{{0,4}}))/?", value.lower())
    if found is None or int(found["port"]) > 65_535:
        raise invalid(bound, remedy)
    return found[1]


class ExternalPostgres(Connections):
    """A PostgreSQL that exists, with TLS."""

    mode: Literal["external"] = Field(description="Which PostgreSQL")
    host: Annotated[HostName, AfterValidator(_not_one_of(NOT_A_WRITER))] = Field(
        description="Host name of the writer, never of a transaction pooler"
    )
    port: Port = Field(POSTGRES_PORT, description="Port")
    user: Name = Field("langfuse", description="User that owns the database")
    database: Name = Field("langfuse", description="Database; its schema `public` is used")


class ExternalRedis(Section):
    """A Redis or Valkey that exists, not in cluster mode, with maxmemory-policy noeviction."""

    mode: Literal["external"] = Field(description="Where Redis runs")
    host: Annotated[HostName, AfterValidator(_not_one_of(NOT_A_PRIMARY))] = Field(
        description="Host name of the primary"
    )
    port: Port = Field(REDIS_PORT, description="Port")
    tls: bool = Field(True, description="Connect with TLS")
