"""Making a stack's ECR repositories for `images mirror`, with the real engine.

It proves that they come before anything else does, and that nothing else is touched once a stack is
up. ECR is the in-memory one, and nothing is copied here: tests/registry does that.
"""

from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.graph.model import ResourceGraph

REPOSITORY = "aws:ecr/repository:Repository"
NAMES = {"langfuse-dev/langfuse", "langfuse-dev/langfuse-worker", "langfuse-dev/clickhouse-server"}

pytestmark = pytest.mark.usefixtures("engine_on_path")


def stack(folder: Path, source: str) -> LangfuseStack:
    settings: dict[str, Any] = {
        "size": "dev",
        "aws:region": "us-east-1",
        "images": {"source": source},
    }
    return LangfuseStack("dev", settings, work_dir=folder, offline=True)


def repositories(graph: ResourceGraph) -> set[str]:
    return {str(each.inputs["name"]) for each in graph.of_type(REPOSITORY)}


@pytest.mark.running
def test_the_repositories_come_first_and_leave_a_running_stack_as_it_is(tmp_path: Path) -> None:
    first = stack(tmp_path, "mirror")
    first._pulumi("stack", "init")  # pyright: ignore[reportPrivateUsage]
    made = first.start_image_repositories().result()
    assert made.changes == {"create": 5}, "stack, component and three repositories"
    assert made.outputs == {}
    assert repositories(first.deployed()) == NAMES

    upstream = stack(tmp_path, "upstream")
    running = upstream.up()
    assert repositories(upstream.deployed()) == set()
    before = {each.urn for each in upstream.deployed().resources}

    again = stack(tmp_path, "mirror")
    result = again.start_image_repositories().result()
    assert result.changes == {"create": 3, "same": len(before)}
    assert result.outputs == running.outputs
    assert running.outputs["url"]
    deployed = again.deployed()
    assert repositories(deployed) == NAMES
    added = {each.urn for each in deployed.resources} - before
    assert {urn.rsplit("::", 2)[1] for urn in added} == {f"langfuse:index:Images${REPOSITORY}"}


def test_a_stack_without_a_mirror_is_refused(tmp_path: Path) -> None:
    made = stack(tmp_path, "upstream")
    made._pulumi("stack", "init")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(UserError, match=r"langfuse:images.source is upstream: nothing is mirrored"):
        made.start_image_repositories().result()
