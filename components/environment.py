"""The environment of Langfuse's containers: one function, so that web and worker cannot differ.

A variable that several containers read is built once, and each that reads it by the table of
`langfuse_aws.contract.variables` gets it: also those of the stack file that all must share.

A secret is a reference to Secrets Manager (`shared/stored_secret.py`), which a container definition
has in `secrets` and ECS reads with the execution role (both in `runtime/task.py`).

Values may be plain text or, under Pulumi, outputs: nothing here looks into them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

from langfuse_aws.components.authorities import authorities
from langfuse_aws.contract import node_options
from langfuse_aws.contract.ports_and_health import (
    CONNECTIONS_PER_TASK,
    WEB_PORT,
    worker_health_variables,
)
from langfuse_aws.contract.start_and_stop import BOOTSTRAP_PREFIX
from langfuse_aws.contract.timeouts import KEEP_ALIVE_SECONDS, KEEP_ALIVE_VARIABLE
from langfuse_aws.contract.variables import Container, known
from langfuse_aws.settings import sign_in_variables as sign_in
from langfuse_aws.settings.app_runner import APP_RUNNER
from langfuse_aws.settings.external_stores import ExternalClickHouse
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.services import Service
from langfuse_aws.settings.stores import ClickHouseOnEc2

Value = TypeVar("Value")
Reference = TypeVar("Reference")
Each = TypeVar("Each")

EVENTS_PREFIX: Final = "events/"
MEDIA_PREFIX: Final = "media/"
EXPORTS_PREFIX: Final = "exports/"

ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104
"""ECS puts the task's host name into HOSTNAME, and the server would bind to that address alone."""

CHECK_OUT_SECONDS: Final = 5
"""Seconds that Prisma waits for a connection of its pool beyond those in which one is made, which
it counts in. https://github.com/prisma/prisma-engines/blob/main/quaint/src/pooled.rs (check_out)"""

V4_TABLES_SINCE: Final = 4
"""Major whose images write to the new tables unless they are told otherwise."""

NO_MIGRATIONS: Final = {
    "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED": "true",
    "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED": "true",
}
"""Both services start with these: the migration task alone changes the databases. Only web's
entrypoint reads them; the worker has them so that no image can begin to migrate there. All else
that a container gets is what the table says that it reads."""

FIRST_START_VARIABLES: Final = re.compile(
    rf"{BOOTSTRAP_PREFIX}\w+|LANGFUSE_DEFAULT_(ORG|PROJECT)_(ID|ROLE)|LANGFUSE_EE_LICENSE_KEY|SALT"
)
"""Variables of web's own environment, or secret ones, that decide what its first start makes
(web/src/initialize.ts and what it calls)."""

FRESH_SINCE: Final = "2025-01-01"
"""Projects made after this date have all their events in S3, which older versions of Langfuse did
not write to: the worker need not read from ClickHouse what it updates. While no event expires.
https://langfuse.com/self-hosting/configuration/scaling"""

EXTERNAL_GROUP_BY_SHARE: Final = 0.25
"""Share of ClickHouse's memory at which a GROUP BY spills to disk. Langfuse's own default, 32 GB,
exceeds a small server's memory, so that it would be killed instead."""


@dataclass(frozen=True)
class Endpoints(Generic[Value]):
    """Where the stores and Langfuse itself are."""

    url: Value
    """What users open, with scheme and without a path."""
    region: str
    database_host: Value
    database_owner: str
    """Who migrates."""
    database_user: str
    """Whom web and worker connect as."""
    database_name: str
    redis_host: Value
    redis_port: int
    redis_tls: bool
    clickhouse_url: Value
    clickhouse_migration_url: Value
    clickhouse_user: str
    bucket: Value


@dataclass(frozen=True)
class Credentials(Generic[Reference]):
    """References to secrets, never the secrets themselves."""

    database_password: Reference
    redis_password: Reference
    clickhouse_password: Reference
    salt: Reference
    encryption_key: Reference
    nextauth_secret: Reference
    environment: Mapping[str, Reference]
    """`langfuse:secretEnvironment`; each container gets those that it reads."""
    providers: Mapping[str, Reference] = field(default_factory=dict[str, Reference])
    """`langfuse:authSecrets`, by provider."""
    smtp_url: Reference | None = None
    """`langfuse:smtpUrl`."""


@dataclass(frozen=True)
class Environment(Generic[Value, Reference]):
    """What one container gets: values in the clear, and references to secrets."""

    plain: Mapping[str, Value | str]
    secret: Mapping[str, Reference]


def web(
    settings: Settings, endpoints: Endpoints[Value], credentials: Credentials[Reference]
) -> Environment[Value, Reference]:
    """Environment of the web container.

    Without what its first start makes: several tasks would look for it and then make it at once,
    and the later one answers every request with 500. docs/adr/0018-first-start-in-the-migration.md
    """
    plain: dict[str, Value | str] = {
        **_for_services("web", settings, endpoints),
        KEEP_ALIVE_VARIABLE: str(KEEP_ALIVE_SECONDS * 1000),
        "AUTH_DISABLE_SIGNUP": _boolean(settings.signup_disabled),
        "AUTH_DISABLE_USERNAME_PASSWORD": _boolean(settings.auth.disable_password),
        "TELEMETRY_ENABLED": "false",
        **sign_in.of_auth(settings.auth),
    }
    secret = {
        **_secrets(credentials),
        "NEXTAUTH_SECRET": credentials.nextauth_secret,
        **sign_in.client_secrets(credentials.providers),
    }
    found = _with_own("web", settings, plain, secret, credentials)
    return Environment(plain=_without_first(found.plain), secret=_without_first(found.secret))


def worker(
    settings: Settings, endpoints: Endpoints[Value], credentials: Credentials[Reference]
) -> Environment[Value, Reference]:
    """Environment of the worker container."""
    plain = _for_services("worker", settings, endpoints)
    if settings.storage.events_retention_days is None:
        plain["LANGFUSE_SKIP_INGESTION_CLICKHOUSE_READ_MIN_PROJECT_CREATE_DATE"] = FRESH_SINCE
    checks = worker_health_variables(settings.version, settings.write_mode)
    plain |= {
        variable: str(settings.worker.stuck_minutes[check]) for check, variable in checks.items()
    }
    return _with_own("worker", settings, plain, _secrets(credentials), credentials)


def migration(
    settings: Settings,
    endpoints: Endpoints[Value],
    credentials: Credentials[Reference],
    first_start: Environment[Value, Reference] | None = None,
) -> Environment[Value, Reference]:
    """Environment of the one-off task that migrates: what web's entrypoint reads, and no more.

    So a change of anything else does not migrate again. With `first_start`, that of
    contract.bootstrap, also what web needs to start and make the first project.
    """
    found = _migrations(settings, endpoints, credentials)
    if first_start is None:
        return found
    own = {
        name: value
        for name, value in _own("web", settings).items()
        if FIRST_START_VARIABLES.fullmatch(name)
    }
    own_secrets = {
        name: reference
        for name, reference in credentials.environment.items()
        if FIRST_START_VARIABLES.fullmatch(name)
    }
    plain: dict[str, Value | str] = {
        **found.plain,
        "HOSTNAME": ANY_ADDRESS,
        # Nobody reads it here: users have another URL, and this one stays.
        "NEXTAUTH_URL": f"http://127.0.0.1:{WEB_PORT}",
        "TELEMETRY_ENABLED": "false",
        "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": endpoints.bucket,
        **first_start.plain,
        **own,
    }
    return Environment(
        plain={name: value for name, value in plain.items() if name not in own_secrets},
        secret={
            **found.secret,
            "SALT": credentials.salt,
            "NEXTAUTH_SECRET": credentials.nextauth_secret,
            **first_start.secret,
            **own_secrets,
        },
    )


def _without_first(variables: Mapping[str, Each]) -> dict[str, Each]:
    return {
        name: value for name, value in variables.items() if not name.startswith(BOOTSTRAP_PREFIX)
    }


def _migrations(
    settings: Settings, endpoints: Endpoints[Value], credentials: Credentials[Reference]
) -> Environment[Value, Reference]:
    external = isinstance(settings.clickhouse, ExternalClickHouse)
    plain: dict[str, Value | str] = {
        **_databases(settings, endpoints, CONNECTIONS_PER_TASK, trusts=True),
        "DATABASE_USERNAME": endpoints.database_owner,
        "CLICKHOUSE_MIGRATION_URL": endpoints.clickhouse_migration_url,
        **({"CLICKHOUSE_MIGRATION_SSL": "true"} if external else {}),
    }
    return _with_own("migration", settings, plain, _database_secrets(credentials), credentials)


def _databases(
    settings: Settings, endpoints: Endpoints[Value], connections: int, *, trusts: bool
) -> dict[str, Value | str]:
    """`trusts`: whether the container gets the file of authorities (`authorities.py`)."""
    verifies = trusts and authorities(settings, endpoints.region) is not None
    return {
        "DATABASE_HOST": endpoints.database_host,
        "DATABASE_USERNAME": endpoints.database_user,
        "DATABASE_NAME": endpoints.database_name,
        "DATABASE_ARGS": _database_arguments(settings, connections, verifies=verifies),
        "CLICKHOUSE_URL": endpoints.clickhouse_url,
        "CLICKHOUSE_USER": endpoints.clickhouse_user,
        "CLICKHOUSE_CLUSTER_ENABLED": _boolean(settings.clickhouse.clustered),
    }


def _database_arguments(settings: Settings, connections: int, *, verifies: bool) -> str:
    """Ask for TLS, and bound Prisma's pool and its patience; the migration's pool is no setting.

    `require` alone takes any certificate: https://github.com/prisma/prisma-engines/blob/main/quaint/src/connector/postgres/url.rs
    """
    seconds = settings.postgres.connect_seconds
    arguments = {
        "sslmode": "require",
        **({"sslaccept": "strict"} if verifies else {}),
        "connection_limit": connections,
        "connect_timeout": seconds,
        "pool_timeout": seconds + CHECK_OUT_SECONDS,
    }
    return "&".join(f"{name}={value}" for name, value in arguments.items())


def _for_services(
    container: Literal["web", "worker"], settings: Settings, endpoints: Endpoints[Value]
) -> dict[str, Value | str]:
    """Build what both services get, but for what this one does not read."""
    service = settings.web if container == "web" else settings.worker
    plain: dict[str, Value | str] = {
        "HOSTNAME": ANY_ADDRESS,
        "NEXTAUTH_URL": endpoints.url,
        node_options.VARIABLE: node_options.with_heap(service.memory, _own_flags(service)),
        "AWS_REGION": endpoints.region,
        "LANGFUSE_LOG_FORMAT": "json",
        **_databases(
            settings,
            endpoints,
            settings.postgres.connection_limit,
            trusts=container == "worker" or settings.web.platform != APP_RUNNER,
        ),
        "REDIS_HOST": endpoints.redis_host,
        "REDIS_PORT": str(endpoints.redis_port),
        "REDIS_TLS_ENABLED": _boolean(endpoints.redis_tls),
        **_bucket("EVENT_UPLOAD", EVENTS_PREFIX, endpoints),
        **_bucket("MEDIA_UPLOAD", MEDIA_PREFIX, endpoints),
        **_bucket("BATCH_EXPORT", EXPORTS_PREFIX, endpoints),
        "LANGFUSE_S3_BATCH_EXPORT_ENABLED": "true",
        **sign_in.of_mail(settings.smtp, endpoints.region),
    }
    if isinstance(settings.clickhouse, ClickHouseOnEc2):
        spill_bytes = int(settings.clickhouse.memory_gib * 2**30 * EXTERNAL_GROUP_BY_SHARE)
        plain["CLICKHOUSE_MAX_BYTES_BEFORE_EXTERNAL_GROUP_BY"] = str(spill_bytes)
    if settings.storage.events_retention_days is not None:
        plain["LANGFUSE_ENABLE_BLOB_STORAGE_FILE_LOG"] = "false"
    if _sets_write_mode(settings):
        plain |= _write_mode(settings)
    read = known(container, settings.major)
    return {name: value for name, value in plain.items() if name in read} | NO_MIGRATIONS


def _own_flags(service: Service) -> str:
    return service.environment.get(node_options.VARIABLE, "")


def _sets_write_mode(settings: Settings) -> bool:
    chosen = settings.v4.write_mode, settings.v4.historic_backfill
    return settings.major >= V4_TABLES_SINCE or chosen != (None, None)


def _write_mode(settings: Settings) -> dict[str, str]:
    """Say which tables are written, how, and whether users may read the new ones.

    Always all of it: the worker does not start when they contradict each other (Langfuse 4.16.0,
    worker/src/env.ts, validateV4Flags).
    """
    direct = settings.write_mode == "events_only"
    return {
        "LANGFUSE_MIGRATION_V4_WRITE_MODE": settings.write_mode,
        "LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN": _boolean(settings.write_mode != "legacy"),
        "LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR": "direct" if direct else "dual_write",
        "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL": _boolean(settings.backfills),
    }


def _bucket(use: str, prefix: str, endpoints: Endpoints[Value]) -> dict[str, Value | str]:
    """Build the variables of one use of the bucket; without keys, so the task role is used."""
    return {
        f"LANGFUSE_S3_{use}_BUCKET": endpoints.bucket,
        f"LANGFUSE_S3_{use}_PREFIX": prefix,
        f"LANGFUSE_S3_{use}_REGION": endpoints.region,
    }


def _database_secrets(credentials: Credentials[Reference]) -> dict[str, Reference]:
    return {
        "DATABASE_PASSWORD": credentials.database_password,
        "CLICKHOUSE_PASSWORD": credentials.clickhouse_password,
    }


def _secrets(credentials: Credentials[Reference]) -> dict[str, Reference]:
    return {
        **_database_secrets(credentials),
        "REDIS_AUTH": credentials.redis_password,
        "SALT": credentials.salt,
        "ENCRYPTION_KEY": credentials.encryption_key,
        **({} if credentials.smtp_url is None else {sign_in.SMTP_URL: credentials.smtp_url}),
    }


def _with_own(
    container: Container,
    settings: Settings,
    plain: Mapping[str, Value | str],
    secret: Mapping[str, Reference],
    credentials: Credentials[Reference],
) -> Environment[Value, Reference]:
    """Add what the stack file sets itself; it wins, and no name is in both halves."""
    read = known(container, settings.major)
    own_secrets = {
        name: reference
        for name, reference in credentials.environment.items()
        if name in read or (container != "migration" and not _is_known(name, settings.major))
    }
    merged = {**plain, **_own(container, settings)}
    return Environment(
        plain={name: value for name, value in merged.items() if name not in own_secrets},
        secret={**secret, **own_secrets},
    )


def _own(container: Container, settings: Settings) -> dict[str, str]:
    """Give what the stack file sets in the clear for a container: its own, and what all share."""
    of_services = {"web": settings.web.environment, "worker": settings.worker.environment}
    own = {
        name: value
        for name, value in of_services.get(container, {}).items()
        if name != node_options.VARIABLE
    }
    shared = {
        name: value
        for environment in of_services.values()
        for name, value in environment.items()
        if (row := known(container, settings.major).get(name)) and row.use in ("shared", "fixed")
    }
    return {**shared, **own}


def _is_known(name: str, major: int) -> bool:
    return name in known("web", major) or name in known("worker", major)


def _boolean(value: bool) -> str:
    return "true" if value else "false"
