"""Checks of `preflight` on the region's zones: enough of them, and what each must offer."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import NewStack, Result, error_code, failed, ok, unknown
from langfuse_aws.automation.preflight.needs import Needs
from langfuse_aws.components.network.network import UNFIT_ZONES
from langfuse_aws.settings.network import AdoptedNetwork, CreatedNetwork
from langfuse_aws.settings.releases import POSTGRES_MAJOR
from langfuse_aws.settings.stores import AuroraPostgres, PostgresInstance

ZONES: Final = "zones"
VPC_LINK: Final = "vpc link"
MACHINES: Final = "instance types"
DATABASE: Final = "database class"

VPC_LINK_ZONES: Final[Mapping[str, str]] = {
    "ap-east-1": "ape1-az2 ape1-az3",
    "ap-northeast-1": "apne1-az1 apne1-az2 apne1-az4",
    "ap-northeast-2": "apne2-az1 apne2-az2 apne2-az3",
    "ap-south-1": "aps1-az1 aps1-az2 aps1-az3",
    "ap-southeast-1": "apse1-az1 apse1-az2 apse1-az3",
    "ap-southeast-2": "apse2-az1 apse2-az2 apse2-az3",
    "ca-central-1": "cac1-az1 cac1-az2",
    "eu-central-1": "euc1-az1 euc1-az2 euc1-az3",
    "eu-north-1": "eun1-az1 eun1-az2 eun1-az3",
    "eu-south-2": "eus2-az1 eus2-az2 eus2-az3",
    "eu-west-1": "euw1-az1 euw1-az2 euw1-az3",
    "eu-west-2": "euw2-az1 euw2-az2 euw2-az3",
    "eu-west-3": "euw3-az1 euw3-az3",
    "me-south-1": "mes1-az1 mes1-az2 mes1-az3",
    "sa-east-1": "sae1-az1 sae1-az2 sae1-az3",
    "us-east-1": "use1-az1 use1-az2 use1-az4 use1-az5 use1-az6",
    "us-east-2": "use2-az1 use2-az2 use2-az3",
    "us-gov-west-1": "usgw1-az1 usgw1-az2 usgw1-az3",
    "us-west-1": "usw1-az1 usw1-az3",
    "us-west-2": "usw2-az1 usw2-az2 usw2-az3 usw2-az4",
}
"""Zone IDs by region, as AWS's page had them in November 2026.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vpc-links.html"""


class Zone(NamedTuple):
    """An availability zone. Which ID a name stands for differs from account to account."""

    name: str
    id: str


def stack_zones(stack: NewStack) -> list[Zone]:
    """Find the zones that the stack's private subnets are going to be in, or are in, in order."""
    network = stack.settings.network
    if isinstance(network, CreatedNetwork):
        return _fit_zones(stack)[: network.zones]
    return _adopted_zones(stack, network)


def check_zones(stack: NewStack, needs: Needs) -> Iterator[Result]:
    """Whether there are as many zones as the network has."""
    network = stack.settings.network
    if isinstance(network, CreatedNetwork):
        fit = _fit_zones(stack)
        if len(fit) < network.zones:
            yield failed(
                ZONES,
                f"langfuse:network.zones: {network.zones}: {stack.region} has {len(fit)} fitting "
                f"availability zones ({_names(fit)}).",
                f"pulumi config set --path langfuse:network.zones {len(fit)} --stack "
                f"{stack.name}, or choose another region.",
            )
            return
        yield ok(ZONES, f"needs {network.zones}: {_names(fit[: network.zones])}")
        return
    try:
        zones = _adopted_zones(stack, network)
    except ClientError as error:
        if error_code(error) != "InvalidSubnetID.NotFound":
            raise
        yield failed(
            ZONES,
            f"langfuse:network.privateSubnetIds: {error.response['Error']['Message']}.",
            f"List subnets of {network.vpc_id}: aws ec2 describe-subnets --region {stack.region} "
            f"--filters Name=vpc-id,Values={network.vpc_id}.",
        )
        return
    least = max([2, *(machine.zones for machine in needs.machines)])
    first = zones if least == 2 else zones[:least]
    if len(set(first)) < least:
        yield failed(
            ZONES,
            f"langfuse:network.privateSubnetIds: needs {least} different zones; the first subnets "
            f"are in {_names(first)}.",
            "List subnets of different availability zones first.",
        )
        return
    yield ok(ZONES, f"the private subnets are in {_names(zones)}")


def check_vpc_link(stack: NewStack) -> Iterator[Result]:
    """Whether API Gateway reaches into every zone of the stack."""
    listed = VPC_LINK_ZONES.get(stack.region)
    if listed is None:
        yield unknown(
            VPC_LINK,
            f"AWS's list of zones with VPC links does not have {stack.region}.",
            "Look at https://docs.aws.amazon.com/apigateway/latest/developerguide/"
            "http-api-vpc-links.html, or set langfuse:ingress.kind to alb.",
        )
        return
    closed = [zone for zone in stack_zones(stack) if zone.id not in listed.split()]
    if closed:
        yield failed(
            VPC_LINK,
            f"langfuse:ingress.kind: apiGateway: no VPC links in {_names(closed)}; {stack.region} "
            f"has them in {listed.replace(' ', ', ')}.",
            f"pulumi config set --path langfuse:ingress.kind alb --stack {stack.name} (with "
            "langfuse:domain), or choose another region, or subnets in these zones.",
        )
    else:
        yield ok(VPC_LINK, "API Gateway reaches every zone of the stack")


def check_machines(stack: NewStack, needs: Needs) -> Iterator[Result]:
    """Whether each instance type is offered in the zones that it is needed in."""
    zones = stack_zones(stack)
    pages = stack.aws("ec2").get_paginator("describe_instance_type_offerings")
    for machine in needs.machines:
        check = f"instance type {machine.instance_type}"
        here = [zone.name for zone in zones[: machine.zones]]
        named = [{"Name": "instance-type", "Values": [machine.instance_type]}]
        offered = {
            offer["Location"]
            for page in pages.paginate(LocationType="availability-zone", Filters=named)
            for offer in page["InstanceTypeOfferings"]
        }
        missing = [zone for zone in here if zone not in offered]
        if missing:
            elsewhere = f"It is in {', '.join(sorted(offered))}" if offered else "No zone has it"
            yield failed(
                check,
                f"langfuse:{machine.setting}: is not offered in {', '.join(missing)}. {elsewhere}.",
                f"Set langfuse:{machine.setting} to another, or choose another region.",
            )
        else:
            yield ok(check, f"is offered in {', '.join(here)}")


def check_database(stack: NewStack) -> Iterator[Result]:
    """Whether RDS sells the instance class in a zone of the stack."""
    postgres = stack.settings.postgres
    if isinstance(postgres, PostgresInstance):
        engine, instance_class, key = "postgres", postgres.instance_class, "postgres.instanceClass"
    elif isinstance(postgres, AuroraPostgres):
        engine, instance_class, key = "aurora-postgresql", "db.serverless", "postgres.mode"
    else:
        return
    check = f"database class {instance_class}"
    pages = (
        stack.aws("rds")
        .get_paginator("describe_orderable_db_instance_options")
        .paginate(Engine=engine, DBInstanceClass=instance_class)
    )
    offered = {
        zone["Name"]
        for page in pages
        for option in page["OrderableDBInstanceOptions"]
        if option["EngineVersion"].split(".")[0] == POSTGRES_MAJOR
        for zone in option["AvailabilityZones"]
    }
    here = [zone.name for zone in stack_zones(stack) if zone.name in offered]
    if here:
        yield ok(check, f"is offered with {engine} {POSTGRES_MAJOR} in {', '.join(here)}")
    else:
        yield failed(
            check,
            f"langfuse:{key}: {engine} {POSTGRES_MAJOR} is not offered in the stack's zones.",
            f"Set langfuse:{key} to another, or choose another region: aws rds "
            f"describe-orderable-db-instance-options --engine {engine} --region {stack.region}.",
        )


def _fit_zones(stack: NewStack) -> list[Zone]:
    """List the zones as `langfuse_aws.components.network.network.zone_names` does."""
    found: list[dict[str, Any]] = stack.aws("ec2").describe_availability_zones(
        AllAvailabilityZones=True,
        Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}],
    )["AvailabilityZones"]
    return sorted(
        Zone(each["ZoneName"], each["ZoneId"])
        for each in found
        if each["ZoneId"] not in UNFIT_ZONES
    )


def _adopted_zones(stack: NewStack, network: AdoptedNetwork) -> list[Zone]:
    ids = network.private_subnet_ids
    found: list[dict[str, Any]] = stack.aws("ec2").describe_subnets(SubnetIds=ids)["Subnets"]
    by_id = {each["SubnetId"]: each for each in found}
    subnets = [by_id[each] for each in ids]
    return [Zone(each["AvailabilityZone"], each["AvailabilityZoneId"]) for each in subnets]


def _names(zones: list[Zone]) -> str:
    return ", ".join(f"{zone.name} ({zone.id})" for zone in zones)
