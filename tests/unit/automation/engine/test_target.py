"""What somebody is asked about: region and account by the stack file and by STS, which is moto."""

from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from moto import mock_aws

from langfuse_aws.automation.engine.target import region_and_account
from langfuse_aws.automation.errors import UserError

ROLE = "arn:aws-us-gov:iam::{}:role/deploy"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def found(offline: bool = False, **config: Any) -> tuple[str, str]:
    keys = {key.replace("_", ":"): value for key, value in config.items()}
    return region_and_account("dev", {"config": keys}, offline=offline)


@mock_aws
def test_the_account_is_that_of_the_credentials() -> None:
    assert found(aws_region="eu-west-1") == ("eu-west-1", "123456789012")


@mock_aws
def test_the_account_is_that_of_the_role_that_is_assumed_last() -> None:
    roles = [{"roleArn": ROLE.format(1)}, {"roleArn": ROLE.format(2)}]
    assert found(aws_region="eu-west-1", aws_assumeRoles=roles) == ("eu-west-1", "2")
    assert found(aws_region="eu-west-1", aws_assumeRoles=roles[:1]) == ("eu-west-1", "1")


def test_what_only_the_provider_can_know_is_said_to_be_so() -> None:
    assert found(aws_region="eu-west-1", aws_accessKey="x") == (
        "eu-west-1",
        "that of aws:accessKey",
    )
    by_esc = region_and_account("dev", {"environment": ["x"], "config": {}}, offline=False)
    assert by_esc == ("as Pulumi ESC says", "as Pulumi ESC says")


def test_offline_there_is_no_account_and_nobody_is_asked() -> None:
    assert found(offline=True, aws_region="eu-west-1") == ("eu-west-1", "none: AWS is in memory")


def test_without_a_region_or_credentials_nobody_is_asked_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match="aws:region: is not set"):
        found()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NoCredentialsError):
        found(aws_region="eu-west-1")
