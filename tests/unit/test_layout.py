"""Where a picture's boxes, lines and texts stand: nothing covers anything else.

It proves this for the shipped stacks, a stack with every door, and shapes made by hand: arrows past
a column, back, and round. Whether the result is pleasant to look at, it cannot tell.
"""

import random
import string
from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import pytest
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font, LoadFlags

from development.architecture_parts import EVERY_DOOR
from development.recorded_graph import recorded, shipped_config
from langfuse_aws.graph import lanes
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.drawing import BOLD, SIZES, Box, Drawing, Line, Text, TextStyle
from langfuse_aws.graph.grouping import Detail
from langfuse_aws.graph.layout import layout
from langfuse_aws.graph.picture import Arrow, Frame, Item, Node, Picture

STACKS: Mapping[str, Mapping[str, Any]] = {
    **{name: shipped_config(name) for name in ("dev", "staging", "prod")},
    "every-door": EVERY_DOOR,
}
FONTS: Mapping[bool, Any] = {
    bold: FT2Font(f"{get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf")
    for bold in (False, True)
}
SUBPIXELS = 64
"""FreeType's unit."""
NEAR = 2.0
"""Pixels by which things that touch may overlap."""


class Area(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def within(self, other: "Area") -> bool:
        """Whether it is inside of another."""
        return (
            other.left <= self.left
            and other.top <= self.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )

    def meets(self, other: "Area") -> bool:
        """Whether the two overlap by more than a touch."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > NEAR
            and min(self.bottom, other.bottom) - max(self.top, other.top) > NEAR
        )


def area_of(box: Box) -> Area:
    return Area(box.x, box.y, box.right, box.bottom)


def text_area(text: Text) -> Area:
    left = text.x - text.width if text.anchor == "end" else text.x
    size = SIZES[text.style]
    return Area(left, text.y - size * 0.75, left + text.width, text.y + size * 0.2)


def pieces(line: Line) -> Iterable[Area]:
    """The straight pieces, each as thick as what must stay free around it."""
    for (x, y), (to_x, to_y) in pairwise(line.points):
        half = NEAR
        yield Area(
            min(x, to_x) - half, min(y, to_y) - half, max(x, to_x) + half, max(y, to_y) + half
        )


def shortened(piece: Area) -> Area:
    """A piece without its ends, which may touch a box or another piece."""
    cut = 4 * NEAR
    if piece.right - piece.left > piece.bottom - piece.top:
        return Area(piece.left + cut, piece.top, piece.right - cut, piece.bottom)
    return Area(piece.left, piece.top + cut, piece.right, piece.bottom - cut)


def faults(drawing: Drawing) -> list[str]:
    """Everything that covers something else."""
    page, *boxes = drawing.boxes
    frames = [area_of(box) for box in boxes if box.style == "frame"]
    nodes = [area_of(box) for box in boxes if box.style != "frame"]
    texts = [(text.text, text_area(text)) for text in drawing.texts]
    found = [f"{each} leaves the page" for each in nodes + frames if not each.within(area_of(page))]
    found += [f"{text} leaves the page" for text, each in texts if not each.within(area_of(page))]
    found += [f"{a} and {b} overlap" for a, b in combinations(nodes, 2) if a.meets(b)]
    found += [
        f"{frame} and {other} overlap"
        for frame in frames
        for other in frames + nodes
        if frame.meets(other) and not (other.within(frame) or frame.within(other))
    ]
    found += [f"{a[0]} and {b[0]} overlap" for a, b in combinations(texts, 2) if a[1].meets(b[1])]
    found += [
        f"the edge of {frame} crosses {text}"
        for frame in frames
        for text, each in texts
        if each.meets(frame) and not each.within(frame)
    ]
    for line in drawing.lines:
        for piece in pieces(line):
            inside = shortened(piece)
            found += [f"{line} crosses the box {node}" for node in nodes if inside.meets(node)]
            found += [f"{line} crosses {text}" for text, each in texts if piece.meets(each)]
    for one, other in combinations(drawing.lines, 2):
        if (one.colour, one.dashed) != (other.colour, other.dashed):
            found += [
                f"{one} and {other} could be taken for one"
                for a in pieces(one)
                for b in pieces(other)
                if flat(a) == flat(b) and shortened(a).meets(shortened(b))
            ]
    return found


def flat(piece: Area) -> bool:
    return piece.right - piece.left > piece.bottom - piece.top


@pytest.mark.parametrize("detail", ["components", "resources"])
@pytest.mark.parametrize("stack", list(STACKS))
def test_nothing_covers_anything_else_in_the_picture_of_a_stack(stack: str, detail: Detail) -> None:
    drawing = layout(architecture(recorded(stack, STACKS[stack]), detail))
    assert faults(drawing) == []


def drawn(arrows: Iterable[Arrow], *children: Item) -> Drawing:
    given = {node for arrow in arrows for node in (arrow.source, arrow.target)}
    inside = {node.id for child in children if isinstance(child, Frame) for node in child.children}
    nodes = [Node(each, each.upper(), ("text",)) for each in sorted(given - inside)]
    return layout(Picture("by hand", (*nodes, *children), tuple(sorted(arrows))))


def box_of(drawing: Drawing, title: str) -> Box:
    (text,) = [each for each in drawing.texts if each.text == title]
    holders = [b for b in drawing.boxes if text_area(text).within(area_of(b))]
    return min(holders, key=lambda box: box.width * box.height)


def heads(drawing: Drawing) -> set[tuple[float, float]]:
    return {line.points[-1] for line in drawing.lines if line.head}


def test_who_talks_stands_left_of_whom_it_talks_to() -> None:
    drawing = drawn([Arrow("a", "b", "1"), Arrow("b", "c", "2"), Arrow("d", "c", "3")])
    a, b, c, d = (box_of(drawing, title) for title in "ABCD")
    assert a.right < b.x
    assert b.right < c.x
    assert d.x == b.x, "what nobody talks to stands just left of its own target"


def test_an_arrow_past_a_column_goes_between_the_boxes_there() -> None:
    drawing = drawn([Arrow("a", "b", "1"), Arrow("b", "c", "2"), Arrow("a", "c", "3")])
    assert faults(drawing) == []
    c = box_of(drawing, "C")
    assert len([x for x, y in heads(drawing) if x == c.x and c.y < y < c.bottom]) == 2


def test_an_arrow_back_has_its_head_where_it_goes() -> None:
    drawing = drawn([Arrow("a", "b", "1"), Arrow("b", "a", "2")])
    assert faults(drawing) == []
    a, b = box_of(drawing, "A"), box_of(drawing, "B")
    assert sorted(x for x, _ in heads(drawing)) == [a.right, b.x]


def test_an_arrow_back_past_a_column_has_one_head() -> None:
    drawing = drawn([Arrow("a", "b", "1"), Arrow("b", "c", "2"), Arrow("c", "a", "3")])
    assert faults(drawing) == []
    ends = sorted(x for x, _ in heads(drawing))
    a, b, c = (box_of(drawing, title) for title in "ABC")
    assert ends == [a.right, b.x, c.x]
    assert len([line for line in drawing.lines if line.head]) == 3


@pytest.mark.parametrize("seed", [*range(25), 462])
def test_nothing_covers_anything_else_whoever_talks_to_whom(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    nodes = [f"n{number}" for number in range(chance.randint(2, 9))]
    arrows: set[Arrow] = set()
    for _ in range(chance.randint(1, 16)):
        source, target = chance.sample(nodes, 2)
        arrows.add(Arrow(source, target, chance.choice(["1", "8123", "9000, 9009"])))
    inside = [Node(each, each.upper(), ("text",), "store") for each in nodes[:3]]
    drawing = drawn(sorted(arrows), Frame("f", "Frame", tuple(inside)))
    assert faults(drawing) == []


def test_lanes_are_in_an_order_that_saves_crossings(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = architecture(recorded("prod", STACKS["prod"]))
    chosen = crossings(layout(picture))

    def plain(spans: Mapping[Any, Any], _: object) -> list[Any]:
        return sorted(spans)

    monkeypatch.setattr(lanes, "_least_crossing", plain)
    assert chosen < crossings(layout(picture))


def crossings(drawing: Drawing) -> int:
    found = [piece for line in drawing.lines for piece in pieces(line)]
    across, down = [p for p in found if flat(p)], [p for p in found if not flat(p)]
    return sum(shortened(one).meets(shortened(other)) for one in across for other in down)


def test_an_arrow_to_itself_leaves_and_comes_back() -> None:
    drawing = drawn([Arrow("a", "b", "1"), Arrow("b", "b", "22")])
    assert faults(drawing) == []
    b = box_of(drawing, "B")
    (loop,) = [line for line in drawing.lines if line.points[0][1] == b.bottom]
    assert loop.points[-1][0] == b.right
    assert "22" in [text.text for text in drawing.texts]


def test_sources_of_the_same_door_share_a_lane_with_one_head_and_one_label() -> None:
    arrows = [Arrow(source, "store", "5432") for source in ("a", "b", "c")]
    drawing = drawn(arrows)
    assert faults(drawing) == []
    assert len(drawing.lines) == 3
    assert len(heads(drawing)) == 1
    assert len(drawing.dots) == 2
    assert [text.text for text in drawing.texts].count("5432") == 1


def test_a_box_is_high_enough_for_its_arrows() -> None:
    drawing = drawn([Arrow("a", f"t{number}", "1") for number in range(14)])
    assert faults(drawing) == []
    a = box_of(drawing, "A")
    starts = sorted(line.points[0][1] for line in drawing.lines)
    assert len(starts) == 14
    assert a.y < starts[0] < starts[-1] < a.bottom
    assert min(after - before for before, after in pairwise(starts)) > NEAR


def test_a_store_has_the_colour_of_the_arrows_to_it() -> None:
    stores = (Node("p", "P", (), "store"), Node("q", "Q", (), "store"), Node("r", "R", (), "store"))
    frame = Frame("f", "Frame", stores)
    drawing = drawn([Arrow("a", "p", "1"), Arrow("a", "q", "2"), Arrow("p", "s", "3")], frame)
    p, q, r, s = (box_of(drawing, title).colour for title in "PQRS")
    assert (p, q, r, s) == (0, 1, None, None), "nobody talks to R, and S is no store"
    assert sorted(str(line.colour) for line in drawing.lines) == ["0", "1", "None"]


def test_what_a_neighbour_alone_reaches_by_a_right_hangs_below_it() -> None:
    frame = Frame("f", "Frame", (Node("b", "B"), Node("c", "C", (), "store")))
    drawing = drawn([Arrow("a", "b", "1"), Arrow("b", "c", "IAM", "grant")], frame)
    assert faults(drawing) == []
    b, c = box_of(drawing, "B"), box_of(drawing, "C")
    assert (b.x, b.bottom < c.y) == (c.x, True)


def test_what_no_arrow_reaches_is_there_all_the_same() -> None:
    alone = [Node(f"n{number}", f"N{number}", ("a line of text",)) for number in range(9)]
    drawing = drawn([Arrow("a", "b", "1")], *alone, Frame("f", "Frame", (Node("x", "X"),)))
    assert faults(drawing) == []
    assert {f"N{number}" for number in range(9)} | {"X", "Frame"} <= {t.text for t in drawing.texts}
    assert faults(drawn([], *alone)) == []
    assert faults(drawn([])) == []


def test_a_long_line_is_broken_and_loses_nothing() -> None:
    words = [f"clickhouse-{number}" for number in range(30)]
    drawing = drawn([], Node("n", "N", (", ".join(words),)))
    lines = [text.text for text in drawing.texts if text.style == "line"]
    assert len(lines) > 3
    assert " ".join(lines) == ", ".join(words)


def test_a_text_is_no_wider_than_is_reckoned_with() -> None:
    texts = layout(architecture(recorded("prod", STACKS["prod"]), "resources")).texts
    too_wide = [
        text.text
        for text in {(each.text, each.style): each for each in texts}.values()
        if measured(text) > text.width
    ]
    assert too_wide == []


@pytest.mark.parametrize("style", ["title", "line", "label"])
def test_no_character_is_wider_than_is_reckoned_with(style: TextStyle) -> None:
    texts = [Text(0, 0, each * 20, style) for each in f"{string.printable.strip()}×–"]  # noqa: RUF001
    assert [text.text[0] for text in texts if measured(text) > text.width] == []


def measured(text: Text) -> float:
    """In DejaVu Sans, the widest of the usual fonts."""
    font = FONTS[text.style in BOLD]
    font.set_size(SIZES[text.style], 72)
    font.set_text(text.text, flags=LoadFlags.NO_HINTING)
    return font.get_width_height()[0] / SUBPIXELS
