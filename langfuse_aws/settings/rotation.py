"""The section `rotation`: which passwords a stack has, and how far a change of one has come.

`rotate` writes it (docs/adr/0024-rotation-by-a-counter.md), and nobody else needs to.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from langfuse_aws.settings.section import Section

Step = Literal["begun", "ending"]


def _version(what: str) -> str:
    return f"Which {what} it is; another makes another. Raised by `rotate`"


_STEP = Field(
    None,
    description="How far `rotate` has come, which goes on from there; not set: none is under way",
)


class Rotated(NamedTuple):
    """One password, token or secret that can be changed."""

    version: int
    step: Step | None

    @property
    def begun(self) -> bool:
        """Whether the one before must still be taken."""
        return self.step == "begun"


NEVER = Rotated(1, None)
"""What is as it was made."""


class Rotation(Section):
    """What `rotate` changes, by what it is called there."""

    database_version: int = Field(1, ge=1, description=_version("password of PostgreSQL's owner"))
    database_step: Annotated[Step | None, _STEP] = None
    redis_version: int = Field(1, ge=1, description=_version("token of Valkey"))
    redis_step: Annotated[Step | None, _STEP] = None
    nextauth_version: int = Field(1, ge=1, description=_version("`NEXTAUTH_SECRET`"))
    nextauth_step: Annotated[Step | None, _STEP] = None

    @property
    def database(self) -> Rotated:
        """Of PostgreSQL's owner."""
        return Rotated(self.database_version, self.database_step)

    @property
    def redis(self) -> Rotated:
        """Of Valkey."""
        return Rotated(self.redis_version, self.redis_step)

    @property
    def nextauth(self) -> Rotated:
        """Of users' sessions."""
        return Rotated(self.nextauth_version, self.nextauth_step)
