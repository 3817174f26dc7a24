"""What options of the commands take: the words, and the form of a time."""

from typing import Final, Literal

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
