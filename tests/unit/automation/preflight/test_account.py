"""`preflight` on the caller, the region, its zones and the quotas, in an account on moto.

It proves what is asked, counted and said. moto's regions, zones and offers of instance types are
copies of AWS's; its quotas are a test's own. It does not prove that AWS counts a quota as the
checks do.
"""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from langfuse_aws.automation.aws.answers import Caller, Check, NewStack, Result, answers
from langfuse_aws.automation.preflight.account import check_region, find_caller
from langfuse_aws.automation.preflight.needs import needs_of
from langfuse_aws.automation.preflight.quotas import quota_checks
from langfuse_aws.automation.preflight.zones import (
    check_database,
    check_machines,
    check_vpc_link,
    check_zones,
    stack_zones,
)
from langfuse_aws.settings.versions import POSTGRES_MAJOR
from langfuse_aws.settings.zones import VPC_LINK_ZONES, Zone
from tests.unit.aws_account import ACCOUNT, REGION, Account, aws, stubbed
from tests.unit.settings.test_external_stores import EXTERNAL

ALB = {"domain": "langfuse.example.com", "ingress": {"kind": "alb"}}
GATEWAYS = {"network": {"egress": "natGatewayPerZone"}}
AURORA = {"postgres": {"mode": "auroraServerless"}}


def with_client(stack: NewStack, service: str, client: Any) -> NewStack:
    """The stack with a client of one service replaced."""
    real = stack.aws

    def replaced(name: str, region: str | None = None) -> Any:
        return client if name == service else real(name, region)

    return NewStack(stack.name, stack.prefix, stack.region, stack.settings, replaced)


def only(results: Iterable[Result]) -> Result:
    found = list(results)
    assert len(found) == 1, found
    return found[0]


def quota(stack: NewStack, name: str) -> Result:
    """The answer of one quota's check."""
    checks = {check.name: check for check in quota_checks(stack, needs_of(stack.settings))}
    return only(answers(checks[f"quota of {name}"]))


def test_the_caller_is_told_with_account_and_region(account: Account) -> None:
    result, caller = find_caller(account.stack())
    arn = f"arn:aws:sts::{ACCOUNT}:user/moto"
    assert result == Result("credentials", "ok", f"account {ACCOUNT}, {arn}, region {REGION}")
    assert caller == Caller(ACCOUNT, arn, "aws")


def test_without_credentials_the_remedy_says_where_they_come_from(account: Account) -> None:
    class NoSts:
        def get_caller_identity(self) -> None:
            raise NoCredentialsError

    result, caller = find_caller(with_client(account.stack(), "sts", NoSts()))
    assert caller is None
    assert result.status == "failed"
    assert result.message == "Unable to locate credentials"
    assert result.remedy == (
        "Set AWS_PROFILE, or aws:profile in the stack file; aws sso login or aws configure renews "
        "it. aws sts get-caller-identity must answer."
    )


def test_the_caller_is_asked_for_where_no_region_can_be_disabled(account: Account) -> None:
    asked: list[str | None] = []
    stack = account.stack("af-south-1")
    real = stack.aws

    def noted(service: str, region: str | None = None) -> Any:
        asked.append(region)
        return real(service, region)

    find_caller(NewStack(stack.name, stack.prefix, stack.region, stack.settings, noted))
    assert asked == ["us-east-1"]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_follows_from_the_region(
    account: Account, region: str, partition: str
) -> None:
    _, caller = find_caller(account.stack(region))
    assert caller is not None
    assert caller.partition == partition


def test_an_enabled_region_is_fine(account: Account) -> None:
    assert only(check_region(account.stack())) == Result("region", "ok", "us-east-1 is enabled")


def test_a_region_that_is_not_enabled_fails_with_the_command_that_enables_it(
    account: Account,
) -> None:
    result = only(check_region(account.stack("ap-east-1")))
    assert result == Result(
        "region",
        "failed",
        "aws:region: ap-east-1: is not enabled in this account.",
        "aws account enable-region --region-name ap-east-1; it takes minutes to hours.",
    )


def test_a_region_that_does_not_exist_fails(account: Account) -> None:
    result = only(check_region(account.stack("eu-west-9")))
    assert result.status == "failed"
    assert result.message.startswith("aws:region: eu-west-9: is none of the ")
    assert result.remedy == (
        "pulumi config set --path aws:region REGION --stack dev, with a name of aws ec2 "
        "describe-regions --all-regions --region us-east-1."
    )


def test_the_region_of_the_copies_is_checked_too(account: Account) -> None:
    results = list(check_region(account.stack(backups={"copyRegion": "ap-east-1"})))
    assert [result.status for result in results] == ["ok", "failed"]
    assert results[1].message == (
        "langfuse:backups.copyRegion: ap-east-1: is not enabled in this account."
    )


def test_zones_are_the_regions_first_by_name(account: Account) -> None:
    stack = account.stack()
    assert only(check_zones(stack, needs_of(stack.settings))) == Result(
        "zones", "ok", "needs 2: us-east-1a (use1-az6), us-east-1b (use1-az1)"
    )


def test_zones_that_the_program_leaves_out_are_left_out(account: Account) -> None:
    listed = {"us-east-1c": "use1-az2", "us-east-1a": "use1-az3", "us-east-1b": "use1-az1"}
    answer = [{"ZoneName": name, "ZoneId": zone} for name, zone in listed.items()]
    ec2 = stubbed("ec2", ("describe_availability_zones", {"AvailabilityZones": answer}))
    assert stack_zones(with_client(account.stack(), "ec2", ec2)) == [
        Zone("us-east-1b", "use1-az1"),
        Zone("us-east-1c", "use1-az2"),
    ]


def test_too_few_zones_fail_with_how_many_there_are(account: Account) -> None:
    stack = account.stack("us-west-1", network={"zones": 3})
    result = only(check_zones(stack, needs_of(stack.settings)))
    assert result == Result(
        "zones",
        "failed",
        "langfuse:network.zones: 3: us-west-1 has 2 fitting availability zones (us-west-1a "
        "(usw1-az3), us-west-1b (usw1-az1)).",
        "pulumi config set --path langfuse:network.zones 2 --stack dev, or choose another region.",
    )


def adopted(account: Account, *zones: str, **config: Any) -> NewStack:
    """A stack in a VPC that exists, with a private subnet in each of these zones."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ids = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=zone)[
            "Subnet"
        ]["SubnetId"]
        for index, zone in enumerate(zones)
    ]
    public = ["subnet-23456789", "subnet-3456789a"]
    network = {"vpcId": vpc, "privateSubnetIds": ids, "publicSubnetIds": public}
    return account.stack(network=network, **config)


def test_zones_of_an_adopted_network_are_those_of_its_private_subnets(account: Account) -> None:
    stack = adopted(account, "us-east-1d", "us-east-1b")
    result = only(check_zones(stack, needs_of(stack.settings)))
    assert result == Result(
        "zones", "ok", "the private subnets are in us-east-1d (use1-az4), us-east-1b (use1-az1)"
    )


def test_an_adopted_subnet_in_a_zone_without_fargate_on_graviton_fails(account: Account) -> None:
    stack = adopted(account, "us-east-1a", "us-east-1e")
    (subnet, _) = [*reversed(stack.settings.network.model_dump()["private_subnet_ids"])]
    result = only(check_zones(stack, needs_of(stack.settings)))
    assert result == Result(
        "zones",
        "failed",
        f"langfuse:network.privateSubnetIds: {subnet} is in us-east-1e (use1-az3), where AWS has "
        "no Fargate, or none on Graviton.",
        "Leave it out, and list subnets of other zones.",
    )
    x86 = {"architecture": "x86_64"}
    without = {"clickhouse": EXTERNAL["clickhouse"], "web": x86, "worker": x86}
    fine = adopted(account, "us-east-1a", "us-east-1e", **without)
    assert only(check_zones(fine, needs_of(fine.settings))).status == "ok"


def test_adopted_subnets_of_one_zone_fail(account: Account) -> None:
    stack = adopted(account, "us-east-1d", "us-east-1d")
    result = only(check_zones(stack, needs_of(stack.settings)))
    assert (result.status, result.remedy) == (
        "failed",
        "List subnets of different availability zones first.",
    )
    assert result.message == (
        "langfuse:network.privateSubnetIds: needs 2 different zones; the first subnets are in "
        "us-east-1d (use1-az4), us-east-1d (use1-az4)."
    )


def test_three_servers_need_the_first_three_adopted_subnets_in_three_zones(
    account: Account,
) -> None:
    zones = ("us-east-1a", "us-east-1b", "us-east-1a", "us-east-1c")
    stack = adopted(account, *zones, clickhouse={"replicas": 3})
    result = only(check_zones(stack, needs_of(stack.settings)))
    assert result.status == "failed"
    assert "needs 3 different zones" in result.message


def test_an_adopted_subnet_that_does_not_exist_fails_with_where_to_look(account: Account) -> None:
    vpc = "vpc-0123456789abcdef0"
    ids = ["subnet-01234567", "subnet-12345678"]
    network = {"vpcId": vpc, "privateSubnetIds": ids, "publicSubnetIds": ids}
    stack = account.stack(network=network)
    result = only(check_zones(stack, needs_of(stack.settings)))
    assert result.status == "failed"
    # moto names one of them.
    assert re.fullmatch(
        r"langfuse:network.privateSubnetIds: The subnet ID 'subnet-\w+' does not exist.",
        result.message,
    )
    assert result.remedy == (
        f"List subnets of {vpc}: aws ec2 describe-subnets --region us-east-1 --filters "
        f"Name=vpc-id,Values={vpc}."
    )


def test_a_vpc_link_is_going_to_be_in_the_zones_that_aws_lists(account: Account) -> None:
    assert only(check_vpc_link(account.stack())) == Result(
        "vpc link", "ok", "is going to be in us-east-1a (use1-az6), us-east-1b (use1-az1)"
    )
    stack = adopted(account, "us-east-1a", "us-east-1e")
    assert only(check_vpc_link(stack)) == Result(
        "vpc link", "ok", "is going to be in us-east-1a (use1-az6)"
    ), "e is use1-az3, which the link reaches into"


def test_zones_without_vpc_links_alone_fail_with_those_that_have_them(account: Account) -> None:
    stack = adopted(account, "us-east-1e", "us-east-1e")
    assert only(check_vpc_link(stack)) == Result(
        "vpc link",
        "failed",
        "langfuse:ingress.kind: apiGateway: no VPC links in us-east-1e (use1-az3); us-east-1 has "
        "them in use1-az1, use1-az2, use1-az4, use1-az5, use1-az6.",
        "pulumi config set --path langfuse:ingress.kind alb --stack dev (with langfuse:domain), or "
        "choose another region, or add a subnet in one of these zones.",
    )


def test_vpc_links_are_in_the_zones_of_the_page() -> None:
    """Read once more, by hand: the last digits of each zone ID, in AWS's own order of regions.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vpc-links.html
    """
    page = (
        "us-east-2 use2 123, us-east-1 use1 12456, us-west-1 usw1 13, us-west-2 usw2 1234, "
        "ap-east-1 ape1 23, ap-south-1 aps1 123, ap-northeast-2 apne2 123, "
        "ap-southeast-1 apse1 123, ap-southeast-2 apse2 123, ap-northeast-1 apne1 124, "
        "ca-central-1 cac1 12, eu-central-1 euc1 123, eu-west-1 euw1 123, eu-west-2 euw2 123, "
        "eu-west-3 euw3 13, eu-south-2 eus2 123, eu-north-1 eun1 123, me-south-1 mes1 123, "
        "sa-east-1 sae1 123, us-gov-west-1 usgw1 123"
    )
    rows = [row.split() for row in page.split(", ")]
    assert {region: zones.split() for region, zones in VPC_LINK_ZONES.items()} == {
        region: [f"{prefix}-az{digit}" for digit in digits] for region, prefix, digits in rows
    }


def test_nobody_knows_of_vpc_links_in_a_region_that_aws_does_not_list(account: Account) -> None:
    assert "mx-central-1" not in VPC_LINK_ZONES
    result = only(check_vpc_link(account.stack("mx-central-1")))
    assert (result.status, result.message) == (
        "unknown",
        "could not be checked: AWS's list of zones with VPC links does not have mx-central-1.",
    )


def test_instance_types_are_looked_for_in_the_zones_that_need_them(account: Account) -> None:
    stack = account.stack(
        network={"zones": 3, "egress": "natInstance"},
        clickhouse={"replicas": 3, "instanceType": "r7g.large"},
    )
    results = list(check_machines(stack, needs_of(stack.settings)))
    assert results == [
        Result("instance type r7g.large", "ok", "is offered in us-east-1a, us-east-1b, us-east-1c"),
        Result("instance type t4g.nano", "ok", "is offered in us-east-1a"),
    ]


def test_an_instance_type_that_a_zone_lacks_fails_with_where_it_is(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = [
        {"InstanceType": "t4g.medium", "LocationType": "availability-zone", "Location": zone}
        for zone in ("us-east-1c", "us-east-1b")
    ]
    ec2 = stubbed("ec2", ("describe_instance_type_offerings", {"InstanceTypeOfferings": offers}))
    stack = account.stack()
    zones = stack_zones(stack)

    def known(_: NewStack) -> list[Zone]:
        return zones

    monkeypatch.setattr("langfuse_aws.automation.preflight.zones.stack_zones", known)
    result = only(check_machines(with_client(stack, "ec2", ec2), needs_of(stack.settings)))
    assert result == Result(
        "instance type t4g.medium",
        "failed",
        "langfuse:clickhouse.instanceType: is not offered in us-east-1a. It is in us-east-1b, "
        "us-east-1c.",
        "Set langfuse:clickhouse.instanceType to another, or choose another region.",
    )


def options(version: str, zone: str) -> Any:
    """RDS's offer of an instance class in a zone."""
    option = {"EngineVersion": version, "AvailabilityZones": [{"Name": zone}]}
    answer = {"OrderableDBInstanceOptions": [option]}
    return stubbed("rds", ("describe_orderable_db_instance_options", answer))


@pytest.mark.parametrize(
    ("config", "check", "message"),
    [
        ({}, "db.t4g.micro", f"is offered with postgres {POSTGRES_MAJOR} in us-east-1b"),
        (
            AURORA,
            "db.serverless",
            f"is offered with aurora-postgresql {POSTGRES_MAJOR} in us-east-1b",
        ),
    ],
)
def test_a_database_class_is_fine_where_a_zone_of_the_stack_has_it(
    account: Account, config: dict[str, Any], check: str, message: str
) -> None:
    stack = with_client(
        account.stack(**config), "rds", options(f"{POSTGRES_MAJOR}.9", "us-east-1b")
    )
    assert only(check_database(stack)) == Result(f"database class {check}", "ok", message)


@pytest.mark.parametrize(
    ("version", "zone"), [(f"{POSTGRES_MAJOR}.9", "us-east-1c"), ("15.12", "us-east-1b")]
)
def test_a_database_class_of_another_version_or_zone_fails(
    account: Account, version: str, zone: str
) -> None:
    result = only(check_database(with_client(account.stack(), "rds", options(version, zone))))
    assert result == Result(
        "database class db.t4g.micro",
        "failed",
        f"langfuse:postgres.instanceClass: postgres {POSTGRES_MAJOR} is not offered in the stack's "
        "zones.",
        "Set langfuse:postgres.instanceClass to another, or choose another region: aws rds "
        "describe-orderable-db-instance-options --engine postgres --region us-east-1.",
    )


def test_a_full_quota_fails_with_need_quota_use_and_the_command_that_raises_it(
    account: Account,
) -> None:
    account.quotas["vpc", "L-F678F1CE"] = 5
    ec2 = aws("ec2")
    for index in range(4):  # beside the default VPC
        ec2.create_vpc(CidrBlock=f"10.{index}.0.0/16")
    assert quota(account.stack(), "VPCs") == Result(
        "quota of VPCs",
        "failed",
        "needs 1, has 5 of which 5 are used.",
        "aws service-quotas request-service-quota-increase --region us-east-1 --service-code vpc "
        "--quota-code L-F678F1CE --desired-value 6 (https://us-east-1.console.aws.amazon.com/"
        "servicequotas/home/services/vpc/quotas/L-F678F1CE), or adopt a VPC with "
        "langfuse:network.vpcId.",
    )


def test_what_just_fits_is_fine(account: Account) -> None:
    account.quotas["vpc", "L-F678F1CE"] = 2
    result = quota(account.stack(), "VPCs")
    assert result == Result("quota of VPCs", "ok", "needs 1, has 2 of which 1 are used")


def test_three_gateways_need_three_addresses(account: Account) -> None:
    account.quotas["ec2", "L-0263D0A3"] = 5
    for _ in range(3):
        aws("ec2").allocate_address(Domain="vpc")
    network = {"zones": 3, "egress": "natGatewayPerZone"}
    result = quota(account.stack(network=network), "Elastic IPs")
    assert (result.status, result.message) == ("failed", "needs 3, has 5 of which 3 are used.")
    assert "--service-code ec2 --quota-code L-0263D0A3 --desired-value 6 " in result.remedy
    assert result.remedy.endswith("or set langfuse:network.egress to natGateway, natInstance or "
                                  "none.")  # fmt: skip


@pytest.mark.parametrize(("egress", "used"), [("natGateway", 0), ("natGatewayPerZone", 2)])
def test_nat_gateways_are_counted_in_the_zones_that_get_one(
    account: Account, egress: str, used: int
) -> None:
    ec2 = aws("ec2")
    subnets = ec2.describe_subnets()["Subnets"]
    in_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in subnets}
    gone = [
        ec2.create_nat_gateway(SubnetId=in_zone[zone], AllocationId=address["AllocationId"])
        for zone in ("us-east-1b", "us-east-1b", "us-east-1b", "us-east-1c")
        for address in [ec2.allocate_address(Domain="vpc")]
    ]
    ec2.delete_nat_gateway(NatGatewayId=gone[0]["NatGateway"]["NatGatewayId"])
    stack = account.stack(network={"egress": egress})
    result = quota(stack, "NAT gateways in a zone")
    assert result.message == f"needs 1, has 1000 of which {used} are used"


def test_vcpus_in_use_are_what_cloudwatch_counted_last(account: Account) -> None:
    account.quotas["ec2", "L-1216C47A"] = 5
    account.usage("EC2", "Standard/OnDemand", 64, 4)
    result = quota(account.stack(), "on-demand standard vCPUs")
    assert (result.status, result.message) == ("failed", "needs 2, has 5 of which 4 are used.")
    assert "--service-code ec2 --quota-code L-1216C47A --desired-value 6 " in result.remedy
    assert result.remedy.endswith("choose a smaller langfuse:clickhouse.instanceType.")


def test_fargate_has_a_quota_of_its_own_for_spot(account: Account) -> None:
    account.quotas["fargate", "L-36FBB829"] = 6
    account.quotas["fargate", "L-3032A538"] = 6
    account.usage("Fargate", "Standard/Spot", 4.75)
    stack = account.stack()
    spot = quota(stack, "Fargate Spot vCPUs")
    assert (spot.status, spot.message) == ("failed", "needs 1.5, has 6 of which 4.75 are used.")
    assert "--service-code fargate --quota-code L-36FBB829 --desired-value 7 " in spot.remedy
    assert spot.remedy.endswith("lower cpu or minTasks of langfuse:web and langfuse:worker.")
    on_demand = quota(stack, "Fargate on-demand vCPUs")
    assert on_demand.message == "needs 1, has 6 of which 0 are used"


def test_network_load_balancers_do_not_count(account: Account) -> None:
    ec2, elb = aws("ec2"), aws("elbv2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]]
    for kind in ("application", "network"):
        elb.create_load_balancer(Name=kind, Type=kind, Subnets=subnets[:2])
    account.quotas["elasticloadbalancing", "L-53DA6B97"] = 1
    result = quota(account.stack(**ALB), "Application Load Balancers")
    assert (result.status, result.message) == ("failed", "needs 1, has 1 of which 1 are used.")
    assert result.remedy.endswith("set langfuse:ingress.kind to the other kind.")


def test_vpc_links_are_counted_over_all_pages(account: Account) -> None:
    link: dict[str, Any] = {"Name": "a", "SecurityGroupIds": [], "SubnetIds": [], "VpcLinkId": "a"}
    account.links = [{"Items": [link] * 6, "NextToken": "more"}, {"Items": [link] * 4}]
    account.quotas["apigateway", "L-608BDCD4"] = 10
    result = quota(account.stack(), "VPC links")
    assert (result.status, result.message) == ("failed", "needs 1, has 10 of which 10 are used.")


def test_databases_and_cache_nodes_are_counted(account: Account) -> None:
    rds = aws("rds")
    secret = {"MasterUsername": "root", "MasterUserPassword": "hunter2hunter2"}
    rds.create_db_cluster(DBClusterIdentifier="a", Engine="aurora-postgresql", **secret)
    for name in ("b", "c"):
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            Engine="aurora-postgresql",
            DBInstanceClass="db.serverless",
            DBClusterIdentifier="a",
        )
    aws("elasticache").create_cache_cluster(
        CacheClusterId="d", Engine="memcached", NumCacheNodes=3, CacheNodeType="cache.t4g.micro"
    )
    stack = account.stack(
        postgres={"mode": "auroraServerless", "instances": 3}, redis={"replicas": 1}
    )
    said = {
        name: quota(stack, name).message
        for name in ("DB instances", "DB clusters", "ElastiCache nodes", "Cloud Map namespaces")
    }
    assert said == {
        "DB instances": "needs 3, has 1000 of which 2 are used",
        "DB clusters": "needs 1, has 1000 of which 1 are used",
        "ElastiCache nodes": "needs 2, has 1000 of which 3 are used",
        "Cloud Map namespaces": "needs 1, has 1000 of which 0 are used",
    }


def test_interface_endpoints_do_not_count(account: Account) -> None:
    ec2 = aws("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for kind in ("Gateway", "Gateway", "Interface"):
        ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType=kind
        )
    result = quota(account.stack(), "gateway VPC endpoints")
    assert result.message == "needs 1, has 1000 of which 2 are used"


def test_roles_fit_into_what_iam_says_itself(account: Account) -> None:
    assert quota(account.stack(), "IAM roles") == Result(
        "quota of IAM roles", "ok", "needs 19, has 1000 of which 0 are used"
    )
    summary = {"SummaryMap": {"Roles": 990, "RolesQuota": 1000}}
    stack = with_client(account.stack(), "iam", stubbed("iam", ("get_account_summary", summary)))
    assert quota(stack, "IAM roles") == Result(
        "quota of IAM roles",
        "failed",
        "needs 19, has 1000 of which 990 are used.",
        "aws service-quotas request-service-quota-increase --region us-east-1 --service-code iam "
        "--quota-code L-FE177D64 --desired-value 1009, or delete roles that nobody uses.",
    )


def test_a_quota_without_a_value_cannot_be_checked(account: Account) -> None:
    account.default_quota = None
    account.quotas["vpc", "L-A4707A72"] = None
    for name, code in (("VPCs", "L-F678F1CE"), ("internet gateways", "L-A4707A72")):
        result = quota(account.stack(), name)
        assert result == Result(
            f"quota of {name}",
            "unknown",
            f"could not be checked: Service Quotas says no value of {code}.",
            "Look at https://us-east-1.console.aws.amazon.com/servicequotas/home/services/vpc/"
            f"quotas/{code}.",
        )


def test_only_quotas_that_the_stack_touches_are_asked_for(account: Account) -> None:
    def names(stack: NewStack) -> set[str]:
        checks = quota_checks(stack, needs_of(stack.settings))
        return {check.name.removeprefix("quota of ") for check in checks}

    always = {
        "VPCs",
        "internet gateways",
        "gateway VPC endpoints",
        "on-demand standard vCPUs",
        "Fargate on-demand vCPUs",
        "Fargate Spot vCPUs",
        "Cloud Map namespaces",
        "DB instances",
        "ElastiCache nodes",
        "IAM roles",
    }
    assert names(account.stack()) == always | {"VPC links"}
    other = account.stack(**ALB, **GATEWAYS, **AURORA)
    assert names(other) == always | {
        "Application Load Balancers",
        "NAT gateways in a zone",
        "Elastic IPs",
        "DB clusters",
    }


def refused(code: str) -> Check:
    """A check that AWS does not answer."""

    def run() -> Iterable[Result]:
        answer: Any = {"Error": {"Code": code, "Message": "no"}}
        raise ClientError(answer, "DescribeVpcs")

    return Check("quota of VPCs", run)


def test_who_may_not_ask_is_told_what_to_allow() -> None:
    assert only(answers(refused("UnauthorizedOperation"))) == Result(
        "quota of VPCs",
        "unknown",
        "could not be checked: An error occurred (UnauthorizedOperation) when calling the "
        "DescribeVpcs operation: no",
        "Allow DescribeVpcs, which only reads, and run preflight again.",
    )
    assert only(answers(refused("Throttling"))).remedy == ""
