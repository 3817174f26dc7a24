"""What options of the commands take: the words, and the form of a time."""

from datetime import datetime
from typing import Final, Literal

import typer

By = Literal["resource", "component"]
"""What the bill has a line for."""
Format = Literal["mermaid", "dot", "svg", "png"]
"""Of a picture of the architecture."""
Target = Literal["database", "redis", "nextauth"]
"""What `rotate` changes."""
DEFAULT_STACK: Final = "dev"
DEFAULT_REGION: Final = "us-east-1"
"""Of a new project, as the stacks of the repository have it."""
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%z"


def point_in_time(text: str) -> datetime:
    """Read an option's time. Raises typer.BadParameter."""
    try:
        return datetime.strptime(text, TIME_FORMAT)
    except ValueError:
        raise typer.BadParameter(
            f"{text} is no time with its zone. Write it as 2026-11-20T10:00:00Z."
        ) from None
