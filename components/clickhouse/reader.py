"""The ClickHouse user that Grafana reads as: its rights, and its password."""

import json
from dataclasses import dataclass
from typing import Final

import pulumi

from langfuse_aws.components.shared.generated_secret import GeneratedSecret, GeneratedSecretArgs
from langfuse_aws.components.shared.stored_secret import SecretReference, external_password
from langfuse_aws.settings.external_stores import ExternalClickHouse
from langfuse_aws.settings.model import Settings

READER: Final = "grafana"
"""User, profile and quota in the stack's own servers."""

READER_PASSWORD_VARIABLE: Final = "CLICKHOUSE_GRAFANA_PASSWORD"  # noqa: S105 -- a name

SYSTEM_TABLES: Final = (
    "asynchronous_metrics",
    "disks",
    "events",
    "merges",
    "metrics",
    "mutations",
    "part_log",
    "parts",
    "query_log",
    "replicas",
)
"""What the reader sees of the servers themselves; access rights and other settings it does not."""

QUERY_SECONDS: Final = 60
"""The data source waits for 30 s, and its client asks for 5 s more."""

QUERY_BYTES: Final = 2**30
"""Memory of all of the reader's queries on a server: a quarter of the smallest instance. It does
not follow the instance's type, since another type must be no other task."""

QUERIES: Final = 50
"""At once; one view of the dashboard asks some 15 times."""


@dataclass(frozen=True)
class Reader:
    """Who may read ClickHouse and do nothing else."""

    user: str
    password: SecretReference


def reader_config() -> str:
    """Build a file for `users.d`, in JSON, which every YAML parser reads.

    `readonly` 2 and not 1: the data source sets limits of its own with each query
    (https://github.com/grafana/clickhouse-datasource#clickhouse-user-for-the-data-source). The
    constraints bound them.
    """
    limits = {
        "max_execution_time": QUERY_SECONDS,
        "max_memory_usage_for_user": QUERY_BYTES,
        "max_concurrent_queries_for_user": QUERIES,
    }
    tables = ["default.*", *(f"system.{table}" for table in SYSTEM_TABLES)]
    return json.dumps(
        {
            "profiles": {
                READER: {
                    "readonly": 2,
                    **limits,
                    "constraints": {name: {"min": 1, "max": most} for name, most in limits.items()},
                }
            },
            "quotas": {READER: {"interval": {"duration": 3600, "execution_time": 3600}}},
            "users": {
                READER: {
                    "password": {"@from_env": READER_PASSWORD_VARIABLE},
                    # Security groups decide who comes as far as this.
                    "networks": {"ip": "::/0"},
                    "profile": READER,
                    "quota": READER,
                    "grants": {"query": [f"GRANT SELECT ON {table}" for table in tables]},
                }
            },
        },
        sort_keys=True,
    )


def make_reader(
    name: str,
    settings: Settings,
    password: pulumi.Output[str] | None,
    opts: pulumi.ResourceOptions,
) -> Reader | None:
    """Make the reader's password, or store the given one; None if nobody reads."""
    if not settings.grafana.enabled:
        return None
    if isinstance(settings.clickhouse, ExternalClickHouse):
        user = settings.grafana.clickhouse_user
        if user is None:
            raise ValueError("settings promise a user for an external ClickHouse")
        given = external_password(
            f"{name}-reader", "password", password, settings.deletion_protection, opts
        )
        return Reader(user, given)
    secret = GeneratedSecret(
        f"{name}-reader", GeneratedSecretArgs("ClickHouse, read-only", ["password"]), opts
    )
    return Reader(READER, secret.reference("password"))
