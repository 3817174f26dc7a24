"""Places the boxes of a picture: nodes in columns, frames around them, the rest in rows below.

The gaps between columns are as wide as the arrows in them need; `lanes` puts these there.
"""

from collections.abc import Iterable, Mapping, Sequence

from langfuse_aws.graph.columns import Columns
from langfuse_aws.graph.drawing import Box, Text, text_width
from langfuse_aws.graph.picture import Frame, Item, Node, Picture, nodes_of
from langfuse_aws.graph.spacing import (
    ARROWHEAD,
    BETWEEN,
    ENTRY_SPACING,
    EXIT_SPACING,
    FRAME_TITLE,
    HANGING,
    LANE,
    LEADING,
    LOOP,
    MARGIN,
    PADDING,
    WAY_HEIGHT,
    Placement,
    lane_of,
    text_lines,
)


def place(picture: Picture, columns: Columns, colours: Mapping[str, int]) -> Placement:
    """Place every box below the heading."""
    return _Placer(picture, columns, colours).placed()


class _Placer:
    def __init__(self, picture: Picture, columns: Columns, colours: Mapping[str, int]) -> None:
        self._picture = picture
        self._columns = columns
        self._colours = colours
        self._result = Placement()
        self._lanes = {(columns.of[each.source], lane_of(each)) for each in columns.links}
        self._nodes = {node.id: node for node in nodes_of(picture.children)}
        self._nodes |= {way: Node(way, "") for way in columns.ways}
        self._count = max(columns.of.values(), default=0) + 1
        self._widths = [0.0] * self._count
        for node, column in columns.of.items():
            self._widths[column] = max(self._widths[column], self._size(self._nodes[node])[0])
        self._make_room(picture.children)
        self._left = self._column_edges()

    def placed(self) -> Placement:
        top = MARGIN + LEADING + BETWEEN
        items = [each for each in self._picture.children if self._span(each)]
        ways: list[Item] = [self._nodes[way] for way in self._columns.ways]
        skyline = {column: float(top) for column in range(self._count)}
        self._stack([*items, *ways], skyline)
        self._fill([each for each in self._picture.children if not self._span(each)], skyline)
        result = self._result
        boxes = [*result.nodes.values(), *result.frames]
        result.width = max([box.right for box in boxes], default=0) + MARGIN
        result.bottom = max([*skyline.values(), *(box.bottom + BETWEEN for box in boxes)])
        return result

    def _make_room(self, items: Iterable[Item]) -> None:
        """Let the first column of a frame be as wide as its title."""
        for frame in items:
            if isinstance(frame, Frame) and (span := self._span(frame)):
                width = text_width(frame.title, "title")
                self._widths[span[0]] = max(self._widths[span[0]], width)
                self._make_room(frame.children)

    def _size(self, node: Node) -> tuple[float, float]:
        if node.id in self._columns.ways:
            return 0, WAY_HEIGHT
        lines = text_lines(node)
        widths = [text_width(node.title, "title"), *(text_width(line, "line") for line in lines)]
        entries = sum(lane[0] == node.id for _, lane in self._lanes)
        exits = len({lane_of(each) for each in self._columns.links if each.source == node.id})
        height = max(
            LEADING * (1 + len(lines)) + 2 * PADDING - 4,
            ENTRY_SPACING * (entries + 1),
            EXIT_SPACING * (exits + 1),
        )
        return max(widths) + 2 * PADDING, height

    def _column_edges(self) -> list[float]:
        """The left edge of each column's boxes; notes where lanes begin."""
        edges: list[float] = []
        x = float(MARGIN)
        for column, width in enumerate(self._widths):
            x += PADDING * self._depth(column, first=True)
            edges.append(x)
            x += width + PADDING * self._depth(column, first=False) + LANE
            self._result.lanes_from[column] = x
            lanes = [lane for of, lane in self._lanes if of == column]
            labels = [text_width(lane[1], "label") for lane in lanes]
            x += LANE * len(lanes) + max(labels, default=0) + ARROWHEAD
        return edges

    def _depth(self, column: int, *, first: bool) -> int:
        """How many frames have their first, or last, column here, one in another."""

        def deepest(items: Iterable[Item]) -> int:
            here = [each for each in items if isinstance(each, Frame) and self._span(each)]
            return max(
                (
                    (self._span(each)[0 if first else -1] == column) + deepest(each.children)
                    for each in here
                ),
                default=0,
            )

        return deepest(self._picture.children)

    def _span(self, item: Item) -> list[int]:
        """The columns that an item reaches over; none if it is for the rows below."""
        of = self._columns.of
        found = [of[node.id] for node in nodes_of([item]) if node.id in of]
        return list(range(min(found), max(found) + 1)) if found else []

    def _order(self, item: Item) -> tuple[object, ...]:
        """Narrow before wide; what others talk to first; then what has the most arrows."""
        inside = {node.id for node in nodes_of([item])}
        links = [each for each in self._columns.links if inside & {each.source, each.target}]
        reached = any(each.target in inside and each.source not in inside for each in links)
        way = item.id in self._columns.ways
        return (way, len(self._span(item)), not reached, -len(links), item.id)

    def _stack(self, items: Sequence[Item], skyline: dict[int, float]) -> None:
        """Place items below each other, and move the skyline below them."""
        for item in sorted(items, key=self._order):
            if item.id in self._columns.hung:
                continue
            if isinstance(item, Node):
                column = self._columns.of[item.id]
                top = skyline[column]
                if item.id in self._columns.ways:
                    top = self._aside(item.id, column, top)
                skyline[column] = self._node(item, column, top) + BETWEEN
            else:
                self._frame(item, skyline)

    def _aside(self, way: str, column: int, top: float) -> float:
        """Where a way is level with no other arrow's way in the columns beside it."""
        chain = way.rpartition("_")[0]
        beside = [
            self._result.nodes[other].y
            for other in self._columns.ways
            if other in self._result.nodes
            and abs(self._columns.of[other] - column) == 1
            and other.rpartition("_")[0] != chain
        ]
        while any(abs(top - y) < WAY_HEIGHT for y in beside):
            top += WAY_HEIGHT
        return top

    def _frame(self, frame: Frame, skyline: dict[int, float]) -> None:
        span = self._span(frame)
        top = max(skyline[column] for column in span)
        inner = dict.fromkeys(span, top + FRAME_TITLE)
        self._stack(frame.children, inner)
        bottom = max(inner.values()) - BETWEEN + PADDING
        left = self._left[span[0]] - PADDING * self._nested(frame, 0)
        last = span[-1]
        right = self._left[last] + self._widths[last] + PADDING * self._nested(frame, -1)
        self._framed(frame, Box(left, top, right - left, bottom - top, "frame"))
        skyline.update(dict.fromkeys(span, bottom + BETWEEN))

    def _nested(self, frame: Frame, end: int) -> int:
        """How many frames share a frame's first or last column, itself and those in it."""
        inside = [each for each in frame.children if isinstance(each, Frame) and self._span(each)]
        sharing = [each for each in inside if self._span(each)[end] == self._span(frame)[end]]
        return 1 + max((self._nested(each, end) for each in sharing), default=0)

    def _framed(self, frame: Frame, box: Box) -> None:
        self._result.frames.append(box)
        self._result.texts.append(Text(box.x + PADDING, box.y + 17, frame.title, "title"))

    def _node(self, node: Node, column: int, top: float) -> float:
        """Place a node and what hangs below it; returns where they end."""
        _, height = self._size(node)
        bottom = self._box(node, self._left[column], top, self._widths[column], height)
        loop = LOOP if node.id in self._columns.loops else 0
        for below, above in self._columns.hung.items():
            if above == node.id:
                hanging = self._nodes[below]
                return self._node(hanging, column, bottom + HANGING + loop)
        return bottom + loop

    def _box(self, node: Node, x: float, y: float, width: float, height: float) -> float:
        box = Box(x, y, width, height, node.kind, self._colours.get(node.id))
        self._result.nodes[node.id] = box
        if node.id not in self._columns.ways:
            lines = text_lines(node)
            first = y + (height - LEADING * (1 + len(lines))) / 2 + 11
            self._result.texts.append(Text(x + PADDING, first, node.title, "title"))
            self._result.texts += [
                Text(x + PADDING, first + LEADING * number, line, "line")
                for number, line in enumerate(lines, start=1)
            ]
        return box.bottom

    def _fill(self, items: Sequence[Item], skyline: dict[int, float]) -> None:
        """Place what no arrow reaches where there is room, as far up as that is possible."""
        beside = float(MARGIN)
        widest = max((self._size(each)[0] for each in items if isinstance(each, Node)), default=0)
        for item in sorted(items, key=lambda item: (item.title, item.id)):
            width = widest if isinstance(item, Node) else self._row_width(item)
            above = {left: self._under(left, left + width) for left in (MARGIN, beside)}
            tops = {left: max(skyline[each] for each in found) for left, found in above.items()}
            left = min(tops, key=lambda left: (tops[left], left))
            bottom = self._side(item, left, tops[left], width) + BETWEEN
            skyline.update(dict.fromkeys(above[left], bottom))
            beside = left + width + BETWEEN

    def _under(self, left: float, right: float) -> list[int]:
        """The columns whose boxes, or whose arrows, are between two places."""
        edges = [*self._left[1:], float("inf")]
        return [
            column
            for column, edge in enumerate(edges)
            if left < edge and right > (self._result.lanes_from[column - 1] - LANE if column else 0)
        ]

    def _row_width(self, item: Item) -> float:
        if isinstance(item, Node):
            return self._size(item)[0]
        inside = [self._row_width(each) for each in item.children]
        across = sum(inside) + BETWEEN * (len(inside) - 1)
        return max(across, text_width(item.title, "title")) + 2 * PADDING

    def _side(self, item: Item, x: float, y: float, width: float) -> float:
        """Place an item with everything in it side by side; returns where it ends."""
        if isinstance(item, Node):
            return self._box(item, x, y, width, self._size(item)[1])
        left, bottoms = x + PADDING, list[float]()
        for child in item.children:
            across = self._row_width(child)
            bottoms.append(self._side(child, left, y + FRAME_TITLE, across))
            left += across + BETWEEN
        bottom = max(bottoms) + PADDING
        self._framed(item, Box(x, y, width, bottom - y, "frame"))
        return bottom
