"""The story of docs/story.md, as it is told, through the real AWS provider on a simulated AWS.

It proves that each command of the page does and prints what the page says, on Fargate and on App
Runner, with images that are in the simulated ECR because the mirror put them there. What is left
out is what tests/story.py and the simulation stand in for: registries, containers, packets.
"""

import uuid
from pathlib import Path

import pytest

from development import pulumi_cli
from langfuse_aws.automation.engine.offline_workspace import OfflineStack
from tests.provider.aws import client
from tests.provider.ecs_scheduler import EcsScheduler
from tests.provider.readback import Account
from tests.provider.test_lifecycle import PARALLEL
from tests.story import STACK, Platform, Teller
from tests.story_mirror import REGION
from tests.unit.langfuse_stand_in import V4, LangfuseStandIn

ZONE = "example.com"


# One after the other: the simulation confuses the databases of one region.
@pytest.mark.xdist_group("story")
@pytest.mark.parametrize("platform", ["fargate", "appRunner"])
def test_every_command_prints_what_the_page_says(platform: Platform, tmp_path: Path) -> None:
    route53 = client("route53")
    there = route53.list_hosted_zones_by_name(DNSName=ZONE)["HostedZones"]
    if f"{ZONE}." not in [each["Name"] for each in there]:
        route53.create_hosted_zone(Name=ZONE, CallerReference=str(uuid.uuid4()))
    account = Account(f"langfuse-{STACK}", REGION)
    path = pulumi_cli.search_path(pulumi_cli.ensure())
    shell = OfflineStack(STACK, tmp_path).environment({"PATH": path, "PULUMI_PARALLEL": PARALLEL})

    with EcsScheduler(REGION), LangfuseStandIn(V4) as langfuse:
        Teller(tmp_path, platform, shell, langfuse).tell()
    assert account.leftovers() == {}
