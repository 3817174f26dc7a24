"""The table of settings that may change, against what the program registers for both values."""

from collections.abc import Mapping
from typing import Any

import pytest

from development.change_tables import CHANGES, Change
from tests.unit.stack_graph import build, shipped_config

CLICKHOUSE = "aws:ecs/taskDefinition:TaskDefinition", "langfuse-{}-clickhouse"


def definition(stack: str, config: Mapping[str, Any]) -> Any:
    """What ECS runs the server from: another one is another start of it."""
    token, name = CLICKHOUSE
    graph = build(stack, {**shipped_config(stack), **config})
    return graph.one(token, name.format(stack)).inputs["containerDefinitions"]


@pytest.mark.parametrize(
    "change", [each for each in CHANGES if each.between], ids=lambda each: each.settings
)
def test_a_change_that_starts_clickhouse_anew_says_so(change: Change) -> None:
    """With one server it is away for that long, and what the worker writes is lost there."""
    restarts = any(
        definition(stack, first) != definition(stack, second)
        for stack, (first, second) in change.between.items()
    )
    assert restarts == ("ClickHouse starts anew" in change.what_happens)
