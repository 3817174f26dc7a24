"""A user's `customize.py`, with the real engine on the in-memory providers.

It proves that the example's transform reaches what the program makes and what awsx makes inside of
the network, that nothing changes a second time, and that a file that is wrong is one message and
makes nothing. What is read of a file is tried by the unit tests; mocks run no transform.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from examples.customize import BOUNDARY
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.graph.model import Resource
from tests.deployment import Deployment
from tests.image_lock import copy_of_the_repository

EXAMPLE = REPOSITORY / "examples" / "customize.py"
RAISES = """
def transform(args):
    if args.type_ == "aws:ec2/subnet:Subnet":
        raise KeyError("tags")
"""
WRONG: Mapping[str, tuple[str, str]] = {
    "load": ("\nimport nowhere\n", "customize.py, line 2: ModuleNotFoundError: No module named"),
    "result": (
        "def transform(args):\n    return args.props\n",
        "transform returns dict, and must return a pulumi.ResourceTransformResult, or None",
    ),
    "raises": (
        RAISES,
        "KeyError: 'tags'. Correct it, or take the file away.",
    ),
}
"""What is in the file, and what is said of it."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_repository(tmp_path_factory.mktemp("customized") / "langfuse")


def test_the_example_reaches_every_resource_and_then_there_is_nothing_to_change(
    copy: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    plain = Deployment.of("dev", tmp_path / "plain", environment)
    plain.up()
    shutil.copy(EXAMPLE, copy)
    customized = Deployment.of("dev", tmp_path / "customized", environment, project=copy)
    customized.up()
    before, after = inputs(plain), inputs(customized)
    assert before.keys() == after.keys(), "the same resources"
    roles = {each for each in after if each[0] == "aws:iam/role:Role"}
    subnets = {each for each in after if each[0] == "aws:ec2/subnet:Subnet"}
    clusters = {each for each in after if each[0] == "aws:ecs/cluster:Cluster"}
    assert len(subnets) == 4, "awsx makes them"
    for role in roles:
        assert after[role].get("permissionsBoundary") == BOUNDARY, role
    for subnet in subnets:
        assert after[subnet]["tags"] == {**before[subnet]["tags"], "network-team": "watched"}
    (cluster,) = clusters
    assert after[cluster]["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    assert customized.changes() == set()
    (copy / EXAMPLE.name).unlink()
    assert {each.type for each in customized.changes()} == {
        "aws:iam/role:Role",
        "aws:ec2/subnet:Subnet",
        "aws:ecs/cluster:Cluster",
    }, "without the file it is as it was"


def inputs(deployment: Deployment) -> dict[tuple[str, str], Mapping[str, Any]]:
    found = [Resource.of(each) for each in deployment.state()]
    return {(each.type, each.name): each.inputs for each in found if each.custom}


@pytest.mark.parametrize("fault", list(WRONG))
def test_a_file_that_is_wrong_is_one_message_and_makes_nothing(
    fault: str, copy: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    content, said = WRONG[fault]
    (copy / EXAMPLE.name).write_text(content, encoding="utf-8")
    deployment = Deployment.of("dev", tmp_path, environment, project=copy)
    done = deployment.run("preview", "--stack", "dev", check=False)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    told = printed[printed.index("Diagnostics:") :]
    assert told.count(said) == 1
    assert "Traceback" not in printed
