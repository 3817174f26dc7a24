"""The replacement guard under the real engine: what a preview of a dangerous change says.

It proves that such a preview fails with one message, that nothing is changed by an `up` without a
preview either, and that a name in `allowReplace` lets the change pass. AWS is the in-memory one.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.components.protection.replacement_guard import REPLACEMENT_INPUTS
from tests.deployment import Deployment

WAY_OUT = "pulumi config set --path 'langfuse:allowReplace[0]' {}"


@pytest.fixture(scope="module")
def deployment(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Bring up one unprotected stack; the tests only preview, or are refused."""
    found = Deployment.of("dev", tmp_path_factory.mktemp("guard"), environment)
    found.configure_all(
        {
            "network.zones": "3",
            "postgres.mode": "auroraServerless",
            "clickhouse.volumeGib": "30",
        },
        {},
    )
    found.up()
    return found


def refused(deployment: Deployment, command: str, config: dict[str, str]) -> str:
    """What a command that must fail prints with a changed configuration, which is put back."""
    before = deployment.state()
    file = deployment.stack.folder / f"Pulumi.{deployment.stack.name}.yaml"
    kept = file.read_text(encoding="utf-8")
    deployment.configure_all(config, {})
    options = ["--yes", "--skip-preview"] if command == "up" else []
    done = deployment.run(command, *options, "--stack", deployment.stack.name, check=False)
    file.write_text(kept, encoding="utf-8")
    assert done.returncode != 0, f"{command} with {config} was allowed"
    assert ids(deployment.state()) >= ids(before), "something that was there is gone"
    return done.stdout + done.stderr


def ids(state: list[dict[str, Any]]) -> set[tuple[str, str]]:
    kinds = ("aws:ebs/", "aws:rds/cluster:", "aws:s3/bucket:", "aws:elasticache/replication")
    return {(each["urn"], each["id"]) for each in state if each["type"].startswith(kinds)}


MORE_SERVERS = (
    {"clickhouse.replicas": "3"},
    "langfuse-dev-clickhouse",
    "A ClickHouse with another number of servers begins on empty volumes",
)
ANOTHER_DATABASE = (
    {"postgres.mode": "instance"},
    "langfuse-dev-postgres",
    "(aws:rds/cluster:Cluster) would be deleted: this configuration no longer has it",
)
ANOTHER_NETWORK = (
    {"network.cidr": "10.9.0.0/16"},
    "langfuse-dev",
    "(langfuse:index:Network) would be replaced by an empty one: network.cidr changes from "
    "'10.0.0.0/16'",
)
A_SMALLER_VOLUME = (
    {"clickhouse.volumeGib": "20"},
    "langfuse-dev-clickhouse",
    "(aws:ebs/volume:Volume) cannot shrink: size changes from 30 to 20. EBS makes no volume",
)
A_ZONE_LESS = (
    {"network.zones": "2"},
    "langfuse-dev",
    "(langfuse:index:Network) cannot shrink: network.zones changes from 3 to 2. PostgreSQL and",
)


@pytest.mark.xdist_group("one stack")
def test_a_larger_volume_and_another_zone_are_no_loss(deployment: Deployment) -> None:
    file = deployment.stack.folder / f"Pulumi.{deployment.stack.name}.yaml"
    kept = file.read_text(encoding="utf-8")
    deployment.configure_all({"clickhouse.volumeGib": "31", "network.zones": "4"}, {})
    steps = deployment.steps()
    file.write_text(kept, encoding="utf-8")
    changed = {each["urn"].split("::")[-1]: each["op"] for each in steps if each["op"] != "same"}
    assert changed["langfuse-dev-clickhouse-volume"] == "update", "the stash of its size"
    kinds = {each["urn"].split("$")[-1].split("::")[0] for each in steps if "replace" in each["op"]}
    assert not kinds & REPLACEMENT_INPUTS.keys()


@pytest.mark.xdist_group("one stack")
@pytest.mark.parametrize(
    ("command", "config", "resource", "words"),
    [
        ("preview", *MORE_SERVERS),
        ("preview", *A_ZONE_LESS),
        ("up", *ANOTHER_NETWORK),
        ("up", *ANOTHER_DATABASE),
    ],
)
def test_a_change_that_would_lose_data_is_refused_with_a_way_out(
    deployment: Deployment, command: str, config: dict[str, str], resource: str, words: str
) -> None:
    has_a_way_out(refused(deployment, command, config), resource, words)


def has_a_way_out(printed: str, resource: str, words: str) -> None:
    lines = [line for line in printed.splitlines() if f"{resource} (" in line and words in line]
    assert lines, printed
    if "langfuse:index:Network" in lines[0]:
        assert "make another stack with it" in lines[0], "no store can follow"
        assert "allowReplace" not in lines[0]
    else:
        assert WAY_OUT.format(resource) in lines[0]


@pytest.mark.xdist_group("one stack")
def test_a_preview_tells_all_that_is_refused_at_once(deployment: Deployment) -> None:
    changes = (ANOTHER_DATABASE, ANOTHER_NETWORK, A_SMALLER_VOLUME)
    config = {key: value for change in changes for key, value in change[0].items()}
    printed = refused(deployment, "preview", config)
    for _, resource, words in changes:
        has_a_way_out(printed, resource, words)


def test_every_replaced_property_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    subnets = [f"subnet-0000000000000000{number}" for number in (1, 2)]
    adopted = {
        f"network.{kind}SubnetIds[{index}]": subnet
        for kind in ("private", "public")
        for index, subnet in enumerate(subnets)
    }
    deployment.configure_all({**adopted, "network.vpcId": "vpc-0123456789abcdef0"}, {})
    deployment.up()
    swapped = {
        f"network.privateSubnetIds[{index}]": subnet
        for index, subnet in enumerate(reversed(subnets))
    }
    printed = refused(deployment, "preview", swapped)
    assert (
        "langfuse-dev-clickhouse (aws:ebs/volume:Volume) would be replaced by an empty one: "
        "availabilityZone changes from 'us-east-1b' to 'us-east-1c'."
    ) in printed, "the volume cannot follow its instance into another zone"


@pytest.mark.running
def test_a_named_resource_may_be_replaced_and_only_that_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    deployment = Deployment.of("prod", tmp_path, environment)
    deployment.up()
    before = ids(deployment.state())
    deployment.configure("clickhouse.snapshotId", "snap-0123456789abcdef0")
    assert deployment.changes() == set(), "what a volume begins with counts when it is made"
    deployment.configure("allowReplace[0]", "langfuse-prod-clickhouse")
    deployment.up()
    gone = {urn.split("::")[-1] for urn, _ in before - ids(deployment.state())}
    assert gone == {"langfuse-prod-clickhouse"}
    (volume,) = deployment.of_type("aws:ebs/volume:Volume")
    assert volume["inputs"]["snapshotId"] == "snap-0123456789abcdef0"
    invocations = [each for each in deployment.state() if "Invocation" in each["type"]]
    triggers = json.dumps([each["inputs"]["triggers"] for each in invocations])
    assert volume["id"] in triggers, "another database is migrated again"
    deployment.run("config", "rm", "--path", "langfuse:allowReplace", "--stack", "prod")
    deployment.up()
    (kept,) = deployment.of_type("aws:ebs/volume:Volume")
    assert (kept["id"], kept["protect"]) == (volume["id"], True)


def test_one_broken_volume_of_three_is_replaced_by_its_name(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """As docs/operations.md has it. AWS in memory gives the new volume the same ID."""
    label = "langfuse-staging-clickhouse-2"
    deployment = Deployment.of("staging", tmp_path, environment)
    deployment.configure_all(
        {"clickhouse.replicas": "3", "network.zones": "3", "deletionProtection": "true"}, {}
    )
    deployment.up()
    (urn,) = [
        each["urn"]
        for each in deployment.state()
        if each["type"] == "aws:ebs/volume:Volume" and each["urn"].endswith(f"::{label}")
    ]
    refusal = deployment.up("--replace", urn, check=False)
    assert refusal.returncode, "the name is missing"
    deployment.configure("allowReplace[0]", label)
    done = deployment.up("--replace", urn)
    assert "+-1 replaced" in done.stdout
    assert "[retain]" in done.stdout, "a protected stack's old volume stays in AWS"


def test_what_aws_does_not_delete_is_kept_once_all_else_has_gone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The order of docs/operations.md: AWS in memory refuses the load balancer and the database.

    On AWS step 2 frees these two, and it is buckets and vaults that are not empty.
    """
    deployment = Deployment.of("staging", tmp_path, environment)
    deployment.configure("deletionProtection", "true")
    deployment.up()

    def named(kind: str) -> list[str]:
        return [each["urn"] for each in deployment.of_type(kind)]

    def forget(urn: str) -> int:
        command = ("state", "delete", urn, "--yes", "--stack", "staging")
        return deployment.run(*command, check=False).returncode

    deployment.run("state", "unprotect", "--all", "--yes", "--stack", "staging")
    for urn in named("aws:s3/bucket:Bucket") + named("aws:backup/vault:Vault"):
        assert forget(urn), f"{urn}: others need it"
    assert deployment.destroy("--continue-on-error", check=False).returncode
    refused_by_aws = [*named("aws:rds/cluster:Cluster"), *named("aws:lb/loadBalancer:LoadBalancer")]
    assert len(refused_by_aws) == 2
    assert [forget(urn) for urn in refused_by_aws] == [0, 0]
    assert named("aws:ecs/service:Service") == []
