"""The colours of a drawing, on a light and on a dark page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from langfuse_aws.graph.drawing import Box, TextStyle


@dataclass(frozen=True)
class Colours:
    """What is painted how, as #rrggbb."""

    fills: Mapping[str, str]
    """By a box's style."""
    edge: str
    texts: Mapping[TextStyle, str]
    line: str
    """Of arrows that do not lead to a store."""
    stores: tuple[str, ...]
    """Of the stores and the arrows to them, by number; more stores share them."""

    def of(self, number: int | None) -> str:
        """The colour of a store or its arrows; or of an arrow to anything else."""
        return self.line if number is None else self.stores[number % len(self.stores)]

    def edge_of(self, box: Box) -> str:
        """The colour of a box's outline."""
        return self.edge if box.colour is None else self.of(box.colour)


LIGHT: Final = Colours(
    {
        "page": "#ffffff",
        "frame": "#f6f8fa",
        "service": "#ffffff",
        "store": "#ffffff",
        "outside": "#eaeef2",
    },
    "#8c959f",
    {"heading": "#1f2328", "title": "#1f2328", "label": "#1f2328", "line": "#59636e"},
    "#59636e",
    ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#0e7c86"),
)
DARK: Final = Colours(
    {
        "page": "#0d1117",
        "frame": "#151b23",
        "service": "#0d1117",
        "store": "#0d1117",
        "outside": "#262c36",
    },
    "#6e7681",
    {"heading": "#f0f6fc", "title": "#f0f6fc", "label": "#f0f6fc", "line": "#9198a1"},
    "#9198a1",
    ("#4493f8", "#f0883e", "#3fb950", "#ab7df8", "#f778ba", "#39c5cf"),
)
