"""What an update, a refresh or a destroy gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langfuse_aws.graph.preview import UNCHANGED


@dataclass(frozen=True)
class Result:
    """What an update, a refresh or a destroy did."""

    changes: Mapping[str, int]
    """How many resources had what done to them, those that stayed included."""
    outputs: Mapping[str, Any]
    """The stack's outputs afterwards."""
    seconds: float

    @property
    def changed(self) -> int:
        """How many resources are other than before."""
        return sum(number for kind, number in self.changes.items() if kind not in UNCHANGED)
