"""Writes a drawing as SVG, in light or in dark colours, whichever the reader's system prefers.

It has a background of its own, so that it can be read on any page.
"""

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from langfuse_aws.graph.colours import DARK, LIGHT, Colours
from langfuse_aws.graph.drawing import (
    BOLD,
    DASHES,
    DOT_RADIUS,
    LINE_WIDTH,
    SIZES,
    STORE_WIDTH,
    Box,
    Drawing,
    Line,
    Point,
    Text,
    corners,
    head,
    radius,
)

FONT: Final = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


def svg(drawing: Drawing) -> str:
    """The whole file."""
    return "\n".join([*_svg(drawing), ""])


def _svg(drawing: Drawing) -> Iterator[str]:
    width, height = _number(drawing.width), _number(drawing.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">'
    )
    yield f"<title>{escape(drawing.title)}</title>"
    yield "<style>"
    yield f"text {{ font-family: {FONT}; }}"
    yield from _style(LIGHT)
    yield "@media (prefers-color-scheme: dark) {"
    yield from _style(DARK)
    yield "}"
    yield "</style>"
    yield from map(_box, drawing.boxes)
    for line in drawing.lines:
        yield from _line(line)
    for dot in drawing.dots:
        x, y = map(_number, dot.at)
        yield f'<circle class="full {_store(dot.colour)}" cx="{x}" cy="{y}" r="{DOT_RADIUS}"/>'
    yield from map(_text, drawing.texts)
    yield "</svg>"


def _style(colours: Colours) -> Iterator[str]:
    for style, fill in colours.fills.items():
        yield f".{style} {{ fill: {fill}; stroke: {colours.edge}; }}"
    for style, fill in colours.texts.items():
        yield f"text.{style} {{ fill: {fill}; }}"
    for number in (None, *range(len(colours.stores))):
        name, colour = _store(number), colours.of(number)
        yield f".full.{name} {{ fill: {colour}; }}"
        yield f".edge.{name} {{ stroke: {colour}; }}"


def _box(box: Box) -> str:
    places = {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "rx": radius(box)}
    place = " ".join(f'{key}="{_number(value)}"' for key, value in places.items())
    if box.style == "page":
        return f'<rect class="page" {place} stroke-width="0"/>'
    if box.colour is None:
        return f'<rect class="{box.style}" {place}/>'
    names = f"{box.style} edge {_store(box.colour)}"
    return f'<rect class="{names}" {place} stroke-width="{_number(STORE_WIDTH)}"/>'


def _line(line: Line) -> Iterator[str]:
    dashes = f' stroke-dasharray="{DASHES[0]} {DASHES[1]}"' if line.dashed else ""
    yield (
        f'<path class="edge {_store(line.colour)}" d="{_path(line)}" fill="none" '
        f'stroke-width="{LINE_WIDTH}"{dashes}/>'
    )
    if line.head:
        points = " ".join(map(_point, head(line.points)))
        yield f'<polygon class="full {_store(line.colour)}" points="{points}"/>'


def _path(line: Line) -> str:
    parts = [f"M{_point(line.points[0])}"]
    for begin, corner, end in corners(line.points):
        parts.append(f"L{_point(begin)} Q{_point(corner)} {_point(end)}")
    return " ".join([*parts, f"L{_point(line.points[-1])}"])


def _text(text: Text) -> str:
    weight = ' font-weight="bold"' if text.style in BOLD else ""
    anchor = ' text-anchor="end"' if text.anchor == "end" else ""
    return (
        f'<text class="{text.style}" x="{_number(text.x)}" y="{_number(text.y)}" '
        f'font-size="{SIZES[text.style]}"{weight}{anchor}>{escape(text.text)}</text>'
    )


def _store(number: int | None) -> str:
    """The class of a store's colour."""
    return "plain" if number is None else f"store{number % len(LIGHT.stores)}"


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
