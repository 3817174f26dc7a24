"""The section `rotation`: which passwords a stack has, and how far a change of one has come.

`rotate` writes it (docs/adr/0024-rotation-by-a-counter.md), and nobody else needs to.
"""

from typing import Literal

from pydantic import Field

from langfuse_aws.settings.section import Section


class Rotated(Section):
    """One password, token or secret that can be changed."""

    version: int = Field(
        1, ge=1, description="Which one it is; another makes another. Raised by `rotate`"
    )
    step: Literal["begun", "ending"] | None = Field(
        None,
        description="How far `rotate` has come with it; not set: no rotation is under way. "
        "Written by `rotate`, which goes on from there",
    )

    @property
    def begun(self) -> bool:
        """Whether the one before must still be taken."""
        return self.step == "begun"


class Rotation(Section):
    """What `rotate` changes, by what it is called there."""

    database: Rotated = Rotated()  # pyright: ignore[reportCallIssue]
    redis: Rotated = Rotated()  # pyright: ignore[reportCallIssue]
    nextauth: Rotated = Rotated()  # pyright: ignore[reportCallIssue]
