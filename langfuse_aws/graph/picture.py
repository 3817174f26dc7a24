"""The parts of an architecture picture: nodes, frames around them, arrows between them.

Where they stand is the business of Mermaid and Graphviz, for which `mermaid` and `dot` write it.
Each store has a colour, which the arrows to it share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Node:
    """A box."""

    id: str
    """Letters, digits and underscores; the same for the same resource in every stack."""
    title: str
    lines: tuple[str, ...] = ()
    kind: Literal["service", "store", "outside"] = "service"

    @property
    def details(self) -> tuple[str, ...]:
        """The lines below the title."""
        return self.lines[1:] if self.lines[:1] == (self.title,) else self.lines


@dataclass(frozen=True)
class Frame:
    """A box around others."""

    id: str
    title: str
    children: tuple["Frame | Node", ...]


Item = Frame | Node


@dataclass(frozen=True, order=True)
class Arrow:
    """From one node to another, or to itself."""

    source: str
    target: str
    label: str
    kind: Literal["port", "grant"] = "port"
    """A security group's rule; or a right that a role has, or a backup."""


@dataclass(frozen=True)
class Picture:
    """What is drawn, sorted: the same graph gives the same picture."""

    title: str
    children: tuple[Item, ...]
    arrows: tuple[Arrow, ...]

    def grouped_arrows(self) -> list[tuple[tuple[str, str, str], list[str]]]:
        """The sources of each target, label and kind of arrow, which share a line."""
        merge_dimensions: dict[tuple[str, str, str], list[str]] = {}
        for arrow in self.arrows:
            key = (arrow.target, arrow.label, arrow.kind)
            merge_dimensions.setdefault(key, []).append(arrow.source)
        return sorted(merge_dimensions.items())


def nodes_of(children: Sequence[Item]) -> Iterator[Node]:
    """Every node, at any depth."""
    for child in children:
        if isinstance(child, Node):
            yield child
        else:
            yield from nodes_of(child.children)


PLAIN: Final = "#6e7781"
"""Of arrows that do not lead to a store."""
STORES: Final = ("#1f6feb", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#0e7c86")
"""More stores share them. Each can be told from a white and from a black page."""


def colours_of(picture: Picture) -> Mapping[str, str]:
    """The colour of each store that an arrow leads to, by the ID of its node."""
    reached = {arrow.target for arrow in picture.arrows}
    stores = [node.id for node in nodes_of(picture.children) if node.kind == "store"]
    found = sorted(store for store in stores if store in reached)
    return {store: STORES[number % len(STORES)] for number, store in enumerate(found)}
