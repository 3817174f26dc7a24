"""The offline model: outputs, names, replacements, layouts and data sources."""

import importlib
import inspect
import keyword
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_awsx as awsx
import pulumi_random as random
import pytest

from langfuse_aws.offline import changes, invokes, model, naming, random_values
from langfuse_aws.offline.catalog import EVERYTHING, TYPES
from langfuse_aws.offline.mocks import OfflineMocks
from langfuse_aws.offline.unknown import UNKNOWN, any_unknown
from langfuse_aws.offline.vpc_layout import layout

REGION = "us-east-1"
AUTO = {"subnetStrategy": "Auto"}
BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:rds/cluster:Cluster"
SUBNET = "aws:ec2/subnet:Subnet"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
program = pulumi.runtime.test  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
DOMAIN = "aws:apigatewayv2/domainName:DomainName"


def sdk_properties(token: str, suffix: str) -> set[str]:
    service, _, name = token.removeprefix("aws:").replace("/", ":").split(":")
    module = importlib.import_module(
        f"pulumi_aws.{service}_" if keyword.iskeyword(service) else f"pulumi_aws.{service}"
    )
    owner = getattr(module, f"{name}Init{suffix}", None) or getattr(module, f"{name}{suffix}")
    getters = (
        member.fget for _, member in inspect.getmembers(owner, lambda item: hasattr(item, "fget"))
    )
    return {getter._pulumi_name for getter in getters if hasattr(getter, "_pulumi_name")}


def test_the_catalog_names_what_the_sdk_has() -> None:
    for token, entry in TYPES.items():
        inputs, outputs = sdk_properties(token, "Args"), sdk_properties(token, "")
        told = {key.split(".")[0] for key in (*entry.computed, *entry.defaults, *entry.restated)}
        replacing = {key.split(".")[0] for key in entry.replaced_by - EVERYTHING}
        assert told <= outputs, token
        assert replacing <= inputs, token
        assert ("tagsAll" in outputs) == entry.tagged, token
        assert ("region" in inputs) == entry.regional, token
        named = entry.naming is not None or token == "aws:route53/record:Record"
        assert ("name" in inputs) <= named, token
        assert entry.naming is None or entry.naming.property in inputs, token


def test_the_same_resource_has_the_same_outputs() -> None:
    first = model.create(SUBNET, "a", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24"}, REGION)
    again = model.create(SUBNET, "a", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24"}, REGION)
    other = model.create(SUBNET, "a", {"vpcId": "vpc-1", "cidrBlock": "10.0.1.0/24"}, REGION)
    assert first == again
    assert first[0] != other[0]
    assert first[0].startswith("subnet-")
    assert len(first[0]) == len("subnet-") + 17


@pytest.mark.parametrize(
    ("region", "prefix", "host"),
    [
        ("us-east-1", "arn:aws:s3", "b.s3.us-east-1.amazonaws.com"),
        ("cn-north-1", "arn:aws-cn:s3", "b.s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "arn:aws-us-gov:s3", "b.s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_partition_is_that_of_the_region(region: str, prefix: str, host: str) -> None:
    _, outputs = model.create(BUCKET, "b", {"bucket": "b"}, region)
    assert outputs["arn"] == f"{prefix}:::b"
    assert outputs["bucketRegionalDomainName"] == host


def test_a_resource_can_name_its_own_region() -> None:
    _, outputs = model.create(BUCKET, "b", {"bucket": "b", "region": "eu-west-1"}, REGION)
    assert ".eu-west-1." in outputs["bucketRegionalDomainName"]


def test_only_what_aws_tells_after_creation_is_unknown_before() -> None:
    outputs = model.preview_create(CLUSTER, "db", {"clusterIdentifier": "db", "port": 1}, REGION)
    assert outputs["endpoint"] == UNKNOWN
    assert outputs["clusterIdentifier"] == "db"
    assert outputs["engineMode"] == "provisioned"
    assert outputs["port"] == 1


def test_a_computed_field_of_an_object_is_unknown_by_itself() -> None:
    inputs = {"domainName": "a.b", "domainNameConfiguration": {"endpointType": "REGIONAL"}}
    before = model.preview_create(DOMAIN, "d", inputs, REGION)["domainNameConfiguration"]
    after = model.create(DOMAIN, "d", inputs, REGION)[1]["domainNameConfiguration"]
    assert before["endpointType"] == "REGIONAL"
    assert before["targetDomainName"] == UNKNOWN
    assert after["targetDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")


def test_an_update_keeps_what_belongs_to_the_id() -> None:
    resource_id, old = model.create(CLUSTER, "db", {"clusterIdentifier": "db"}, REGION)
    inputs = {"clusterIdentifier": "db", "backupRetentionPeriod": 7}
    assert model.update(CLUSTER, "db", resource_id, old, inputs, REGION) == {**old, **inputs}
    assert model.preview_update(CLUSTER, "db", resource_id, old, inputs, REGION) == {
        **old,
        **inputs,
    }


def test_unknown_inputs_leave_the_known_outputs_known_before_an_update() -> None:
    resource_id, old = model.create(CLUSTER, "db", {"clusterIdentifier": "db"}, REGION)
    inputs = {"clusterIdentifier": "db", "kmsKeyId": UNKNOWN}
    preview = model.preview_update(CLUSTER, "db", resource_id, old, inputs, REGION)
    assert preview["endpoint"] == old["endpoint"]
    assert preview["kmsKeyId"] == UNKNOWN


def test_a_launch_template_gets_a_version_with_every_update() -> None:
    resource_id, old = model.create(TEMPLATE, "t", {"name": "t"}, REGION)
    inputs = {"name": "t", "imageId": "ami-1"}
    preview = model.preview_update(TEMPLATE, "t", resource_id, old, inputs, REGION)
    new = model.update(TEMPLATE, "t", resource_id, old, inputs, REGION)
    assert (old["latestVersion"], preview["latestVersion"]) == (1, UNKNOWN)
    assert (new["latestVersion"], new["defaultVersion"]) == (2, 1)


def test_another_content_of_a_task_definition_is_another_revision() -> None:
    arns = {
        model.create(TASK, "web", {"family": "web", "cpu": cpu}, REGION)[1]["arn"]
        for cpu in ("256", "512")
    }
    assert len(arns) == 2
    assert all(":task-definition/web:" in arn for arn in arns)


def test_hosts_are_made_as_aws_makes_them() -> None:
    cache = "aws:elasticache/replicationGroup:ReplicationGroup"
    _, outputs = model.create(
        cache, "c", {"replicationGroupId": "c", "numCacheClusters": 2}, "eu-west-1"
    )
    assert outputs["primaryEndpointAddress"].startswith("master.c.")
    assert outputs["primaryEndpointAddress"].endswith(".euw1.cache.amazonaws.com")
    assert outputs["memberClusters"] == ["c-001", "c-002"]
    balancer = "aws:lb/loadBalancer:LoadBalancer"
    _, outputs = model.create(balancer, "l", {"name": "l", "internal": True}, REGION)
    assert outputs["dnsName"].startswith("internal-l-")
    assert outputs["arn"].endswith(outputs["arnSuffix"])
    assert outputs["arnSuffix"].startswith("app/l/")


def test_a_certificate_is_validated_by_one_record_per_name() -> None:
    inputs = {"domainName": "a.org", "subjectAlternativeNames": ["*.a.org", "b.org", "a.org"]}
    _, outputs = model.create("aws:acm/certificate:Certificate", "c", inputs, REGION)
    options = outputs["domainValidationOptions"]
    assert [option["domainName"] for option in options] == ["a.org", "*.a.org", "b.org"]
    assert options[0]["resourceRecordName"] == options[1]["resourceRecordName"]
    assert options[0]["resourceRecordName"] != options[2]["resourceRecordName"]


def test_the_default_security_group_is_that_of_the_vpc() -> None:
    vpc_id, vpc = model.create("aws:ec2/vpc:Vpc", "v", {"cidrBlock": "10.0.0.0/16"}, REGION)
    token = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    group_id, _ = model.create(token, "g", {"vpcId": vpc_id}, REGION)
    assert group_id == vpc["defaultSecurityGroupId"]


def test_a_type_without_an_entry_is_worked_out_from_the_sdk() -> None:
    token = "aws:cloudfront/distribution:Distribution"
    assert token not in TYPES
    _, outputs = model.create(token, "cdn", {"enabled": True}, REGION)
    assert outputs["arn"].startswith("arn:aws:cloudfront:us-east-1:123456789012:distribution/")
    assert outputs["domainName"]
    assert outputs["tagsAll"] == {}
    assert model.preview_create(token, "cdn", {}, REGION)["domainName"] == UNKNOWN


def test_a_type_that_the_sdk_does_not_have_still_has_an_arn() -> None:
    _, outputs = model.create("aws:nowhere/thing:Thing", "x", {"a": 1}, REGION)
    assert outputs["arn"].startswith("arn:aws:nowhere:us-east-1:")
    assert outputs["a"] == 1


def test_a_name_is_made_once_and_kept() -> None:
    first = naming.named(BUCKET, "Data", {}, random_seed=b"seed")
    assert first["bucket"].startswith("data-")
    assert len(first["bucket"]) == len("data-") + 7
    assert naming.named(BUCKET, "Data", {}, old=first)["bucket"] == first["bucket"]
    assert naming.named(BUCKET, "Data", {}, random_seed=b"seed") == first
    assert naming.named(BUCKET, "Data", {}, random_seed=b"other") != first


def test_a_name_by_hand_is_not_kept_when_it_goes() -> None:
    old = naming.named(BUCKET, "data", {"bucket": "mine"})
    assert old == {"bucket": "mine"}
    assert naming.named(BUCKET, "data", {}, old=old)["bucket"].startswith("data-")


@pytest.mark.parametrize("inputs", [{}, {"name": "x" * 33}])
def test_a_name_that_is_too_long_is_refused(inputs: dict[str, Any]) -> None:
    with pytest.raises(naming.NameTooLongError, match="at most 32"):
        naming.named("aws:lb/targetGroup:TargetGroup", "x" * 30, inputs)


def replaced(token: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return changes.compare(token, old, new).replaces


def test_what_forces_a_replacement() -> None:
    assert replaced(SUBNET, {"cidrBlock": "a"}, {"cidrBlock": "b"}) == ["cidrBlock"]
    assert replaced(SUBNET, {"tags": {"a": "b"}}, {"tags": {}}) == []
    assert replaced(TASK, {"cpu": "1", "tags": {}}, {"cpu": "2", "tags": {"a": "b"}}) == ["cpu"]
    assert replaced(BUCKET, {"region": "a"}, {"region": "b"}) == ["region"]
    assert replaced(SUBNET, {"vpcId": "a"}, {"vpcId": UNKNOWN}) == ["vpcId"]
    lock = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
    assert replaced(lock, {"maxRetentionDays": 7}, {"maxRetentionDays": 9}) == ["maxRetentionDays"]


def test_a_program_can_begin_to_write_what_aws_has_already() -> None:
    address, group = "aws:ec2/eip:Eip", "aws:autoscaling/group:Group"
    for token, old, state, new, expected in (
        (address, {}, {"domain": "vpc"}, {"domain": "vpc"}, []),
        (address, {}, {"domain": "standard"}, {"domain": "vpc"}, ["domain"]),
        (address, {}, {"domain": "vpc"}, {"domain": UNKNOWN}, ["domain"]),
        (address, {}, {}, {"domain": "vpc"}, ["domain"]),
        (address, {}, {"domain": None}, {"domain": "vpc"}, ["domain"]),
        (SUBNET, {}, {"mapPublicIpOnLaunch": False}, {"mapPublicIpOnLaunch": False}, []),
        (
            SUBNET,
            {},
            {"mapPublicIpOnLaunch": False},
            {"mapPublicIpOnLaunch": True},
            ["mapPublicIpOnLaunch"],
        ),
        (
            TASK,
            {"runtimePlatform": {"cpuArchitecture": "ARM64"}},
            {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
            {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
            [],
        ),
        (
            group,
            {"tags": [{"key": "a"}]},
            {"tags": [{"key": "a", "value": "b"}]},
            {"tags": [{"key": "a", "value": "b"}]},
            [],
        ),
    ):
        found = changes.compare(token, old, new, {**old, **state})
        assert [each.path for each in found.changes] == expected, (token, old, state, new)


def test_a_part_of_an_object_can_force_a_replacement() -> None:
    token = "aws:servicediscovery/service:Service"
    old = {"dnsConfig": {"namespaceId": "a", "dnsRecords": [{"ttl": 1, "type": "A"}]}}
    slower = {"dnsConfig": {"namespaceId": "a", "dnsRecords": [{"ttl": 9, "type": "A"}]}}
    moved = {"dnsConfig": {"namespaceId": "b", "dnsRecords": [{"ttl": 1, "type": "A"}]}}
    assert replaced(token, old, slower) == []
    assert replaced(token, old, moved) == ["dnsConfig"]
    assert replaced(token, old, {}) == ["dnsConfig"]


@pytest.mark.parametrize(
    ("version", "expected"), [("6.2", ["transitEncryptionEnabled"]), ("8.0", [])]
)
def test_old_caches_are_replaced_to_encrypt_transit(version: str, expected: list[str]) -> None:
    token = "aws:elasticache/replicationGroup:ReplicationGroup"
    old = {"engineVersion": version, "transitEncryptionEnabled": False}
    assert replaced(token, old, {**old, "transitEncryptionEnabled": True}) == expected


def test_a_change_names_its_path() -> None:
    old = {"tags": {"a.b": "1"}, "rules": [{"port": 1}], "gone": 1, "__defaults": ["x"]}
    new = {"tags": {"a.b": "2"}, "rules": [{"port": 2}, {"port": 3}], "new": 1}
    assert {(path, kind.value) for path, kind in changes.differences(old, new)} == {
        ('tags["a.b"]', "UPDATE"),
        ("rules[0].port", "UPDATE"),
        ("rules[1]", "ADD"),
        ("gone", "DELETE"),
        ("new", "ADD"),
    }


def test_a_replacement_under_the_same_given_name_deletes_first() -> None:
    old = {"name": "a", "vpcId": "vpc-1"}
    new = {"name": "a", "vpcId": "vpc-2"}
    token = "aws:ec2/securityGroup:SecurityGroup"
    automatic = {naming.DEFAULTS: ["name"]}
    assert changes.compare(token, old, new).delete_first
    assert not changes.compare(token, old | automatic, new | automatic).delete_first
    assert not changes.compare(token, old, {**old, "tags": {}}).delete_first


def test_a_layout_puts_private_subnets_behind_one_gateway() -> None:
    arguments = {**AUTO, "cidrBlock": "10.0.0.0/16", "natGateways": {"strategy": "Single"}}
    plan = layout("net", arguments, ["a", "b"])
    assert [subnet.name for subnet in plan.subnets] == [
        "net-public-1", "net-private-1", "net-public-2", "net-private-2",
    ]  # fmt: skip
    assert [subnet.cidr_block for subnet in plan.of_kind("private")] == [
        "10.0.0.0/18", "10.0.128.0/18",
    ]  # fmt: skip
    assert [subnet.cidr_block for subnet in plan.of_kind("public")] == [
        "10.0.64.0/19", "10.0.192.0/19",
    ]  # fmt: skip
    assert [plan.gateway_for(subnet) for subnet in plan.of_kind("private")] == [0, 0]


def test_a_layout_follows_its_specs() -> None:
    specs = [
        {"type": "Public", "cidrMask": 24},
        {"type": "Unused", "cidrMask": 24},
        {"type": "Isolated", "name": "db", "cidrMask": 24},
    ]
    arguments = {**AUTO, "subnetSpecs": specs, "natGateways": {"strategy": "None"}}
    plan = layout("net", arguments, ["a"])
    assert [(subnet.name, subnet.cidr_block) for subnet in plan.subnets] == [
        ("net-public-1", "10.0.0.0/24"),
        ("net-db-1", "10.0.2.0/24"),
    ]
    assert plan.gateway_zones == ()


def test_a_layout_takes_given_blocks() -> None:
    blocks = ["10.0.7.0/24", "10.0.8.0/24"]
    specs = [{"type": "Isolated", "cidrBlocks": blocks}]
    arguments = {**AUTO, "subnetSpecs": specs, "natGateways": {"strategy": "None"}}
    assert [s.cidr_block for s in layout("net", arguments, ["a", "b"]).subnets] == blocks


def test_a_layout_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        layout("net", {**AUTO, "subnetSpecs": [{"type": "Public", "cidrMask": 8}]}, ["a"])
    with pytest.raises(ValueError, match="both private and public"):
        layout("net", {**AUTO, "subnetSpecs": [{"type": "Public", "cidrMask": 24}]}, ["a"])
    with pytest.raises(ValueError, match="subnetStrategy must be Auto"):
        layout("net", {}, ["a"])


def test_zones_are_those_of_the_region() -> None:
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    tokyo = invokes.invoke(token, {}, "ap-northeast-1")
    assert tokyo["names"] == ["ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"]
    assert tokyo["zoneIds"] == ["apne1-az4", "apne1-az1", "apne1-az2"]
    left = invokes.invoke(token, {"excludeZoneIds": ["euw1-az2"]}, "eu-west-1")
    assert left["names"] == ["eu-west-1a", "eu-west-1c"]
    assert len(invokes.invoke(token, {}, "us-west-1")["names"]) == 2


def test_the_last_digit_of_a_subnet_says_its_zone() -> None:
    zones = [
        invokes.invoke("aws:ec2/getSubnet:getSubnet", {"id": f"subnet-{n}"}, REGION)[
            "availabilityZone"
        ]
        for n in range(3)
    ]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1c"]


@pytest.mark.parametrize("kind", ["Vpc", "Subnet", "RouteTable"])
def test_a_search_for_one_thing_that_finds_all_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"^multiple EC2 .* matched; use additional constraints"):
        invokes.invoke(f"aws:ec2/get{kind}:get{kind}", {"region": REGION}, REGION)


def test_an_unknown_data_source_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"aws:x/getY:getY .* langfuse_aws/offline/invokes.py"):
        invokes.invoke("aws:x/getY:getY", {}, REGION)


def test_a_password_has_what_is_asked_for() -> None:
    token = "random:index/randomPassword:RandomPassword"
    inputs = {"length": 12, "special": False, "minNumeric": 3, "minUpper": 3, "lower": False}
    results = {random_values.create(token, "p", inputs)[1]["result"] for _ in range(20)}
    assert len(results) == 20
    for result in results:
        assert len(result) == 12
        assert sum(c.isdigit() for c in result) >= 3
        assert sum(c.isupper() for c in result) >= 3
        assert result.isalnum()
        assert result == result.upper()


def test_random_bytes_are_the_same_in_both_forms() -> None:
    token = "random:index/randomBytes:RandomBytes"
    _, outputs = random_values.create(token, "b", {"length": 32}, predictable=True)
    assert len(outputs["hex"]) == 64
    assert random_values.create(token, "b", {"length": 32}, predictable=True)[1] == outputs


def test_a_pet_is_its_id() -> None:
    pet_id, _ = random_values.create("random:index/randomPet:RandomPet", "p", {"prefix": "x"})
    assert pet_id.startswith("x-")
    assert len(pet_id.split("-")) == 3


def test_unknown_values_are_found_at_any_depth() -> None:
    assert any_unknown({"a": [{"b": UNKNOWN}]})
    assert not any_unknown({"a": [{"b": "known"}], "c": None})


@pytest.fixture
def mocks() -> OfflineMocks:
    created = OfflineMocks("eu-west-1")
    pulumi.runtime.set_mocks(created, preview=False)
    return created


@program
def test_mocks_answer_with_the_model(mocks: OfflineMocks) -> Any:
    bucket = aws.s3.Bucket("Data")
    vpc = awsx.ec2.Vpc(
        "net",
        nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(
            strategy=awsx.ec2.NatGatewayStrategy.NONE
        ),
        number_of_availability_zones=2,
        subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
    )

    def check(values: list[Any]) -> None:
        arn, public, private = values
        assert arn == f"arn:aws:s3:::{mocks.one(BUCKET).outputs['bucket']}"
        assert arn.startswith("arn:aws:s3:::data-")
        assert (len(public), len(private)) == (2, 2)
        assert not {*public} & {*private}

    return pulumi.Output.all(bucket.arn, vpc.public_subnet_ids, vpc.private_subnet_ids).apply(check)


@program
def test_mocks_keep_secrets_secret(mocks: OfflineMocks) -> Any:
    password = random.RandomPassword("p", length=10)
    parameter = aws.ssm.Parameter("s", type="String", value=password.result)

    def check(values: list[Any]) -> None:
        plain, secret, derived = values
        assert (secret, derived) == (True, True)
        found = mocks.one("aws:ssm/parameter:Parameter")
        assert found.inputs["value"] == plain
        assert found.secrets == {"value"}

    return pulumi.Output.all(
        password.result, password.result.is_secret(), parameter.value.is_secret()
    ).apply(check)


@program
def test_mocks_know_the_region_of_a_provider(mocks: OfflineMocks) -> Any:  # noqa: ARG001
    other = aws.Provider("other", region="us-west-2")
    topic = aws.sns.Topic("t", opts=pulumi.ResourceOptions(provider=other))
    identity = aws.get_region_output(opts=pulumi.InvokeOptions(provider=other))

    def check(values: list[str]) -> None:
        assert values[0].startswith("arn:aws:sns:us-west-2:")
        assert values[1] == "us-west-2"

    return pulumi.Output.all(topic.arn, identity.region).apply(check)


def test_mocks_refuse_a_second_resource_of_a_name(mocks: OfflineMocks) -> None:
    arguments = pulumi.runtime.MockResourceArgs(BUCKET, "b", {}, "", "", True)
    mocks.new_resource(arguments)
    with pytest.raises(ValueError, match="registered twice"):
        mocks.new_resource(arguments)
    with pytest.raises(LookupError, match="not one but 0"):
        mocks.one(BUCKET, "c")
