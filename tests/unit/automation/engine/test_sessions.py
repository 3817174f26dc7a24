"""Whose credentials the commands have: STS is moto, which answers with the assumed role."""

import json
from typing import Any

import pytest
from moto import mock_aws

from langfuse_aws.automation.aws.clients import Clients
from langfuse_aws.automation.engine.sessions import session_of

FIRST = "arn:aws:iam::111111111111:role/first"
LAST = "arn:aws:iam::222222222222:role/last"


def caller(**config: Any) -> str:
    keys = {key.replace("_", ":"): value for key, value in config.items()}
    return Clients("eu-west-1", keys)("sts").get_caller_identity()["Arn"]


@mock_aws
def test_without_a_role_they_are_those_of_the_environment() -> None:
    assert caller(aws_region="eu-west-1") == "arn:aws:sts::123456789012:user/moto"


@mock_aws
@pytest.mark.parametrize("as_text", [False, True])
def test_they_are_those_of_the_role_that_the_provider_assumes_last(as_text: bool) -> None:
    roles: Any = [{"roleArn": FIRST}, {"roleArn": LAST, "sessionName": "on-call"}]
    given = json.dumps(roles) if as_text else roles
    assert caller(aws_assumeRoles=given) == "arn:aws:sts::222222222222:assumed-role/last/on-call"


@mock_aws
def test_keys_that_only_the_engine_can_decrypt_are_passed_over() -> None:
    sealed = {"secure": "v1:abc"}
    assert caller(aws_accessKey=sealed, aws_secretKey=sealed, aws_assumeRoles=sealed).endswith(
        "user/moto"
    )


@pytest.mark.parametrize("encrypted", ["aws:accessKey", "aws:secretKey", "aws:token"])
def test_no_key_is_used_beside_one_that_only_the_engine_can_decrypt(
    encrypted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")
    keys: dict[str, Any] = {"aws:accessKey": "A", "aws:secretKey": "B", "aws:token": "C"}
    found = session_of("eu-west-1", {**keys, encrypted: {"secure": "v1:abc"}}).get_credentials()
    assert (found.access_key, found.secret_key) == ("of-the-environment", "of-the-environment")


def test_keys_in_the_configuration_come_before_the_environment() -> None:
    keys = {"aws:accessKey": "A", "aws:secretKey": "B", "aws:token": "C"}
    found = session_of("eu-west-1", keys).get_credentials()
    assert (found.access_key, found.secret_key, found.token) == ("A", "B", "C")


def test_aws_is_asked_for_the_role_with_all_that_the_configuration_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    def answer(_: object, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert operation == "AssumeRole"
        asked.append(arguments)
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        return {"Credentials": {**dict.fromkeys(names, "x"), "Expiration": "2100-01-01T00:00:00Z"}}

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", answer)
    role = {
        "duration": "30m",
        "externalId": "ours",
        "policy": "{}",
        "policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        "roleArn": LAST,
        "sessionName": "on-call",
        "sourceIdentity": "ada",
        "tags": {"Team": "a"},
        "transitiveTagKeys": ["Team"],
    }
    session = session_of("eu-west-1", {"aws:assumeRoles": [role]})
    assert asked == [], "nothing is asked before it is needed"
    assert session.get_credentials().get_frozen_credentials().access_key == "x"
    assert asked == [
        {
            "ExternalId": "ours",
            "Policy": "{}",
            "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "RoleArn": LAST,
            "RoleSessionName": "on-call",
            "SourceIdentity": "ada",
            "Tags": [{"Key": "Team", "Value": "a"}],
            "TransitiveTagKeys": ["Team"],
        }
    ]
