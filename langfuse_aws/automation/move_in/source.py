"""A Langfuse to move in from: where its stores are, and what it is called to itself.

One model for all kinds of sources. It is made of the variables that Langfuse itself reads, which
docker compose, a Helm chart and a file of URLs come down to.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from langfuse_aws.automation.errors import MistakesError
from langfuse_aws.contract.ports_and_health import POSTGRES_PORT

Use = Literal["events", "media", "exports"]
"""What Langfuse keeps objects for."""
VARIABLES_OF_USE: Final[Mapping[Use, str]] = {
    "events": "LANGFUSE_S3_EVENT_UPLOAD",
    "media": "LANGFUSE_S3_MEDIA_UPLOAD",
    "exports": "LANGFUSE_S3_BATCH_EXPORT",
}
POSTGRES_URLS: Final = ("DIRECT_URL", "DATABASE_URL")
"""Of which the first that is set is where PostgreSQL is, whatever else says."""
PORTS: Final = {"http": 80, "https": 443}
OTHER_STORAGES: Final = ("LANGFUSE_USE_AZURE_BLOB", "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE")
Mistaken = Callable[[str, str], None]
"""Takes a variable, and what is wrong with it."""
HEX_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class PostgresAddress:
    """A database of PostgreSQL, and who opens it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    sslmode: str = "prefer"

    def __str__(self) -> str:
        """Say it, without the password."""
        return f"postgresql://{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class ClickHouseAddress:
    """ClickHouse's HTTP interface, and who opens it."""

    url: str
    """Scheme, host and port."""
    user: str
    password: str = field(repr=False)
    database: str = "default"

    def __str__(self) -> str:
        """Say it, without the password."""
        return f"{self.url}/{self.database}"


@dataclass(frozen=True)
class ObjectStore:
    """A prefix of a bucket."""

    bucket: str
    prefix: str
    """Empty, or with `/` at its end."""
    endpoint: str | None = None
    """None: AWS's own."""
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    path_style: bool = False

    def __str__(self) -> str:
        """Say it, without keys."""
        return f"s3://{self.bucket}/{self.prefix}" + (
            f" at {self.endpoint}" if self.endpoint else ""
        )


@dataclass(frozen=True)
class Source:
    """Everything that a move needs to know of it."""

    name: str
    """What it was read from."""
    postgres: PostgresAddress
    clickhouse: ClickHouseAddress
    objects: Mapping[Use, ObjectStore]
    """Those that it has."""
    url: str | None
    """Where it is served."""
    release: str | None
    """X.Y.Z of its images, if their tag says so."""
    environment: Mapping[str, str] = field(repr=False)
    """All of it, secrets too."""

    @property
    def identity(self) -> str:
        """What tells it from another source; without secrets."""
        stores = [str(self.postgres), str(self.clickhouse), *map(str, self.objects.values())]
        return ", ".join(dict.fromkeys(stores))


def source_of(
    name: str,
    environment: Mapping[str, str],
    release: str | None = None,
    hint: str = "",
    lacking: Sequence[str] = (),
) -> Source:
    """Read the variables. MistakesError names all that is missing or wrong; `hint` ends each.

    `lacking`: those of which it is known, and told elsewhere, why they are missing.
    """
    # Langfuse takes an empty text for none.
    given = {key: value for key, value in environment.items() if value != ""}
    mistakes: list[str] = []

    def mistaken(variable: str, what: str) -> None:
        if not lacking or not {*variable.split(", ")} <= {*lacking}:
            mistakes.append(" ".join(filter(None, (f"{name}: {variable} {what}.", hint))))

    postgres = _postgres(given, mistaken)
    clickhouse = _clickhouse(given, mistaken)
    objects = dict(_objects(given, mistaken))
    for variable in ("SALT", "NEXTAUTH_SECRET"):
        if variable not in given:
            mistaken(variable, "is not set, and the source has one: API keys or sessions need it")
    key = given.get("ENCRYPTION_KEY")
    if key is not None and not HEX_KEY.fullmatch(key):
        mistaken("ENCRYPTION_KEY", "must be 64 hexadecimal digits")
    if mistakes or postgres is None or clickhouse is None:
        raise MistakesError(mistakes)
    return Source(name, postgres, clickhouse, objects, given.get("NEXTAUTH_URL"), release, given)


def _postgres(given: Mapping[str, str], mistaken: Mistaken) -> PostgresAddress | None:
    # Migrations go past a pooler by DIRECT_URL, and a dump has to as well.
    variable = next((each for each in POSTGRES_URLS if each in given), None)
    if variable is None:
        return _postgres_in_parts(given, mistaken)
    try:
        parts = urlsplit(given[variable])
        port = parts.port or POSTGRES_PORT
    except ValueError:
        mistaken(variable, "is no URL")
        return None
    options = parse_qs(parts.query)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or not parts.username:
        mistaken(variable, "must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        return None
    schema = options.get("schema", ["public"])[0]
    if schema != "public":
        mistaken(variable, f"names the schema {schema}: only public can be moved in")
    return PostgresAddress(
        parts.hostname,
        port,
        unquote(parts.username),
        unquote(parts.password or ""),
        unquote(parts.path.lstrip("/")) or unquote(parts.username),
        options.get("sslmode", ["prefer"])[0],
    )


def _postgres_in_parts(given: Mapping[str, str], mistaken: Mistaken) -> PostgresAddress | None:
    names = [f"DATABASE_{each}" for each in ("HOST", "USERNAME", "PASSWORD", "NAME")]
    if missing := [each for each in names if each not in given]:
        mistaken("DATABASE_URL" if len(missing) == len(names) else ", ".join(missing), "is not set")
        return None
    host, _, port = given["DATABASE_HOST"].partition(":")
    port = port or given.get("DATABASE_PORT", "")
    options = parse_qs(given.get("DATABASE_ARGS", ""))
    return PostgresAddress(
        host,
        int(port) if port.isdigit() else POSTGRES_PORT,
        given["DATABASE_USERNAME"],
        given["DATABASE_PASSWORD"],
        given["DATABASE_NAME"],
        options.get("sslmode", ["prefer"])[0],
    )


def _clickhouse(given: Mapping[str, str], mistaken: Mistaken) -> ClickHouseAddress | None:
    names = ("CLICKHOUSE_URL", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD")
    missing = [each for each in names if each not in given]
    for each in missing:
        mistaken(each, "is not set")
    if missing:
        return None
    try:
        parts = urlsplit(given["CLICKHOUSE_URL"])
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        port, parts = None, None
    if parts is None or port is None or not parts.hostname:
        mistaken("CLICKHOUSE_URL", "must be http://HOST:8123 or https://HOST:8443")
        return None
    return ClickHouseAddress(
        f"{parts.scheme}://{_host(parts.hostname)}:{port}",
        given["CLICKHOUSE_USER"],
        given["CLICKHOUSE_PASSWORD"],
        given.get("CLICKHOUSE_DB", "default"),
    )


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _objects(given: Mapping[str, str], mistaken: Mistaken) -> Iterator[tuple[Use, ObjectStore]]:
    for other in OTHER_STORAGES:
        if given.get(other) == "true":
            mistaken(other, "is true: objects are copied from S3's API only")
    for use, variables in VARIABLES_OF_USE.items():
        bucket = given.get(f"{variables}_BUCKET")
        if bucket is None:
            if use == "events":
                mistaken(f"{variables}_BUCKET", "is not set")
            continue
        prefix = given.get(f"{variables}_PREFIX", "")
        region = given.get(f"{variables}_REGION")
        yield (
            use,
            ObjectStore(
                bucket,
                prefix,
                given.get(f"{variables}_ENDPOINT"),
                None if region == "auto" else region,
                given.get(f"{variables}_ACCESS_KEY_ID"),
                given.get(f"{variables}_SECRET_ACCESS_KEY"),
                given.get(f"{variables}_FORCE_PATH_STYLE") == "true",
            ),
        )
