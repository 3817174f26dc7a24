"""What a stack names of a region: refused where AWS takes its own region's, or another's, only.

It does not prove that AWS has what is named; `preflight` asks for the certificate.
"""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from langfuse_aws.automation.stack import InvalidSettingsError, LangfuseStack
from langfuse_aws.components.shared.location import Location, refuse_location
from langfuse_aws.offline.facts import ACCOUNT
from langfuse_aws.settings import configuration
from langfuse_aws.settings.loading import SettingsError, load_without_secrets

HERE, THERE = "eu-west-1", "us-east-1"
STACK: dict[str, Any] = {"size": "staging", "domain": "langfuse.example.com"}


def arn(service: str, region: str, resource: str) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def regional(region: str) -> dict[str, Any]:
    """Everything of a stack file that is of one region."""
    secret = "secret:ecr-pullthroughcache"
    return {
        "encryption": arn("kms", region, "key/1234abcd"),
        "ingress": {"kind": "alb", "certificateArn": arn("acm", region, "certificate/1")},
        "postgres": {"snapshotIdentifier": arn("rds", region, "cluster-snapshot:mine")},
        "smtp": {
            "mode": "ses",
            "from": "no-reply@example.com",
            "resourceArns": [arn("ses", region, "identity/example.com")],
        },
        "images": {
            "source": "pullThrough",
            "githubSecretArn": arn("secretsmanager", region, f"{secret}/github-AbCdEf"),
            "dockerHubSecretArn": arn("secretsmanager", region, f"{secret}/hub-AbCdEf"),
        },
    }


KEYS = [
    "langfuse:encryption",
    "langfuse:ingress.certificateArn",
    "langfuse:postgres.snapshotIdentifier",
    "langfuse:smtp.resourceArns",
    "langfuse:images.githubSecretArn",
    "langfuse:images.dockerHubSecretArn",
]
COPIES = {"backups": {"copyRegion": HERE}}
COPIED = (
    f'langfuse:backups.copyRegion: "{HERE}": is the region of the stack itself. Name another one.'
)


def problems(settings: dict[str, Any], **environment: str) -> list[str]:
    config = {f"langfuse:{key}": value for key, value in settings.items()}
    region = {} if environment else {"aws:region": HERE}
    try:
        configuration.checked({**region, **config}, [], environment)
    except SettingsError as error:
        return error.problems
    return []


def keys(lines: list[str]) -> list[str]:
    return [line.split(": ")[0] for line in lines]


def test_what_is_of_another_region_is_refused_with_both_and_a_remedy() -> None:
    assert problems({**STACK, **regional(HERE)}) == []
    found = problems({**STACK, **regional(THERE)})
    assert keys(found) == KEYS
    assert found[1] == (
        f'langfuse:ingress.certificateArn: "{arn("acm", THERE, "certificate/1")}": is of {THERE}, '
        f"the stack is in {HERE}, and a certificate serves its own region alone. Name one of "
        f"{HERE}."
    )
    assert problems({**STACK, **regional(THERE)}, AWS_REGION=THERE) == []


def test_it_is_told_beside_other_mistakes_and_no_region_makes_none() -> None:
    found = problems({**STACK, **regional(THERE), **COPIES, "logs": {"retentionDays": 2}})
    assert sorted(keys(found)) == sorted(
        [*KEYS, "langfuse:backups.copyRegion", "langfuse:logs.retentionDays"]
    )
    assert problems({**STACK, **COPIES}) == [COPIED]
    typo = problems({**STACK, **regional(THERE)}, AWS_REGION="us-est-1")
    assert keys(typo) == ["aws:region"]
    named = {"postgres": {"snapshotIdentifier": "arn:no-region"}}
    assert problems({**STACK, **named}) == []


def test_the_program_refuses_it_by_the_region_of_its_provider() -> None:
    location = Location(HERE, "aws", ACCOUNT)
    refuse_location(load_without_secrets({**STACK, **regional(HERE)}), location)
    elsewhere = load_without_secrets({**STACK, **regional(THERE), **COPIES})
    with pytest.raises(pulumi.RunError) as caught:
        refuse_location(elsewhere, location)
    assert COPIED in str(caught.value)
    assert {*KEYS} < {*keys(str(caught.value).splitlines())}


def test_the_program_tells_at_once_all_that_does_not_fit_where_it_is_deployed() -> None:
    settings = load_without_secrets(
        {
            **STACK,
            "web": {"platform": "appRunner"},
            "images": {"source": "mirror"},
            "backups": {"copyRegion": "eu-north-1"},
            "worker": {"policyArns": ["arn:aws-cn:iam::aws:policy/ReadOnlyAccess"]},
        }
    )
    with pytest.raises(pulumi.RunError) as caught:
        refuse_location(settings, Location("eu-north-1", "aws", ACCOUNT))
    assert keys(str(caught.value).splitlines()) == [
        "langfuse:web.platform",
        "langfuse:worker.policyArns",
        "langfuse:backups.copyRegion",
    ]


def test_the_library_refuses_it_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack(
            "dev",
            {"aws:region": HERE, **STACK, **regional(THERE)},
            work_dir=tmp_path / "work",
            offline=True,
        )
    assert keys(caught.value.problems) == KEYS
    assert not (tmp_path / "work").exists()
