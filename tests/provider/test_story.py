"""The story of docs/story.md, as it is told, through the real AWS provider on a simulated AWS.

It proves that each command of the page does and prints what the page says, on Fargate and on App
Runner, with images that are in the simulated ECR because the mirror put them there. What is left
out is what tests/story.py and the simulation stand in for: registries, containers, packets.
"""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from development import pulumi_cli
from langfuse_aws.automation.engine.offline_workspace import OfflineStack
from tests.provider.aws import client
from tests.provider.ecs_scheduler import EcsScheduler
from tests.provider.readback import Account
from tests.provider.test_lifecycle import (
    LOST_ANSWERS,
    PARALLEL,
    forget_what_was_made_unseen,
)
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

    def mend(said: str) -> bool:
        return mend_what_only_the_simulation_breaks(account, teller, said)

    with EcsScheduler(REGION), LangfuseStandIn(V4) as langfuse:
        teller = Teller(tmp_path, platform, shell, langfuse, mend)
        teller.tell()
    assert account.leftovers() == {}


def mend_what_only_the_simulation_breaks(account: Account, teller: Teller, said: str) -> bool:
    """As test_lifecycle does: what was made, or deleted, without an answer."""
    if any(each in said for each in LOST_ANSWERS) and "destroy of stack" in said:
        refresh = f"pulumi refresh --yes --skip-preview --stack {STACK}"
        return teller.try_to(refresh, teller.folder).returncode == 0
    return forget_what_was_made_unseen(account, said, ids(teller))


def ids(teller: Teller) -> set[str]:
    exported = teller.try_to(f"pulumi stack export --stack {STACK}", teller.folder)
    found: Mapping[str, dict[str, list[dict[str, str]]]] = json.loads(exported.stdout)
    return {each["id"] for each in found["deployment"]["resources"] if each.get("id")}
