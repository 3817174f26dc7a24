"""`langfuse:encryption`: what has the key, who may use it, and what stays as it was without it.

Proves what is registered, in stacks that together have all that the program makes. That AWS takes
the policies and the keys is not proven here; `tests/provider` reads the keys back.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import pulumi
import pytest

from development.recorded_graph import on_mocks, recorded
from langfuse_aws.components.protection.encryption import (
    ENCRYPTED,
    KEPT,
    Encryption,
    EncryptionArgs,
    with_key,
)
from langfuse_aws.components.protection.replacement_guard import ReplacementGuard
from langfuse_aws.components.shared.location import Location
from langfuse_aws.cost.bill import idle_cost
from langfuse_aws.offline import invokes
from langfuse_aws.offline.facts import ACCOUNT
from langfuse_aws.settings.loading import SettingsError, load_without_secrets
from tests.image_lock import locked
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.components.test_hours import SMALL
from tests.unit.cost.test_cost import EVERYTHING
from tests.unit.stack_graph import Graph, build, shipped, shipped_config, unshared

KEY: Final = "aws:kms/key:Key"
POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
GIVEN: Final = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-000000000000"
COPIED: Final = {"copyRegion": "eu-west-1"}
SSE: Final = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)

PLACES: Final[Mapping[str, tuple[str | int, ...]]] = {
    "aws:apprunner/service:Service": ("encryptionConfiguration", "kmsKey"),
    "aws:backup/vault:Vault": ("kmsKeyArn",),
    "aws:cloudwatch/logGroup:LogGroup": ("kmsKeyId",),
    "aws:ebs/volume:Volume": ("kmsKeyId",),
    "aws:ec2/launchTemplate:LaunchTemplate": ("blockDeviceMappings", 0, "ebs", "kmsKeyId"),
    "aws:ecr/repository:Repository": ("encryptionConfigurations", 0, "kmsKey"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("kmsKeyId",),
    "aws:rds/cluster:Cluster": ("kmsKeyId",),
    "aws:rds/clusterInstance:ClusterInstance": ("performanceInsightsKmsKeyId",),
    "aws:rds/instance:Instance": ("kmsKeyId",),
    SSE: ("rules", 0, "applyServerSideEncryptionByDefault", "kmsMasterKeyId"),
    "aws:scheduler/schedule:Schedule": ("kmsKeyArn",),
    "aws:secretsmanager/secret:Secret": ("kmsKeyId",),
    "aws:sns/topic:Topic": ("kmsMasterKeyId",),
}
"""Where AWS's provider has the key of a type."""


def key_of(found: Any) -> Any:
    """The key that a resource has; None if it has none of its own."""
    value = found.inputs
    for step in PLACES[found.type]:
        value = value[step] if isinstance(step, int) else value.get(step)
        if value is None:
            return None
    return value


def encrypted(stack: str, config: Mapping[str, Any], key: str = "customerKey") -> Graph:
    return build(stack, {**config, "encryption": key})


def test_the_key_belongs_to_what_the_stack_belongs_to() -> None:
    """So that options of a component for other programs, such as its provider, reach it."""

    def program() -> None:
        settings = load_without_secrets({"size": "dev", "encryption": "customerKey"})
        top = pulumi.ComponentResource("langfuse:index:Langfuse", "top")
        args = EncryptionArgs(settings, Location.current(), ReplacementGuard("key", []))
        Encryption("key", args, pulumi.ResourceOptions(parent=top))

    requests = on_mocks("dev", "us-east-1", program).monitor.requests
    (urn,) = [urn for urn, each in requests.items() if each.name == "top"]
    assert [each.name for each in requests.values() if each.parent == urn] == ["key"]


@pytest.fixture(scope="module")
def stacks() -> dict[str, Graph]:
    """Stacks with the stack's own key."""
    everything = {key: value for key, value in EVERYTHING.items() if key != "storage"}
    found = {
        "dev": encrypted("dev", shipped_config("dev")),
        "prod": encrypted("prod", {**shipped_config("prod"), "backups": COPIED}),
        "everything": encrypted("everything", everything),
        "insights": encrypted(
            "prod", {**shipped_config("prod"), "postgres": {"minAcu": 2, "maxAcu": 8}}
        ),
    }
    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setattr(
            "langfuse_aws.components.runtime.images.read_lock",
            lambda _: locked(APP_RUNNER),  # pyright: ignore
        )
        found["App Runner"] = encrypted("platform", APP_RUNNER)
    return found


def test_everything_that_takes_a_key_has_the_stacks(stacks: dict[str, Graph]) -> None:
    seen: set[str] = set()
    for label, graph in stacks.items():
        keys = {key.inputs.get("region"): key.outputs["arn"] for key in graph.of_type(KEY)}
        for found in graph.registrations:
            if found.type not in PLACES or found.name.endswith("-access-logs"):
                continue  # test_access_logs.py says why logs have S3's own keys
            if found.type.endswith("ClusterInstance") and label != "insights":
                continue  # has no insights to encrypt
            seen.add(found.type)
            assert key_of(found) == keys[found.inputs.get("region")], f"{label}: {found.name}"
            assert key_of(found)
    assert seen == {*PLACES} == {*ENCRYPTED}, "a type that no stack here makes, or nobody encrypts"


def test_a_bucket_with_the_key_says_by_what_it_encrypts(stacks: dict[str, Graph]) -> None:
    found = {
        rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"]
        for graph in stacks.values()
        for each in graph.of_type(SSE)
        if key_of(each)
        for rule in each.inputs["rules"]
    }
    assert found == {"aws:kms"}


def test_what_insights_keep_has_the_key_of_the_database(stacks: dict[str, Graph]) -> None:
    """An instance always has them; they have statements, and values in them."""
    asked = 0
    for graph in stacks.values():
        for found in graph.of_type("aws:rds/instance:Instance"):
            assert found.inputs["performanceInsightsKmsKeyId"] == found.inputs["kmsKeyId"]
            asked += 1
    assert asked >= 2
    (prod,) = stacks["prod"].of_type("aws:rds/cluster:Cluster")
    members = stacks["prod"].of_type("aws:rds/clusterInstance:ClusterInstance")
    assert prod.inputs["kmsKeyId"]
    assert ["performanceInsightsKmsKeyId" in each.inputs for each in members] == [False, False]


def test_without_the_switch_nothing_has_a_key() -> None:
    for stack in ("dev", "prod"):
        graph = shipped(stack)
        assert graph.of_type(KEY) == []
        of_types = [found for found in graph.registrations if found.type in PLACES]
        assert [found.name for found in of_types if key_of(found)] == []


def test_the_key_costs_a_dollar_a_month_and_another_where_copies_go() -> None:
    def usd(stack: str, config: Mapping[str, Any]) -> float:
        found = idle_cost(recorded(stack, config), "us-east-1").usd
        assert found is not None
        return found

    dev = shipped_config("dev")
    assert usd("dev", {**dev, "encryption": "customerKey"}) == pytest.approx(usd("dev", dev) + 1)
    prod = {**shipped_config("prod"), "backups": COPIED}
    assert usd("prod", {**prod, "encryption": "customerKey"}) == pytest.approx(
        usd("prod", prod) + 2
    )
    alarms = {**dev, "alarms": {"email": "ops@example.com"}}
    assert usd("dev", {**alarms, "encryption": "customerKey"}) == pytest.approx(
        usd("dev", alarms)
    ), "the topic of the alarms has no key of its own then"


def test_buckets_ask_for_the_key_once_for_many_objects(stacks: dict[str, Graph]) -> None:
    rules = [
        rule
        for found in stacks["dev"].of_type(SSE)
        if not found.name.endswith("-access-logs")
        for rule in found.inputs["rules"]
    ]
    assert len(rules) == 2
    assert all(rule["bucketKeyEnabled"] is True for rule in rules), "0.03 USD for 10,000 objects"


def test_the_key_rotates_and_is_kept_like_data(stacks: dict[str, Graph]) -> None:
    prod, dev = stacks["prod"], stacks["dev"].one(KEY)
    assert {key.name for key in prod.of_type(KEY)} == {
        "langfuse-prod-encryption",
        "langfuse-prod-encryption-copy",
    }
    for key in prod.of_type(KEY):
        assert (key.inputs["enableKeyRotation"], key.inputs["deletionWindowInDays"]) == (True, 30)
        options = prod.options_of(key)
        assert (options.protect, options.retain_on_delete) == (True, True), key.name
    assert dev.inputs["deletionWindowInDays"] == 7
    options = stacks["dev"].options_of(dev)
    assert (options.protect, options.retain_on_delete) == (False, False)


def test_the_key_lets_in_the_account_and_three_services_for_it_alone(
    stacks: dict[str, Graph],
) -> None:
    policy = json.loads(stacks["dev"].one(KEY).inputs["policy"])["Statement"]
    found = {each["Sid"]: each for each in policy}
    assert {*found} == {"Account", "Logs", "Alarms", "AutoScaling", "AutoScalingGrants"}
    assert found["Account"]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert found["Logs"]["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    assert found["Logs"]["Condition"] == {
        "StringLike": {
            "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*"
        }
    }
    assert found["Alarms"]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    role = found["AutoScaling"]["Principal"]["AWS"]
    assert role.endswith("/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
    assert found["AutoScalingGrants"]["Condition"] == {
        "Bool": {"kms:GrantIsForAWSResource": "true"}
    }
    copies = json.loads(stacks["prod"].one(KEY, "langfuse-prod-encryption-copy").inputs["policy"])
    assert [each["Sid"] for each in copies["Statement"]] == ["Account"]


def test_a_role_may_use_the_key_for_what_it_reads_and_writes_already(
    stacks: dict[str, Graph],
) -> None:
    graph = stacks["dev"]
    key = graph.one(KEY).outputs["arn"]

    def about_keys(role: str) -> list[dict[str, Any]]:
        return [
            each
            for each in graph.policy(role)
            if any(action.startswith("kms:") for action in each["Action"])
        ]

    secrets = graph.policy("langfuse-dev-web-execution")[1]
    assert about_keys("langfuse-dev-web-execution") == [
        {
            "Effect": "Allow",
            "Action": ["kms:Decrypt"],
            "Resource": [key],
            "Condition": {
                "StringEquals": {
                    "kms:EncryptionContext:SecretARN": secrets["Resource"],
                    "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com",
                }
            },
        }
    ]
    bucket = graph.one("aws:s3/bucket:Bucket", "langfuse-dev-storage").outputs["arn"]
    (objects,) = about_keys("langfuse-dev-worker-task")
    assert objects["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert objects["Condition"]["StringEquals"] == {
        "kms:EncryptionContext:aws:s3:arn": [bucket],
        "kms:ViaService": "s3.us-east-1.amazonaws.com",
    }
    volumes = about_keys("langfuse-dev-clickhouse")
    assert [each["Action"] for each in volumes] == [
        ["kms:Decrypt", "kms:DescribeKey"],
        ["kms:CreateGrant"],
    ]
    assert volumes[1]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
    schedules = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/*"
    (schedule,) = about_keys("langfuse-dev-clickhouse-backup-scheduler")
    assert (schedule["Action"], schedule["Condition"]) == (
        ["kms:Decrypt"],
        {"StringLike": {"kms:EncryptionContext:aws:scheduler:schedule:arn": schedules}},
    )
    assert about_keys("langfuse-dev-migration-gate") == [], "it runs tasks too, and no schedule"
    for role in graph.of_type(POLICY):
        for each in about_keys(role.name):
            assert each["Resource"] == [key]
            through = each["Condition"].get("StringEquals", {})
            assert "kms:ViaService" in through or each == schedule, role.name


def test_the_role_of_each_schedule_may_decrypt_it_and_no_other_role(
    stacks: dict[str, Graph],
) -> None:
    for label, graph in {**stacks, "hours": encrypted("dev", SMALL)}.items():
        schedules = graph.of_type("aws:scheduler/schedule:Schedule")
        roles = {role.outputs["arn"]: role.name for role in graph.of_type("aws:iam/role:Role")}
        assert schedules, label
        run_them = {roles[each.inputs["target"]["roleArn"]] for each in schedules}
        may = {
            role.name
            for role in graph.of_type(POLICY)
            if "kms:EncryptionContext:aws:scheduler" in role.inputs["policy"]
        }
        assert may == run_them, label


def test_a_role_that_reads_nothing_encrypted_gets_nothing_of_the_key() -> None:
    policy = json.dumps(
        {"Statement": [{"Effect": "Allow", "Action": ["ecs:ListTasks"], "Resource": ["*"]}]}
    )
    location = Location("us-east-1", "aws", ACCOUNT)
    assert json.loads(with_key(policy, GIVEN, location)) == json.loads(policy)


def test_in_china_services_have_another_host_name() -> None:
    secret = "arn:aws-cn:secretsmanager:cn-north-1:1:secret:x"
    policy = json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["secretsmanager:GetSecretValue"],
                    "Resource": [secret],
                }
            ]
        }
    )
    found = json.loads(with_key(policy, GIVEN, Location("cn-north-1", "aws-cn", ACCOUNT)))
    condition = found["Statement"][1]["Condition"]["StringEquals"]
    assert condition["kms:ViaService"] == "secretsmanager.cn-north-1.amazonaws.com.cn"


def test_what_has_one_name_for_ever_keeps_the_key_that_it_was_made_with(
    stacks: dict[str, Graph],
) -> None:
    seen = set[str]()
    for graph in stacks.values():
        for found in graph.registrations:
            if found.type in KEPT:
                seen.add(found.type)
                assert KEPT[found.type] in graph.options_of(found).ignore_changes, found.name
    assert seen == {*KEPT}


def test_a_key_that_is_given_is_used_and_none_is_made() -> None:
    graph = encrypted("prod", {**shipped_config("prod"), "backups": COPIED}, GIVEN)
    assert graph.of_type(KEY) == []
    keys = {
        (found.type, found.inputs.get("region")): key_of(found)
        for found in graph.registrations
        if found.type in PLACES and not found.type.endswith("ClusterInstance")
    }
    elsewhere = keys.pop(("aws:backup/vault:Vault", "eu-west-1"))
    assert elsewhere is None, "AWS Backup's own key encrypts the copies"
    assert {*keys.values()} == {GIVEN}
    assert any(GIVEN in each.inputs["policy"] for each in graph.of_type(POLICY))


def test_a_key_of_another_region_is_refused_before_the_first_resource() -> None:
    elsewhere = GIVEN.replace("us-east-1", "eu-west-1")
    with pytest.raises(Exception, match="is of eu-west-1, the stack is in us-east-1"):
        encrypted("dev", shipped_config("dev"), elsewhere)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"keyState": "PendingDeletion"}, "its key_state is PendingDeletion, not Enabled"),
        ({"keyUsage": "SIGN_VERIFY"}, "its key_usage is SIGN_VERIFY, not ENCRYPT_DECRYPT"),
        ({"keySpec": "RSA_4096"}, "its key_spec is RSA_4096, not SYMMETRIC_DEFAULT"),
    ],
)
def test_a_key_that_encrypts_nothing_is_refused_before_the_first_resource(
    told: dict[str, str], why: str
) -> None:
    usual = invokes.DATA_SOURCES["aws:kms/getKey"]

    def other(arguments: Mapping[str, Any], region: str) -> dict[str, Any]:
        return {**usual(arguments, region), **told}

    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setitem(invokes.DATA_SOURCES, "aws:kms/getKey", other)
        with pytest.raises(pulumi.RunError, match=f"langfuse:encryption: {GIVEN}: {why}"):
            encrypted("dev", shipped_config("dev"), GIVEN)


def test_an_account_where_auto_scaling_was_never_used_is_told_what_to_run() -> None:
    def none(_arguments: Mapping[str, Any], _region: str) -> dict[str, Any]:
        return {"id": "", "names": [], "arns": []}

    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setitem(invokes.DATA_SOURCES, "aws:iam/getRoles", none)
        with pytest.raises(Exception, match="aws iam create-service-linked-role"):
            encrypted("dev", shipped_config("dev"))


def test_a_bucket_keeps_the_key_of_before_for_what_it_has_encrypted() -> None:
    config = {**shipped_config("dev"), "storage": {"kms": True}}
    graph = encrypted("dev", config)
    keys = {key.name: key.outputs["arn"] for key in graph.of_type(KEY)}
    assert {*keys} == {"langfuse-dev-storage", "langfuse-dev-encryption"}
    assert key_of(graph.one(SSE, "langfuse-dev-storage")) == keys["langfuse-dev-encryption"]
    allowed = json.dumps(graph.policy("langfuse-dev-web-task"))
    assert all(arn in allowed for arn in keys.values())


@pytest.mark.parametrize("value", ["alias/mine", "key", GIVEN.replace(":key/", ":alias/"), 1])
def test_what_is_neither_the_word_nor_a_keys_arn_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="langfuse:encryption"):
        load_without_secrets({"size": "dev", "encryption": value})
