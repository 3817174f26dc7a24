"""Draws the arrows of a picture between its boxes: along lanes in the gaps between columns.

Whoever may talk to the same target at the same port shares a lane: a line leaves each of them and
joins the lane, which ends at the target. No line crosses a box.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final

from langfuse_aws.graph.columns import Columns, Link
from langfuse_aws.graph.drawing import Dot, Line, Point, Text
from langfuse_aws.graph.spacing import (
    ENTRY_SPACING,
    EXIT_SPACING,
    HANGING,
    LANE,
    LOOP,
    PADDING,
    Lane,
    Placement,
    lane_of,
)

APART: Final = 6
"""The least distance of two horizontal pieces that do not belong together."""
ABOVE: Final = 4
"""From a line up to its label."""
CROSSING, TOUCHING = 1, 100
"""What it costs when lines cross, and when they could be taken for one."""


class Lanes:
    """The lines, dots and labels of a placed picture."""

    def __init__(self, placement: Placement, columns: Columns, colours: Mapping[str, int]) -> None:
        self._placement = placement
        self._columns = columns
        self._colours = colours
        self.lines: list[Line] = []
        self.dots: list[Dot] = []
        self.texts: list[Text] = []
        gaps: dict[int, dict[Lane, list[Link]]] = {}
        for link in columns.links:
            gaps.setdefault(columns.of[link.source], {}).setdefault(lane_of(link), []).append(link)
        for column, lanes in sorted(gaps.items()):
            self._gap(column, lanes)
        for way in columns.ways:
            self._way(way)
        for below, above in columns.hung.items():
            self._hang(above, below)
        for node, label in columns.loops.items():
            self._loop(node, label)

    def _gap(self, column: int, lanes: Mapping[Lane, Sequence[Link]]) -> None:
        entries = self._entries(lanes)
        exits = self._exits(lanes, entries)
        spans = {
            lane: [exits[link] for link in links] + [entries[lane]] for lane, links in lanes.items()
        }
        begin = self._placement.lanes_from[column]
        order = _least_crossing(spans, {lane: entries[lane] for lane in lanes})
        label_x = begin + LANE * len(order)
        for number, lane in enumerate(order):
            x = begin + LANE * number
            self._lane(x, entries[lane], {link: exits[link] for link in lanes[lane]})
            first = lanes[lane][0]
            if first.target not in self._columns.ways:
                self.texts.append(Text(label_x, entries[lane] - ABOVE, first.label, "label"))

    def _entries(self, lanes: Mapping[Lane, Sequence[Link]]) -> dict[Lane, float]:
        """Where each lane enters its target: from above what comes from above."""
        found: dict[Lane, float] = {}
        for target in {links[0].target for links in lanes.values()}:
            mine = [lane for lane, links in lanes.items() if links[0].target == target]
            mine.sort(key=lambda lane: (self._middle(lanes[lane]), lane))
            found.update(zip(mine, self._spread(target, len(mine), ENTRY_SPACING), strict=True))
        return found

    def _exits(
        self, lanes: Mapping[Lane, Sequence[Link]], entries: Mapping[Lane, float]
    ) -> dict[Link, float]:
        """Where each line leaves its source: straight on, if it can."""
        found: dict[Link, float] = {}
        of: dict[str, list[Link]] = {}
        for lane in sorted(lanes, key=lambda lane: (entries[lane], lane)):
            for link in lanes[lane]:
                of.setdefault(link.source, []).append(link)
        for source, links in sorted(of.items()):
            box = self._placement.nodes[source]
            heights = self._spread(source, len(links), EXIT_SPACING)
            for link, height in zip(links, heights, strict=True):
                entry = entries[lane_of(link)]
                taken = [y for lane, y in entries.items() if lane != lane_of(link)]
                taken += found.values()
                alone = len(links) == 1 and len(lanes[lane_of(link)]) == 1
                wished = entry if alone and box.y < entry < box.bottom else height
                found[link] = _free(wished, taken, box.y, box.bottom)
        return found

    def _middle(self, links: Iterable[Link]) -> float:
        boxes = [self._placement.nodes[link.source] for link in links]
        return sum(box.y + box.height / 2 for box in boxes) / len(boxes)

    def _spread(self, node: str, count: int, spacing: float) -> list[float]:
        box = self._placement.nodes[node]
        first = box.y + box.height / 2 - spacing * (count - 1) / 2
        return [first + spacing * number for number in range(count)]

    def _lane(self, x: float, entry: float, exits: Mapping[Link, float]) -> None:
        """One lane at `x`: the farthest line goes all the way, the others join it."""
        links = sorted(exits, key=lambda link: (-abs(exits[link] - entry), link))
        far: dict[bool, float] = {}
        for link in links:
            start, end = self._placement.nodes[link.source], self._placement.nodes[link.target]
            y, colour = exits[link], self._colours.get(link.goal)
            points: tuple[Point, ...] = ((start.right, y), (x, y))
            side = y > entry
            if not far:
                points = (*points, (x, entry), (end.x, entry))
            elif side not in far and y != entry:
                points = (*points, (x, entry))
            if far:
                self.dots.append(Dot(points[-1], colour))
            head = link.head and not far
            if link.backward:
                points, head = points[::-1], True
            self.lines.append(Line(_shortened(points), colour, link.grant, head))
            far.setdefault(side, y)

    def _way(self, way: str) -> None:
        box = self._placement.nodes[way]
        y = box.y + box.height / 2
        link = next(each for each in self._columns.links if each.source == way)
        colour = self._colours.get(link.goal)
        self.lines.append(Line(((box.x, y), (box.right, y)), colour, link.grant, head=False))

    def _hang(self, above: str, below: str) -> None:
        start, end = self._placement.nodes[above], self._placement.nodes[below]
        x = start.x + LANE
        colour = self._colours.get(below)
        self.lines.append(Line(((x, start.bottom), (x, end.y)), colour, dashed=True, head=True))
        label = self._columns.hung_labels[below]
        self.texts.append(Text(x + ABOVE, end.y - HANGING / 2 + ABOVE, label, "label"))

    def _loop(self, node: str, label: str) -> None:
        box = self._placement.nodes[node]
        left, right, low = box.right - 2 * LANE, box.right + PADDING / 2, box.bottom + LANE
        points = (
            (left, box.bottom),
            (left, low),
            (right, low),
            (right, box.bottom - LANE),
            (box.right, box.bottom - LANE),
        )
        self.lines.append(Line(points, self._colours.get(node), dashed=False, head=True))
        y = box.bottom + LOOP / 2 + ABOVE
        self.texts.append(Text(left - ABOVE, y, label, "label", "end"))


def _shortened(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points without those that change nothing."""
    found = [points[0]]
    for point, after in zip(points[1:], [*points[2:], None], strict=True):
        straight = after is not None and found[-1][1] == point[1] == after[1]
        if point != found[-1] and not straight:
            found.append(point)
    return tuple(found)


def _free(height: float, taken: Sequence[float], top: float, bottom: float) -> float:
    """The height that is nearest and not taken, or not quite, if all are."""
    for apart in (APART, APART / 2):
        for step in range(int(bottom - top)):
            for candidate in (height + step, height - step):
                inside = top + apart <= candidate <= bottom - apart
                if inside and all(abs(candidate - each) >= apart for each in taken):
                    return candidate
    return height


def _least_crossing(
    spans: Mapping[Lane, Sequence[float]], entries: Mapping[Lane, float]
) -> list[Lane]:
    """Lanes from left to right: swapped as long as that saves crossings."""
    order = sorted(spans, key=lambda lane: (entries[lane], lane))

    def cost(order: Sequence[Lane]) -> int:
        total = 0
        for left, right in combinations(order, 2):
            taps = spans[right][:-1]
            total += sum(_within(y, spans[left]) for y in taps) * CROSSING
            total += _within(entries[left], spans[right]) * CROSSING
            total += sum(abs(y - entries[left]) < APART for y in taps) * TOUCHING
        return total

    best = cost(order)
    improved = True
    while improved:
        improved = False
        for one, other in combinations(range(len(order)), 2):
            tried = list(order)
            tried[one], tried[other] = tried[other], tried[one]
            if (found := cost(tried)) < best:
                order, best, improved = tried, found, True
    return order


def _within(y: float, span: Sequence[float]) -> bool:
    return min(span) - APART < y < max(span) + APART
