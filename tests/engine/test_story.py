"""The story of docs/story.md, as it is told, with the real engine on an AWS in memory.

It proves that each command of the page does and prints what the page says, in a clone of this
repository, on Fargate and on App Runner. No container runs: registries are in memory, and a
stand-in answers in Langfuse's place.
"""

import json
from pathlib import Path

import pytest

from langfuse_aws.automation.engine.offline_workspace import OfflineStack
from tests.story import STACK, Platform, Teller
from tests.unit.langfuse_stand_in import V4, LangfuseStandIn

pytestmark = pytest.mark.running


@pytest.mark.parametrize("platform", ["fargate", "appRunner"])
def test_every_command_prints_what_the_page_says(
    platform: Platform, environment: dict[str, str], engine_path: str, tmp_path: Path
) -> None:
    shell = OfflineStack(STACK, tmp_path).environment({**environment, "PATH": engine_path})
    with LangfuseStandIn(V4) as langfuse:
        teller = Teller(tmp_path, platform, shell, langfuse)
        teller.tell()
        assert langfuse.paths, "nobody asked Langfuse"
    left = json.loads(teller.run(f"pulumi stack export --stack {STACK}", teller.folder))
    assert not left["deployment"].get("resources"), "destroy has left something"
