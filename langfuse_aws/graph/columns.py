"""Which column each node of a picture stands in: whoever talks stands left of whom it talks to.

An arrow that passes a column gets a way through it: a node of its own, without a box. An arrow that
closes a circle is turned round, and keeps its head where it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from langfuse_aws.graph.picture import Arrow, Frame, Item, Picture, nodes_of

WAY: Final = "way"


@dataclass(frozen=True, order=True)
class Link:
    """A piece of an arrow, from one column to the next."""

    source: str
    target: str
    label: str
    grant: bool
    goal: str
    """The node that the arrow is about; its colour is the arrow's."""
    head: bool
    """Whether the arrow ends with this piece."""
    backward: bool = False
    """Whether its head is at the source."""


@dataclass(frozen=True)
class Columns:
    """Where nodes stand, and what leads from each column to the next."""

    of: Mapping[str, int]
    links: Sequence[Link]
    ways: Sequence[str]
    """IDs of the ways through."""
    hung: Mapping[str, str]
    """By node, the node that it stands right below of, in the same column."""
    hung_labels: Mapping[str, str]
    """By such a node, the label of the arrow to it."""
    loops: Mapping[str, str]
    """By node, the label of its arrow to itself."""


def columns(picture: Picture) -> Columns:
    """Work out the columns; nodes that no arrow reaches, nor one of their frame, have none."""
    arrows = [each for each in picture.arrows if each.source != each.target]
    hung = _hung(picture, arrows)
    flat = [each for each in arrows if hung.get(each.target) != each.source]
    backward = _closing(flat)
    ends = {each: (each.source, each.target) for each in flat}
    ends |= {each: (each.target, each.source) for each in backward}
    outside = [node.id for node in nodes_of(picture.children) if node.kind == "outside"]
    of = _depths(sorted(ends.values()), outside)
    of |= {node: of[above] for node, above in hung.items()}
    _settle(picture.children, of)
    links: list[Link] = []
    ways: set[str] = set()
    for arrow, (source, target) in ends.items():
        passed = [
            f"{WAY}_{target}_{arrow.label}_{arrow.kind}_{column}"
            for column in range(of[source] + 1, of[target])
        ]
        ways |= set(passed)
        of |= {way: of[source] + number for number, way in enumerate(passed, start=1)}
        chain = [source, *passed, target]
        for here, there in pairwise(chain):
            links.append(
                Link(
                    here,
                    there,
                    arrow.label,
                    arrow.kind == "grant",
                    arrow.target,
                    head=there == target and arrow not in backward,
                    backward=here == source and arrow in backward,
                )
            )
    loops = {each.source: each.label for each in picture.arrows if each.source == each.target}
    labels = {each.target: each.label for each in arrows if each.target in hung}
    return Columns(of, sorted(set(links)), sorted(ways), hung, labels, loops)


def _hung(picture: Picture, arrows: Sequence[Arrow]) -> dict[str, str]:
    """What only one neighbour in the same frame reaches, by a right, hangs below that one."""
    beside = {
        frozenset((one.id, other.id))
        for frame in _frames(picture.children)
        for one in frame.children
        for other in frame.children
    }
    found: dict[str, str] = {}
    for arrow in arrows:
        alone = sum(arrow.target in (each.source, each.target) for each in arrows) == 1
        near = frozenset((arrow.source, arrow.target)) in beside
        if arrow.kind == "grant" and alone and near and arrow.source not in found.values():
            found[arrow.target] = arrow.source
    return found


def _frames(children: Iterable[Item]) -> Iterable[Frame]:
    for child in children:
        if isinstance(child, Frame):
            yield child
            yield from _frames(child.children)


def _closing(arrows: Sequence[Arrow]) -> set[Arrow]:
    """The arrows that close a circle, when one follows all of them in order."""
    closing: set[Arrow] = set()
    done: set[str] = set()

    def follow(node: str, path: tuple[str, ...]) -> None:
        for arrow in arrows:
            if arrow.source == node and arrow.target in path:
                closing.add(arrow)
            elif arrow.source == node and arrow.target not in done:
                follow(arrow.target, (*path, arrow.target))
        done.add(node)

    for start in sorted({each.source for each in arrows}):
        if start not in done:
            follow(start, (start,))
    return closing


def _depths(ends: Sequence[tuple[str, str]], outside: Sequence[str]) -> dict[str, int]:
    """Each node's column: as far right as the way to it from outside is long.

    What cannot be reached from outside stands just left of what it talks to.
    """
    order = _in_order(ends)
    depth = {node: 0 for node in order if node in outside}

    def push_right() -> None:
        for node in order:
            for source, target in ends:
                if source == node and source in depth:
                    depth[target] = max(depth.get(target, 0), depth[source] + 1)

    push_right()
    others = [node for node in order if node not in depth]
    depth |= dict.fromkeys(others, 0)
    push_right()
    for node in reversed(others):
        targets = [depth[target] for source, target in ends if source == node]
        depth[node] = min(targets, default=depth[node] + 1) - 1
    return depth


def _in_order(ends: Sequence[tuple[str, str]]) -> list[str]:
    """Every node after those that talk to it."""
    order: list[str] = []
    left = sorted({node for pair in ends for node in pair})
    while left:
        ready = [n for n in left if not any(t == n and s in left for s, t in ends)]
        order += ready
        left = [node for node in left if node not in ready]
    return order


def _settle(children: Iterable[Item], of: dict[str, int]) -> None:
    """Give a node without arrows the first column of its frame, if that has one."""
    for frame in _frames(children):
        taken = [of[node.id] for node in nodes_of([frame]) if node.id in of]
        if taken:
            of.update({n.id: min(taken) for n in nodes_of([frame]) if n.id not in of})
