"""The architecture picture of a stack's resource graph."""

from langfuse_aws.graph.arrows import arrows
from langfuse_aws.graph.grouping import Detail, group, in_order
from langfuse_aws.graph.model import STACK_TYPE, ResourceGraph
from langfuse_aws.graph.picture import Picture


def architecture(graph: ResourceGraph, detail: Detail = "components") -> Picture:
    """Draw up the picture: its main resources, or every resource, and the arrows between them."""
    grouping = group(graph, detail)
    found, added = arrows(graph, grouping)
    (stack,) = graph.of_type(STACK_TYPE)
    return Picture(stack.name, in_order([*grouping.children, *added]), tuple(found))
