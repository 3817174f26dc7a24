"""What is served below a path of the ingress, beside web, which serves all other paths."""

from dataclasses import dataclass
from typing import Final

GRAFANA_PATH: Final = "/grafana"


@dataclass(frozen=True)
class PathPart:
    """A service behind a path."""

    container: str
    port: int
    path: str
    """Without a slash at the end; the service gets it as it is."""
    health_path: str
