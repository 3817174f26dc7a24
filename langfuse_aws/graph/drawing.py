"""A picture with places: boxes, lines and texts in pixels, from the top left. No colours, no file.

Widths of text are estimated from above, for the widest of the usual fonts, so that a text fits its
box whatever font the reader has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Point = tuple[float, float]

TITLE_SIZE: Final = 12
LINE_SIZE: Final = 11
LABEL_SIZE: Final = 10
_BOLD: Final = 1.14
_WIDTHS: Final = {
    "'ijlIJ,./:;|\\ -f": 0.37,
    "t()[]!r": 0.44,
    "ABEKPRSTVXYZ": 0.72,
    "CDGHNOQUMw#&+<=>^~×": 0.88,  # noqa: RUF001
    "mW@%": 1.0,
}
"""Widths of DejaVu Sans, rounded up, in parts of the font's size."""
_USUAL_WIDTH: Final = 0.65

BEND: Final = 6
"""Radius of a line's bends, and of a box's corners."""
HEAD_LENGTH: Final = 8
HEAD_WIDTH: Final = 7
DOT_RADIUS: Final = 2.5
LINE_WIDTH: Final = 1.4
STORE_WIDTH: Final = 2.0
"""Of a store's outline; of other boxes 1."""
DASHES: Final = (5, 3)

Style = Literal["page", "frame", "service", "store", "outside"]
TextStyle = Literal["heading", "title", "line", "label"]


@dataclass(frozen=True)
class Box:
    """A rectangle; a store and the arrows to it have a colour of their own, by number."""

    x: float
    y: float
    width: float
    height: float
    style: Style
    colour: int | None = None

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


@dataclass(frozen=True)
class Line:
    """Straight pieces, with or without an arrowhead at the end."""

    points: tuple[Point, ...]
    colour: int | None
    dashed: bool
    head: bool


@dataclass(frozen=True)
class Dot:
    """Where one line joins another."""

    at: Point
    colour: int | None


@dataclass(frozen=True)
class Text:
    """One line of text; `y` is its baseline."""

    x: float
    y: float
    text: str
    style: TextStyle
    anchor: Literal["start", "end"] = "start"

    @property
    def width(self) -> float:
        """At most this wide."""
        return text_width(self.text, self.style)


@dataclass(frozen=True)
class Drawing:
    """Everything, in the order in which it is painted."""

    title: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    texts: tuple[Text, ...]


SIZES: Final[dict[TextStyle, int]] = {
    "heading": TITLE_SIZE,
    "title": TITLE_SIZE,
    "line": LINE_SIZE,
    "label": LABEL_SIZE,
}
BOLD: Final[frozenset[TextStyle]] = frozenset({"heading", "title"})


def text_width(text: str, style: TextStyle) -> float:
    """How wide a text is at most, in pixels."""
    parts = [
        next((width for those, width in _WIDTHS.items() if each in those), _USUAL_WIDTH)
        for each in text
    ]
    return sum(parts) * SIZES[style] * (_BOLD if style in BOLD else 1)


def corners(points: Sequence[Point]) -> list[tuple[Point, Point, Point]]:
    """Where each corner of a line begins to bend, the corner itself, and where it ends."""
    found: list[tuple[Point, Point, Point]] = []
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        found.append((_towards(corner, before), corner, _towards(corner, after)))
    return found


def head(points: Sequence[Point]) -> list[Point]:
    """The three corners of the arrowhead at the end of a line."""
    (before_x, before_y), (x, y) = points[-2:]
    along = ((x > before_x) - (x < before_x), (y > before_y) - (y < before_y))
    back = (x - along[0] * HEAD_LENGTH, y - along[1] * HEAD_LENGTH)
    side = (along[1] * HEAD_WIDTH / 2, along[0] * HEAD_WIDTH / 2)
    return [(x, y), (back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1])]


def radius(box: Box) -> float:
    """How round a box is at its corners."""
    return {"page": 0.0, "outside": box.height / 2}.get(box.style, BEND)


def _towards(start: Point, end: Point) -> Point:
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    part = min(BEND, length / 2) / length if length else 0
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
