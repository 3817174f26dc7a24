"""Checks of `preflight` on the region's zones: enough of them, and what each must offer."""

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import NewStack, Result, error_code, failed, ok, unknown
from langfuse_aws.automation.preflight.needs import Needs
from langfuse_aws.settings.network import CreatedNetwork, ExistingNetwork
from langfuse_aws.settings.stores import AuroraPostgres, PostgresInstance
from langfuse_aws.settings.versions import POSTGRES_MAJOR
from langfuse_aws.settings.zones import UNFIT_ZONES, VPC_LINK_ZONES, Zone, with_vpc_links

ZONES: Final = "zones"
VPC_LINK: Final = "vpc link"
MACHINES: Final = "instance types"
DATABASE: Final = "database class"


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
    unfit = [
        f"{subnet} is in {_names([zone])}"
        for subnet, zone in zip(network.private_subnet_ids, zones, strict=True)
        if zone.id in UNFIT_ZONES
    ]
    if unfit and _on_graviton(stack, needs):
        yield failed(
            ZONES,
            f"langfuse:network.privateSubnetIds: {', '.join(unfit)}, where AWS has no Fargate, or "
            "none on Graviton.",
            "Leave it out, and list subnets of other zones.",
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


def _on_graviton(stack: NewStack, needs: Needs) -> bool:
    """Whether any of the stack's tasks or instances is; tasks on x86_64 run in older zones too."""
    services = stack.settings.web, stack.settings.worker
    return bool(needs.machines) or any(each.architecture == "arm64" for each in services)


def check_vpc_link(stack: NewStack) -> Iterator[Result]:
    """Whether a zone of the stack is one that API Gateway reaches into."""
    listed = VPC_LINK_ZONES.get(stack.region)
    if listed is None:
        yield unknown(
            VPC_LINK,
            f"AWS's list of zones with VPC links does not have {stack.region}.",
            "Look at https://docs.aws.amazon.com/apigateway/latest/developerguide/"
            "http-api-vpc-links.html, or set langfuse:ingress.kind to alb.",
        )
        return
    zones = stack_zones(stack)
    open_ = [zones[place] for place in with_vpc_links(stack.region, zones)]
    if not open_:
        here = list(dict.fromkeys(zones))
        yield failed(
            VPC_LINK,
            f"langfuse:ingress.kind: apiGateway: no VPC links in {_names(here)}; {stack.region} "
            f"has them in {listed.replace(' ', ', ')}.",
            f"pulumi config set --path langfuse:ingress.kind alb --stack {stack.name} (with "
            "langfuse:domain), or choose another region, or add a subnet in one of these zones.",
        )
    else:
        yield ok(VPC_LINK, f"is going to be in {_names(open_)}")


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
    """List the zones as `langfuse_aws.components.network.network.first_zones` does."""
    found: list[dict[str, Any]] = stack.aws("ec2").describe_availability_zones(
        AllAvailabilityZones=True,
        Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}],
    )["AvailabilityZones"]
    return sorted(
        Zone(each["ZoneName"], each["ZoneId"])
        for each in found
        if each["ZoneId"] not in UNFIT_ZONES
    )


def _adopted_zones(stack: NewStack, network: ExistingNetwork) -> list[Zone]:
    ids = network.private_subnet_ids
    found: list[dict[str, Any]] = stack.aws("ec2").describe_subnets(SubnetIds=ids)["Subnets"]
    by_id = {each["SubnetId"]: each for each in found}
    subnets = [by_id[each] for each in ids]
    return [Zone(each["AvailabilityZone"], each["AvailabilityZoneId"]) for each in subnets]


def _names(zones: list[Zone]) -> str:
    return ", ".join(f"{zone.name} ({zone.id})" for zone in zones)
