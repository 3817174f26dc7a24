"""How far apart things stand in a laid-out picture, in pixels; and what shares a lane."""

from dataclasses import dataclass, field
from textwrap import wrap
from typing import Final

from langfuse_aws.graph.columns import Link
from langfuse_aws.graph.drawing import Box, Text
from langfuse_aws.graph.picture import Node

MARGIN: Final = 16
PADDING: Final = 10
"""Inside of a node, and of a frame."""
BETWEEN: Final = 16
"""From one box to the next below it."""
LEADING: Final = 15
"""From one line of text to the next."""
FRAME_TITLE: Final = 26
LANE: Final = 12
"""From one vertical piece of an arrow to the next."""
ENTRY_SPACING: Final = 16
EXIT_SPACING: Final = 10
HANGING: Final = 34
"""From a node to what hangs below it."""
LOOP: Final = 24
"""Room below a node for the arrow to itself."""
ARROWHEAD: Final = 12
WIDEST: Final = 60
"""Characters of a line before it is broken."""
WAY_HEIGHT: Final = 10

Lane = tuple[str, str, bool, str, bool]


def lane_of(link: Link) -> Lane:
    """Links of one lane are drawn as one line: same target, label, kind and direction."""
    only = link.source if link.backward else ""
    return (link.target, link.label, link.grant, f"{link.goal}{only}", link.backward)


@dataclass
class Placement:
    """Where the boxes are."""

    nodes: dict[str, Box] = field(default_factory=dict[str, Box])
    frames: list[Box] = field(default_factory=list[Box])
    texts: list[Text] = field(default_factory=list[Text])
    lanes_from: dict[int, float] = field(default_factory=dict[int, float])
    """By column, where the lanes to its right begin."""
    width: float = 0
    bottom: float = 0


def text_lines(node: Node) -> list[str]:
    """The lines below a node's title, broken."""
    return [part for line in node.details for part in wrap(line, WIDEST, break_on_hyphens=False)]
