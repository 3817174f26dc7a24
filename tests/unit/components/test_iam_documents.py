"""IAM documents as the program writes them.

Proves their form, that the order in which a caller lists actions does not matter, and that no
document of `shared.iam` allows anything on every resource. It does not prove that the actions
are enough for Langfuse, nor which role gets which document: that is the graph's business.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import pulumi
import pytest

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.iam import Statement
from langfuse_aws.components.shared.location import Location

BUCKET: Final = "arn:aws:s3:::langfuse-dev-storage-1a2b3c4"
KEY: Final = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d"

OBJECTS: Final = {
    "Effect": "Allow",
    "Action": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
    "Resource": [f"{BUCKET}/*"],
}
LISTING: Final = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [BUCKET]}
ENCRYPTION: Final = {
    "Effect": "Allow",
    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Resource": [KEY],
}


def rendered(make: Callable[[], Sequence[Statement]]) -> list[dict[str, Any]]:
    """The statements that `make` builds, as they arrive at IAM."""

    async def run() -> str | None:
        return await pulumi.Output.json_dumps(iam.document(make())).future()

    loop = asyncio.new_event_loop()
    try:
        policy = cast("dict[str, Any]", json.loads(loop.run_until_complete(run()) or ""))
    finally:
        loop.close()
    assert policy["Version"] == "2012-10-17", "the version of the policy language"
    return policy["Statement"]


@pytest.mark.parametrize(
    "actions",
    [
        ["s3:GetObject", "s3:PutObject", "kms:Decrypt"],
        ["kms:Decrypt", "s3:PutObject", "s3:GetObject"],
        ("s3:PutObject", "kms:Decrypt", "s3:GetObject"),
    ],
)
def test_actions_are_sorted_whatever_order_they_were_given_in(actions: Sequence[str]) -> None:
    assert iam.allow(actions, [BUCKET]) == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "s3:GetObject", "s3:PutObject"],
        "Resource": [BUCKET],
    }, "another order would show up as a change in every preview"


def test_a_statement_has_a_condition_only_if_there_is_one() -> None:
    condition = {"StringEquals": {"ec2:ResourceTag/Name": "langfuse-dev"}}
    with_condition = iam.allow(["ec2:AttachVolume"], [BUCKET], condition)
    without = iam.allow(["ec2:AttachVolume"], [BUCKET])
    assert with_condition == {**without, "Condition": condition}, "the condition as it was given"
    assert "Condition" not in without, "IAM gives no empty condition back, so it would differ"


@pytest.mark.parametrize(
    ("key", "expected"),
    [(None, [LISTING, OBJECTS]), (KEY, [LISTING, OBJECTS, ENCRYPTION])],
    ids=["without-a-key", "with-a-key"],
)
def test_langfuse_may_use_its_bucket_and_the_buckets_key_and_nothing_else(
    key: str | None, expected: list[dict[str, Any]]
) -> None:
    statements = rendered(lambda: iam.bucket_access(BUCKET, key))
    assert statements == expected, "four actions on objects, listing, and the key if there is one"


@pytest.mark.parametrize("key", [None, KEY], ids=["without-a-key", "with-a-key"])
def test_access_to_the_bucket_has_sorted_actions_and_no_wildcard(key: str | None) -> None:
    for statement in rendered(lambda: iam.bucket_access(pulumi.Output.from_input(BUCKET), key)):
        actions, resources = statement["Action"], statement["Resource"]
        assert actions == sorted(actions), "the order IAM documents are compared in"
        assert [action for action in actions if "*" in action] == [], "each action by its name"
        assert set(resources) <= {BUCKET, f"{BUCKET}/*", KEY}, (
            "a wildcard resource would open every bucket and key of the account"
        )


@pytest.mark.parametrize(
    ("service", "condition"),
    [
        (
            "scheduler.amazonaws.com",
            '"Condition": {"ArnLike": {"aws:SourceArn": '
            '"arn:aws:scheduler:us-east-1:123456789012:*"}, '
            '"StringEquals": {"aws:SourceAccount": "123456789012"}}, ',
        ),
        ("ec2.amazonaws.com", ""),
    ],
)
def test_a_trust_policy_lets_one_service_in_and_is_canonical_text(
    service: str, condition: str
) -> None:
    assert iam.trust(service, Location("us-east-1", "aws", "123456789012")) == (
        f'{{"Statement": [{{"Action": "sts:AssumeRole", {condition}"Effect": "Allow", '
        f'"Principal": {{"Service": "{service}"}}}}], "Version": "2012-10-17"}}'
    ), "sorted keys, so that the text is the same in every run"


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_managed_policy_is_named_in_the_partition_of_the_stack(partition: str) -> None:
    assert iam.managed_policy(partition, "AmazonSSMManagedInstanceCore") == (
        f"arn:{partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
    ), "in China and in GovCloud an ARN with `aws` names nothing"
