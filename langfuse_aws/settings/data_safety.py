"""The sections that keep data: `backups`, and the write mode of Langfuse 4's tables."""

from typing import Final, Literal

from pydantic import Field

from langfuse_aws.settings.regions import Region
from langfuse_aws.settings.section import Section

WriteMode = Literal["legacy", "dual", "events_only"]

DEFAULT_WRITE_MODE: Final[dict[int, WriteMode]] = {3: "legacy", 4: "events_only"}
"""Langfuse's own defaults, by major."""


class Backups(Section):
    """Snapshots of the ClickHouse volumes, by AWS Backup.

    PostgreSQL has point-in-time recovery (`postgres.backupRetentionDays`) beside them.
    """

    hourly_retention_days: int = Field(
        ge=0, le=35, description="Days that hourly snapshots are kept; 0: none are taken"
    )
    daily_retention_days: int = Field(
        ge=1, le=3650, description="Days that daily snapshots are kept"
    )
    copy_region: Region | None = Field(
        None,
        description="Second region for copies of the daily snapshots, and of PostgreSQL's",
    )
    vault_lock: bool = Field(
        False,
        description="Lock the vault in governance mode: nobody deletes a snapshot early without "
        "the permission to take the lock away",
    )


class V4(Section):
    """How Langfuse writes while it moves to version 4's tables. See docs/upgrade.md."""

    write_mode: WriteMode | None = Field(
        None,
        description="Tables that are written; not set: `legacy` in Langfuse 3, "
        "`events_only` in Langfuse 4",
    )
    historic_backfill: bool | None = Field(
        None,
        description="Copy old events to the new tables, which takes three times their disk; "
        "not set: unless the write mode is `legacy`",
    )
