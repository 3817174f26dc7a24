"""Writes a drawing as PNG, in light colours, by matplotlib, which brings its own font."""

from io import BytesIO
from typing import Any, Final

from langfuse_aws.graph.colours import LIGHT
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
    Text,
    corners,
    head,
    radius,
)

SCALE: Final = 2
"""Dots for a pixel of the drawing."""
_DOTS_PER_INCH: Final = 100
_POINTS: Final = 72 / _DOTS_PER_INCH
"""Of a pixel: matplotlib measures fonts and lines in points of 1/72 inch."""


def png(drawing: Drawing) -> bytes:
    """The whole file. Raises ImportError without matplotlib, which nothing else here needs."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Polygon

    figure: Any = Figure((drawing.width / _DOTS_PER_INCH, drawing.height / _DOTS_PER_INCH))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
    axes.axis("off")
    for box in drawing.boxes:
        axes.add_patch(_box(box))
    for line in drawing.lines:
        colour = LIGHT.of(line.colour)
        axes.add_patch(_line(line))
        if line.head:
            axes.add_patch(Polygon(head(line.points), facecolor=colour, linewidth=0))
    for dot in drawing.dots:
        axes.add_patch(Circle(dot.at, DOT_RADIUS, facecolor=LIGHT.of(dot.colour), linewidth=0))
    for text in drawing.texts:
        _write(axes, text)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH * SCALE, metadata={"Software": None})
    return file.getvalue()


def _box(box: Box) -> Any:
    from matplotlib.patches import FancyBboxPatch

    width = 0 if box.style == "page" else 1 if box.colour is None else STORE_WIDTH
    return FancyBboxPatch(
        (box.x, box.y),
        box.width,
        box.height,
        boxstyle=f"round,pad=0,rounding_size={radius(box)}",
        facecolor=LIGHT.fills[box.style],
        edgecolor=LIGHT.edge_of(box),
        linewidth=width * _POINTS,
    )


def _line(line: Line) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points, codes = [line.points[0]], [Path.MOVETO]
    for bend in corners(line.points):
        points += bend
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return PathPatch(
        Path([*points, line.points[-1]], [*codes, Path.LINETO]),
        facecolor="none",
        edgecolor=LIGHT.of(line.colour),
        linewidth=LINE_WIDTH * _POINTS,
        linestyle=(0, tuple(each / LINE_WIDTH for each in DASHES)) if line.dashed else "solid",
        capstyle="butt",
    )


def _write(axes: Any, text: Text) -> None:
    axes.text(
        text.x,
        text.y,
        text.text,
        fontsize=SIZES[text.style] * _POINTS,
        fontweight="bold" if text.style in BOLD else "normal",
        fontfamily="DejaVu Sans",
        color=LIGHT.texts[text.style],
        horizontalalignment="right" if text.anchor == "end" else "left",
        verticalalignment="baseline",
        parse_math=False,
    )
