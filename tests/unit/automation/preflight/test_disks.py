"""`preflight` on the account's default key for EBS, on moto.

It proves when somebody is told. What a key's policy lets EC2 Auto Scaling do, no test here can say.
"""

from typing import Any

import pytest

from langfuse_aws.automation.aws.answers import NewStack, Result
from langfuse_aws.automation.preflight import command
from langfuse_aws.automation.preflight.account import DISKS, check_disks
from langfuse_aws.settings.loading import load
from tests.unit.aws_account import ACCOUNT, DEPLOYER, NO_DNS, REGION, Account, aws, stubbed
from tests.unit.settings.test_external_stores import EXTERNAL

WITHOUT_CLICKHOUSE = {"clickhouse": EXTERNAL["clickhouse"], "clickhousePassword": "secret"}
FINE = Result(DISKS, "ok", "disks are encrypted with AWS's own key")


def with_default(key: str, manager: str) -> NewStack:
    """An account whose volumes have a key by default."""
    clients = {
        "ec2": stubbed("ec2", ("get_ebs_default_kms_key_id", {"KmsKeyId": key})),
        "kms": stubbed(
            "kms", ("describe_key", {"KeyMetadata": {"KeyId": key, "KeyManager": manager}})
        ),
    }
    return NewStack("dev", "langfuse-dev", REGION, load({"size": "dev"}), clients.__getitem__)


def test_the_key_of_aws_is_fine_by_either_name(account: Account) -> None:
    assert list(check_disks(with_default("alias/aws/ebs", "CUSTOMER"))) == [FINE]
    assert list(check_disks(with_default(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1", "AWS"))) == [FINE]
    assert list(check_disks(account.stack())) == [FINE]


def test_a_key_of_the_accounts_own_is_told_with_who_must_be_let_use_it() -> None:
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    (found,) = check_disks(with_default(arn, "CUSTOMER"))
    assert found.status == "unknown", "its policy may well do: a warning"
    assert f"default key for EBS in us-east-1 is {arn}" in found.message
    assert "AWSServiceRoleForAutoScaling" in found.message
    assert "pulumi config set langfuse:encryption customerKey --stack dev" in found.remedy


@pytest.mark.parametrize(
    ("config", "asked"),
    [({}, True), ({"encryption": "customerKey"}, False), ({**WITHOUT_CLICKHOUSE}, False)],
    ids=["dev", "with a key", "without instances"],
)
def test_it_is_asked_where_instances_name_no_key(config: dict[str, Any], asked: bool) -> None:
    stack = NewStack("dev", "langfuse-dev", REGION, load({"size": "dev", **config}), aws)
    checks = {each.name for each in command.checks_of_account(stack, DEPLOYER, NO_DNS)}
    assert (DISKS in checks) is asked
