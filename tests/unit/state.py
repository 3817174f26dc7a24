"""Turns what a run under Pulumi's mocks registered into the graph that a state would have.

It adds what only the engine knows: default tags, and marks for secrets. Remote components have no
children, as under the mocks.
"""

from collections.abc import Mapping
from typing import cast

import yaml

from langfuse_aws.graph.model import SECRET, Resource, ResourceGraph
from langfuse_aws.offline.mocks import Registration
from tests.unit.stack_graph import ROOT, Graph


def as_state(graph: Graph, tags: Mapping[str, str]) -> ResourceGraph:
    """The graph as it is read from the state after an update."""
    return ResourceGraph(tuple(_resource(graph, each, tags) for each in graph.registrations))


def _resource(graph: Graph, found: Registration, tags: Mapping[str, str]) -> Resource:
    options = graph.options_of(found)
    own = cast("Mapping[str, str] | None", found.outputs.get("tagsAll"))
    more = {} if own is None else {"tagsAll": {**tags, **own}}
    return Resource(
        urn=graph.urns[found.type, found.name],
        type=found.type,
        parent=options.parent,
        custom=options.custom,
        inputs={**found.inputs, **more, **dict.fromkeys(found.secrets, SECRET)},
        outputs=found.outputs,
        protect=options.protect,
        retain_on_delete=options.retain_on_delete,
        origins=options.origins,
    )


def shipped_tags(stack: str) -> dict[str, str]:
    """The default tags of one of the stack files in the repository."""
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    return cast("dict[str, str]", yaml.safe_load(text)["config"]["aws:defaultTags"]["tags"])
