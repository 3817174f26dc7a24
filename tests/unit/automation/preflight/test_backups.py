"""`preflight` on AWS Backup: whether PostgreSQL's copies would ever be made.

It proves when it asks, and what it says to AWS's answers. The answers are of botocore's model.
"""

from typing import Any

import pytest

from langfuse_aws.automation.aws.answers import NewStack, Result
from langfuse_aws.automation.preflight import command as preflight
from langfuse_aws.automation.preflight.account import (
    BACKUPS,
    PARTITION,
    backs_up_aurora,
    check_backups,
)
from langfuse_aws.settings.loading import load
from tests.unit.aws_account import DEPLOYER, NO_DNS, REGION, aws, stubbed

COPIED = {"copyRegion": "eu-west-1"}


def stack(**opted_in: bool) -> NewStack:
    settings = load({"size": "staging", "domain": "langfuse.example.com", "backups": COPIED})
    answer = {"ResourceTypeOptInPreference": opted_in}
    client = stubbed("backup", ("describe_region_settings", answer))

    def only(service: str) -> Any:
        assert service == "backup"
        return client

    return NewStack("staging", "langfuse-staging", REGION, settings, only)


def test_a_region_that_is_opted_in_is_fine() -> None:
    found = list(check_backups(stack(EBS=False, Aurora=True)))
    assert found == [Result(BACKUPS, "ok", "us-east-1 is opted in for Aurora")]


@pytest.mark.parametrize("opted_in", [{"EBS": True, "Aurora": False}, {"EBS": True}])
def test_a_region_that_is_not_never_copies_postgresql(opted_in: dict[str, bool]) -> None:
    (found,) = check_backups(stack(**opted_in))
    assert found == Result(
        BACKUPS,
        "failed",
        "langfuse:backups.copyRegion: us-east-1 is not opted in for Aurora, so that PostgreSQL "
        "would never be copied, and no job would fail.",
        "aws backup update-region-settings --region us-east-1 "
        "--resource-type-opt-in-preference Aurora=true",
    )


@pytest.mark.parametrize(
    ("size", "backups", "asked"),
    [("staging", COPIED, True), ("staging", {}, False), ("dev", COPIED, False)],
)
def test_it_is_asked_only_where_a_plan_names_aurora(
    size: str, backups: dict[str, str], asked: bool
) -> None:
    settings = load({"size": size, "domain": "langfuse.example.com", "backups": backups})
    assert backs_up_aurora(settings) is asked, "what is named by its ARN needs no opt-in otherwise"


@pytest.mark.parametrize("size", ["staging", "dev"])
def test_preflight_has_the_check_where_it_is_needed(size: str) -> None:
    config = {"size": size, "domain": "langfuse.example.com", "backups": COPIED}
    new = NewStack(size, f"langfuse-{size}", REGION, load(config), aws)
    checks = {each.name for each in preflight.checks_of_account(new, DEPLOYER, NO_DNS)}
    assert (BACKUPS in checks) is (size == "staging")
    assert PARTITION in checks
