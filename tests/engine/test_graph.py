"""The resource graph that the real engine plans is the one that is recorded without it.

It proves that for the largest stack: the same resources below the same components, from the same
origins as far as the picture asks for them, and the same picture. The pictures of the documentation
and the unit tests rely on that.
"""

from pathlib import Path

import pytest

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.model import ResourceGraph


def places(graph: ResourceGraph) -> set[tuple[str, str, bool, bool, tuple[str, ...]]]:
    return {
        (
            each.type,
            each.name,
            each.custom,
            each.protect,
            tuple(component.name for component in graph.components(each)),
        )
        for each in graph.resources
    }


def test_what_the_engine_plans_is_what_is_recorded_without_it(
    engine_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", engine_path)
    with LangfuseStack("prod", work_dir=tmp_path, offline=True) as stack:
        planned = stack.planned()
    alone = recorded("prod", shipped_config("prod"))
    assert places(planned) == places(alone)
    assert architecture(planned) == architecture(alone)
    assert architecture(planned, "resources") == architecture(alone, "resources")
