"""A used Langfuse and an empty one, at a small size, on the servers of a test.

The tables are Langfuse's, with the columns that a move looks at: keys, types, engines and
partitions as its migrations have them (packages/shared/prisma/migrations and
packages/shared/clickhouse/migrations/unclustered, 3.225.4), and a materialized view as 4.x has one.
"""
# ruff: noqa: S608 -- texts of this file alone

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import boto3

from langfuse_aws.automation.move_in.clickhouse import ClickHouse
from langfuse_aws.automation.move_in.objects import Prefix, source_prefixes
from langfuse_aws.automation.move_in.postgres import Postgres
from langfuse_aws.automation.move_in.refusals import hashed
from langfuse_aws.automation.move_in.sides import Keys, Sides, Target
from langfuse_aws.automation.move_in.source import ClickHouseAddress, PostgresAddress, source_of
from tests.move_in.s3_server import S3
from tests.move_in.servers import OWNER, PASSWORD

SALT: Final = "salt-of-the-source"
ENCRYPTION_KEY: Final = "ab" * 32
NEXTAUTH_SECRET: Final = "secret-of-the-sessions"
KEYS: Final = Keys("pk-lf-1", "sk-lf-hidden-1")
RELEASE: Final = "3.224.0"
SECRETS: Final = (SALT, ENCRYPTION_KEY, NEXTAUTH_SECRET, PASSWORD, KEYS.secret, "minio-secret")
OWN_BUCKET: Final = "langfuse-prod-storage"
DAYS: Final = 40
"""Of traces: two months or three, so as many partitions."""
ROWS_A_DAY: Final = 25

POSTGRES_TABLES: Final = """
CREATE TYPE "ApiKeyScope" AS ENUM ('ORGANIZATION', 'PROJECT');
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL,
  finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text,
  rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(),
  applied_steps_count integer NOT NULL DEFAULT 0);
CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE projects (id text PRIMARY KEY, name text NOT NULL,
  org_id text NOT NULL REFERENCES organizations ON DELETE CASCADE);
CREATE TABLE users (id text PRIMARY KEY, email text UNIQUE);
CREATE TABLE api_keys (id text PRIMARY KEY, public_key text NOT NULL UNIQUE,
  fast_hashed_secret_key text UNIQUE, scope "ApiKeyScope" NOT NULL DEFAULT 'PROJECT',
  project_id text REFERENCES projects ON DELETE CASCADE);
CREATE TABLE llm_api_keys (id text PRIMARY KEY, secret_key text NOT NULL);
CREATE TABLE models (id text PRIMARY KEY, project_id text, model_name text NOT NULL);
CREATE TABLE media (id text NOT NULL, project_id text NOT NULL, bucket_path text NOT NULL,
  bucket_name text NOT NULL, PRIMARY KEY (project_id, id));
CREATE TABLE prompts (id text PRIMARY KEY, prompt jsonb NOT NULL, tags text[] DEFAULT '{}');
CREATE INDEX prompts_tags ON prompts USING gin (tags);
INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name)
  SELECT n::text, 'x', now(), '2024010100000' || n || '_change' FROM generate_series(1, 9) AS n;
INSERT INTO models VALUES ('default', NULL, 'gpt-4o');
"""

POSTGRES_ROWS: Final = f"""
INSERT INTO organizations VALUES ('org-1', 'Ünïted');
INSERT INTO projects VALUES ('project-1', 'first', 'org-1'), ('project-2', 'second', 'org-1');
INSERT INTO users SELECT 'user-' || n, n || '@example.com' FROM generate_series(1, 30) AS n;
INSERT INTO api_keys VALUES
  ('key-1', '{KEYS.public}', '{hashed(KEYS.secret, SALT)}', 'PROJECT', 'project-1'),
  ('key-2', 'pk-lf-2', NULL, 'PROJECT', 'project-2');
INSERT INTO llm_api_keys VALUES ('llm-1', 'encrypted');
INSERT INTO media VALUES ('m1', 'project-1', 'media/project-1/m1.png', 'langfuse'),
  ('m2', 'project-1', 'media/project-1/m2.png', 'langfuse');
INSERT INTO prompts SELECT 'prompt-' || n, jsonb_build_object('text', repeat('it''s "\\\\" ', 200)),
  ARRAY['a', 'b,c'] FROM generate_series(1, 2000) AS n;
"""

CLICKHOUSE_TABLES: Final = (
    "CREATE TABLE schema_migrations (version Int64, dirty UInt8, sequence UInt64) "
    "ENGINE = MergeTree ORDER BY sequence",
    "CREATE TABLE traces (id String, timestamp DateTime64(3), name String, "
    "metadata Map(LowCardinality(String), String), project_id String, public Bool, "
    "tags Array(String), input Nullable(String) CODEC(ZSTD(3)), "
    "created_at DateTime64(3) DEFAULT now(), event_ts DateTime64(3), is_deleted UInt8, "
    "INDEX idx_id id TYPE bloom_filter(0.001) GRANULARITY 1) "
    "ENGINE = ReplacingMergeTree(event_ts, is_deleted) PARTITION BY toYYYYMM(timestamp) "
    "PRIMARY KEY (project_id, toDate(timestamp)) ORDER BY (project_id, toDate(timestamp), id)",
    "CREATE TABLE observations (id String, trace_id String, project_id String, "
    "start_time DateTime64(3), usage_details Map(LowCardinality(String), UInt64), "
    "cost Nullable(Decimal(18, 12)), event_ts DateTime64(3), is_deleted UInt8) "
    "ENGINE = ReplacingMergeTree(event_ts, is_deleted) PARTITION BY toYYYYMM(start_time) "
    "ORDER BY (project_id, toDate(start_time), id)",
    "CREATE TABLE scores (id String, timestamp DateTime64(3), project_id String, value Float64, "
    "event_ts DateTime64(3), is_deleted UInt8) "
    "ENGINE = ReplacingMergeTree(event_ts, is_deleted) PARTITION BY toYYYYMM(timestamp) "
    "ORDER BY (project_id, toDate(timestamp), id)",
    "CREATE TABLE blob_storage_file_log (id String, project_id String, bucket_name String, "
    "bucket_path String, created_at DateTime64(3) DEFAULT now(), event_ts DateTime64(3), "
    "is_deleted UInt8) ENGINE = ReplacingMergeTree(event_ts, is_deleted) "
    "ORDER BY (project_id, id)",
    "CREATE TABLE events_full (id String, start_time DateTime64(6), input String) "
    "ENGINE = MergeTree PARTITION BY toYYYYMM(start_time) ORDER BY (start_time, id)",
    "CREATE TABLE events_core (id String, start_time DateTime64(6)) "
    "ENGINE = MergeTree PARTITION BY toYYYYMM(start_time) ORDER BY (start_time, id)",
    "CREATE MATERIALIZED VIEW events_core_mv TO events_core AS "
    "SELECT id, start_time FROM events_full",
    "CREATE VIEW analytics_traces AS SELECT project_id, count() AS n FROM traces GROUP BY 1",
)
START: Final = "toDateTime64('2026-01-10 00:00:00', 3, 'UTC')"
ROWS: Final = f"numbers({DAYS * ROWS_A_DAY})"
WHEN: Final = f"{START} + toIntervalSecond(number * {86_400 // ROWS_A_DAY})"
CLICKHOUSE_ROWS: Final = (
    f"INSERT INTO traces SELECT 'trace-' || number, {WHEN}, 'näme', map('k', 'it''s'), "
    f"'project-1', true, ['a', 'b'], repeat('x', 50), now(), now(), 0 FROM {ROWS}",
    # A newer version of some, and some that were deleted.
    f"INSERT INTO traces SELECT 'trace-' || number, {WHEN}, 'newer', map(), 'project-1', false, "
    f"[], NULL, now(), now() + 9, number % 100 = 0 FROM {ROWS} WHERE number % 10 = 0",
    f"INSERT INTO observations SELECT 'observation-' || number, 'trace-' || number, 'project-1', "
    f"{WHEN}, map('input', 1), 0.5, now(), 0 FROM {ROWS}",
    f"INSERT INTO scores SELECT 'score-' || number, {WHEN}, 'project-1', number / 7, now(), 0 "
    f"FROM {ROWS}",
    "INSERT INTO blob_storage_file_log SELECT 'log-' || number, 'project-1', 'langfuse', "
    "'events/project-1/trace/' || number || '.json', now(), now(), 0 FROM numbers(30)",
    f"INSERT INTO events_full SELECT 'event-' || number, {WHEN}, 'x' FROM {ROWS}",
)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Servers:
    """Ports, each of source and target."""

    postgres: tuple[int, int]
    clickhouse: tuple[int, int]


@dataclass
class Pair:
    """The two, and how a test opens them."""

    servers: Servers
    s3: S3
    number: int = field(default_factory=lambda: next(_numbers))
    called: list[str] = field(default_factory=list[str])

    @property
    def database(self) -> str:
        """What each side's database is called, in both stores."""
        return f"langfuse{self.number}"

    def address(self, side: int, user: str = OWNER, database: str = "") -> PostgresAddress:
        """PostgreSQL's."""
        port = self.servers.postgres[side]
        return PostgresAddress("127.0.0.1", port, user, PASSWORD, database or self.database)

    def postgres(self, side: int) -> Postgres:
        """The owner's PostgreSQL."""
        return Postgres(self.address(side), ("source", "target")[side])

    def clickhouse(self, side: int) -> ClickHouse:
        """The owner's ClickHouse."""
        url = f"http://127.0.0.1:{self.servers.clickhouse[side]}"
        address = ClickHouseAddress(url, "clickhouse", PASSWORD, self.database)
        return ClickHouse(address, ("source", "target")[side])

    def fill(self) -> None:
        """Make the tables on both sides, and the source's rows and objects."""
        for side in (0, 1):
            Postgres(self.address(side, database="postgres"), "test").rows(
                f"CREATE DATABASE {self.database}"
            )
            self.postgres(side).run(POSTGRES_TABLES + (POSTGRES_ROWS if side == 0 else ""))
            clickhouse = self.clickhouse(side)
            there = ClickHouseAddress(clickhouse.address.url, "clickhouse", PASSWORD, "default")
            ClickHouse(there, "test").execute(f"CREATE DATABASE {self.database}")
            for each in (*CLICKHOUSE_TABLES, *(CLICKHOUSE_ROWS if side == 0 else ())):
                clickhouse.execute(each)
        for number in range(30):
            body = f"event {number}".encode()
            self.s3.put("langfuse", f"events/project-1/trace/{number}.json", body)
        for name in ("m1", "m2"):
            key = f"media/project-1/{name}.png"
            self.s3.put("langfuse", key, name.encode() * 500, "image/png")
        self.s3.put("langfuse", "exports/tëst file+1.csv", b"a,b", "text/csv")

    def environment(self, **more: str) -> dict[str, str]:
        """The source's variables."""
        store = {
            f"LANGFUSE_S3_{use}_{name}": value
            for use, prefix in (
                ("EVENT_UPLOAD", "events/"),
                ("MEDIA_UPLOAD", "media/"),
                ("BATCH_EXPORT", "exports/"),
            )
            for name, value in {
                "BUCKET": "langfuse",
                "PREFIX": prefix,
                "ENDPOINT": self.s3.url,
                "REGION": "auto",
                "ACCESS_KEY_ID": "minio",
                "SECRET_ACCESS_KEY": "minio-secret",
                "FORCE_PATH_STYLE": "true",
            }.items()
        }
        port = self.servers.postgres[0]
        return {
            "DATABASE_URL": f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}/{self.database}",
            "CLICKHOUSE_URL": f"http://127.0.0.1:{self.servers.clickhouse[0]}",
            "CLICKHOUSE_USER": "clickhouse",
            "CLICKHOUSE_PASSWORD": PASSWORD,
            "CLICKHOUSE_DB": self.database,
            "SALT": SALT,
            "ENCRYPTION_KEY": ENCRYPTION_KEY,
            "NEXTAUTH_SECRET": NEXTAUTH_SECRET,
            **store,
            **more,
        }

    def own_client(self) -> Any:
        """The operator's client of S3."""
        session: Any = boto3.Session()
        return session.client(
            "s3",
            region_name="eu-west-1",
            endpoint_url=self.s3.url,
            aws_access_key_id="operator",
            aws_secret_access_key="operator-secret",
        )

    def sides(self, *, release: str = RELEASE, keys: Keys | None = None, **more: str) -> Sides:
        """Open them, as a move does."""
        source = source_of("here.env", self.environment(**more))
        client = self.own_client()

        def call(what: str) -> Callable[[], None]:
            return lambda: self.called.append(what)

        target = Target(
            name="prod",
            release=release,
            postgres=self.postgres(1),
            clickhouse=self.clickhouse(1),
            objects={
                use: Prefix(client, OWN_BUCKET, f"{use}/", "target") for use in source.objects
            },
            secrets={
                "SALT": SALT,
                "ENCRYPTION_KEY": ENCRYPTION_KEY,
                "NEXTAUTH_SECRET": NEXTAUTH_SECRET,
            },
            postgres_room=None,
            stop=call("stop"),
            start=call("start"),
            migrate=call("migrate"),
        )
        return Sides(
            source,
            Postgres(source.postgres, "source", read_only=True),
            ClickHouse(source.clickhouse, "source", read_only=True),
            source_prefixes(source.objects, lambda _: client),
            target,
            RELEASE,
            keys,
        )

    def close(self) -> None:
        """Take the databases away."""
        for side in (0, 1):
            Postgres(self.address(side, database="postgres"), "test").rows(
                f"DROP DATABASE {self.database} WITH (FORCE)"
            )
            self.clickhouse(side).execute(f"DROP DATABASE {self.database}")
