"""Lays a picture out: what is drawn where, in pixels."""

from langfuse_aws.graph.columns import columns
from langfuse_aws.graph.drawing import LABEL_SIZE, Box, Drawing, Text, text_width
from langfuse_aws.graph.lanes import Lanes
from langfuse_aws.graph.picture import Picture, nodes_of
from langfuse_aws.graph.placement import place
from langfuse_aws.graph.spacing import BETWEEN, MARGIN

LEGEND = (
    "Line: a security group lets it in at this port.",
    "Dashed: an IAM role's right, or AWS Backup.",
)


def layout(picture: Picture) -> Drawing:
    """Place everything; the same picture always gets the same places."""
    stores = [node.id for node in nodes_of(picture.children) if node.kind == "store"]
    reached = [each for each in stores if any(arrow.target == each for arrow in picture.arrows)]
    colours = {store: number for number, store in enumerate(sorted(reached))}
    found = columns(picture)
    placement = place(picture, found, colours)
    lanes = Lanes(placement, found, colours)
    legend = "  ".join(LEGEND)
    width = max(placement.width, text_width(legend, "label") + 2 * MARGIN)
    height = placement.bottom + LABEL_SIZE + MARGIN
    boxes = [Box(0, 0, width, height, "page")]
    boxes += sorted(placement.frames, key=lambda box: -box.width * box.height)
    boxes += [box for node, box in sorted(placement.nodes.items()) if node not in found.ways]
    texts = [Text(MARGIN, MARGIN + BETWEEN / 2, picture.title, "heading"), *placement.texts]
    texts += [*lanes.texts, Text(MARGIN, height - MARGIN, legend, "label")]
    return Drawing(
        picture.title,
        width,
        height,
        tuple(boxes),
        tuple(lanes.lines),
        tuple(lanes.dots),
        tuple(texts),
    )
