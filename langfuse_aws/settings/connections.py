"""The keys of `postgres`, whatever its mode, that decide how tasks connect to it. Pure."""

from typing import Final

from pydantic import Field

from langfuse_aws.contract.ports_and_health import CONNECTIONS_PER_TASK
from langfuse_aws.settings.section import Section

CONNECT_SECONDS: Final = 5
"""Prisma's own default.
https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments"""

RESUME_SECONDS: Final = 60
"""For a paused Aurora: it resumes in about 15 s, after a day in 30 s or longer.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html"""

MOST_CONNECTIONS_PER_TASK: Final = 500
"""A guard against typing errors."""

LONGEST_CONNECT_SECONDS: Final = 300


class Connections(Section):
    """How a task of web or the worker connects to PostgreSQL."""

    connection_limit: int = Field(
        CONNECTIONS_PER_TASK,
        ge=1,
        le=MOST_CONNECTIONS_PER_TASK,
        description="Connections of each web and worker task at the most; all together must fit "
        "into what the database allows",
    )
    connect_timeout_seconds: int | None = Field(
        None,
        ge=1,
        le=LONGEST_CONNECT_SECONDS,
        description=f"Seconds that a task waits for a new connection; not set: {CONNECT_SECONDS}, "
        f"or {RESUME_SECONDS} with `minAcu` 0, where PostgreSQL may have to resume",
    )

    @property
    def pauses(self) -> bool:
        """Whether the database may be paused while nobody is connected."""
        return False

    @property
    def connect_seconds(self) -> int:
        """Seconds that a task waits for a new connection."""
        if self.connect_timeout_seconds is not None:
            return self.connect_timeout_seconds
        return RESUME_SECONDS if self.pauses else CONNECT_SECONDS
