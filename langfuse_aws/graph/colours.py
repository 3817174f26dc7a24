"""The colours of an architecture picture: each store has one, which the arrows to it share."""

from collections.abc import Mapping
from typing import Final

from langfuse_aws.graph.picture import Picture, nodes_of

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
