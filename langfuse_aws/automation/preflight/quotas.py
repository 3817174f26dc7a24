"""Checks of `preflight` on service quotas: what the stack needs, against quota and present use.

A stack that is up already is part of the present use.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import (
    Check,
    NewStack,
    Result,
    error_code,
    failed,
    ok,
    unknown,
)
from langfuse_aws.automation.preflight.needs import Needs, needs_of
from langfuse_aws.automation.preflight.zones import stack_zones

USAGE_MINUTES: Final = 30
"""How far back to look for CloudWatch's count: EC2 and Fargate publish it every few minutes, and
nothing while there is none."""

Used = Callable[[NewStack], float]


def count(service: str, operation: str, key: str, **asked: Any) -> Used:
    """Count what a listing has."""

    def used(stack: NewStack) -> float:
        pages = stack.aws(service).get_paginator(operation).paginate(**asked)
        return sum(len(page[key]) for page in pages)

    return used


def running(service: str, usage_class: str) -> Used:
    """Read how many vCPUs run, as CloudWatch last counted them.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/monitoring-fargate-html
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-usage-metrics.html
    """
    dimensions = {"Service": service, "Type": "Resource", "Resource": "vCPU", "Class": usage_class}

    def used(stack: NewStack) -> float:
        now = datetime.datetime.now(datetime.timezone.utc)
        points: list[dict[str, Any]] = stack.aws("cloudwatch").get_metric_statistics(
            Namespace="AWS/Usage",
            MetricName="ResourceCount",
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=now - datetime.timedelta(minutes=USAGE_MINUTES),
            EndTime=now,
            Period=300,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else 0

    return used


def addresses(stack: NewStack) -> float:
    """Count Elastic IPs, attached or not."""
    return len(stack.aws("ec2").describe_addresses()["Addresses"])


def balancers(stack: NewStack) -> float:
    """Count Application Load Balancers, not the other kinds."""
    pages = stack.aws("elbv2").get_paginator("describe_load_balancers").paginate()
    return sum(each["Type"] == "application" for page in pages for each in page["LoadBalancers"])


def vpc_links(stack: NewStack) -> float:
    """Count the links of HTTP APIs, which no paginator of boto3 lists."""
    client, token, found = stack.aws("apigatewayv2"), {}, 0
    while True:
        page: dict[str, Any] = client.get_vpc_links(**token)
        found += len(page["Items"])
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def nat_gateways(stack: NewStack) -> float:
    """Count those of the fullest zone that gets one."""
    client = stack.aws("ec2")
    alive = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    gateways = client.get_paginator("describe_nat_gateways").paginate(Filters=alive)
    subnets = client.get_paginator("describe_subnets").paginate()
    zone_of = {
        subnet["SubnetId"]: subnet["AvailabilityZone"]
        for page in subnets
        for subnet in page["Subnets"]
    }
    used = Counter(
        zone_of.get(each.get("SubnetId", "")) for page in gateways for each in page["NatGateways"]
    )
    new = needs_of(stack.settings).nat_gateways
    return max((used[zone.name] for zone in stack_zones(stack)[:new]), default=0)


def cache_nodes(stack: NewStack) -> float:
    """Count the nodes of all engines."""
    pages = stack.aws("elasticache").get_paginator("describe_cache_clusters").paginate()
    return sum(each["NumCacheNodes"] for page in pages for each in page["CacheClusters"])


NO_QUOTA: Final = "NoSuchResourceException"


@dataclass(frozen=True)
class Quota:
    """A quota of Service Quotas. The codes are those that its console shows."""

    name: str
    service: str
    code: str
    need: Callable[[Needs], float]
    used: Used
    instead: str
    """What to do without an increase."""


def quota_checks(stack: NewStack, needs: Needs) -> Iterator[Check]:
    """Give a check for each quota that the stack touches."""
    for quota in QUOTAS:
        if quota.need(needs):
            yield Check(_title(quota.name), partial(_check, stack, needs, quota))
    yield Check(_title("IAM roles"), partial(check_roles, stack, needs))


def check_roles(stack: NewStack, needs: Needs) -> Iterator[Result]:
    """IAM says its quotas itself."""
    summary: dict[str, int] = stack.aws("iam").get_account_summary()["SummaryMap"]
    remedy = (
        "aws service-quotas request-service-quota-increase --region us-east-1 --service-code iam "
        f"--quota-code L-FE177D64 --desired-value {summary['Roles'] + needs.roles}, or delete "
        "roles that nobody uses."
    )
    yield _compared("IAM roles", needs.roles, summary["RolesQuota"], summary["Roles"], remedy)


def _check(stack: NewStack, needs: Needs, quota: Quota) -> Iterator[Result]:
    limit = _limit(stack, quota)
    if limit is None:
        yield unknown(
            _title(quota.name),
            f"Service Quotas says no value of {quota.code}.",
            f"Look at {_console(stack, quota)}.",
        )
        return
    need, used = quota.need(needs), quota.used(stack)
    remedy = (
        f"aws service-quotas request-service-quota-increase --region {stack.region} "
        f"--service-code {quota.service} --quota-code {quota.code} --desired-value "
        f"{_number(-(-(need + used) // 1))} ({_console(stack, quota)}), or {quota.instead}"
    )
    yield _compared(quota.name, need, limit, used, remedy)


def _compared(name: str, need: float, limit: float, used: float, remedy: str) -> Result:
    line = f"needs {_number(need)}, has {_number(limit)} of which {_number(used)} are used"
    if need + used > limit:
        return failed(_title(name), f"{line}.", remedy)
    return ok(_title(name), line)


def _title(name: str) -> str:
    return f"quota of {name}"


def _number(value: float) -> str:
    return f"{value:.10g}"


def _limit(stack: NewStack, quota: Quota) -> float | None:
    """Ask for the account's value, and for AWS's own where the account has none."""
    client = stack.aws("service-quotas")
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    for ask in (client.get_service_quota, client.get_aws_default_service_quota):
        try:
            value = ask(**asked)["Quota"].get("Value")
        except ClientError as error:
            if error_code(error) != NO_QUOTA:
                raise
            value = None
        if value is not None:
            return float(value)
    return None


def _console(stack: NewStack, quota: Quota) -> str:
    return (
        f"https://{stack.region}.console.aws.amazon.com/servicequotas/home/services/"
        f"{quota.service}/quotas/{quota.code}"
    )


_ADOPT: Final = "adopt a VPC with langfuse:network.vpcId."
_FEWER_NATS: Final = "set langfuse:network.egress to natGateway, natInstance or none."
_OTHER_INGRESS: Final = "set langfuse:ingress.kind to the other kind."
_SMALLER: Final = "lower cpu or minTasks of langfuse:web and langfuse:worker."
_DELETE: Final = "delete what nobody uses."

QUOTAS: Final[tuple[Quota, ...]] = (
    Quota(
        "VPCs", "vpc", "L-F678F1CE", lambda needs: needs.vpcs,
        count("ec2", "describe_vpcs", "Vpcs"), _ADOPT,
    ),
    Quota(
        "internet gateways", "vpc", "L-A4707A72", lambda needs: needs.vpcs,
        count("ec2", "describe_internet_gateways", "InternetGateways"), _ADOPT,
    ),
    Quota(
        "gateway VPC endpoints", "vpc", "L-1B52E74A", lambda needs: needs.vpcs,
        count(
            "ec2", "describe_vpc_endpoints", "VpcEndpoints",
            Filters=[{"Name": "vpc-endpoint-type", "Values": ["Gateway"]}],
        ),
        _ADOPT,
    ),
    Quota(
        "NAT gateways in a zone", "vpc", "L-FE5A380F", lambda needs: min(needs.nat_gateways, 1),
        nat_gateways, _FEWER_NATS,
    ),
    Quota(
        "Elastic IPs", "ec2", "L-0263D0A3", lambda needs: needs.addresses, addresses,
        _FEWER_NATS,
    ),
    Quota(
        "on-demand standard vCPUs", "ec2", "L-1216C47A", lambda needs: needs.standard_vcpus,
        running("EC2", "Standard/OnDemand"),
        "choose a smaller langfuse:clickhouse.instanceType.",
    ),
    Quota(
        "Fargate on-demand vCPUs", "fargate", "L-3032A538", lambda needs: needs.fargate_vcpus,
        running("Fargate", "Standard/OnDemand"),
        _SMALLER,
    ),
    Quota(
        "Fargate Spot vCPUs", "fargate", "L-36FBB829", lambda needs: needs.fargate_spot_vcpus,
        running("Fargate", "Standard/Spot"),
        _SMALLER,
    ),
    Quota(
        "Application Load Balancers", "elasticloadbalancing", "L-53DA6B97",
        lambda needs: needs.load_balancers, balancers, _OTHER_INGRESS,
    ),
    Quota(
        "VPC links", "apigateway", "L-608BDCD4", lambda needs: needs.vpc_links, vpc_links,
        _OTHER_INGRESS,
    ),
    Quota(
        "Cloud Map namespaces", "AWSCloudMap", "L-0FE3F50E", lambda needs: needs.namespaces,
        count("servicediscovery", "list_namespaces", "Namespaces"), _DELETE,
    ),
    Quota(
        "DB instances", "rds", "L-7B6409FD", lambda needs: needs.db_instances,
        count("rds", "describe_db_instances", "DBInstances"), _DELETE,
    ),
    Quota(
        "DB clusters", "rds", "L-952B80B8", lambda needs: needs.db_clusters,
        count("rds", "describe_db_clusters", "DBClusters"), _DELETE,
    ),
    Quota(
        "ElastiCache nodes", "elasticache", "L-DFE45DF3", lambda needs: needs.cache_nodes,
        cache_nodes, _DELETE,
    ),
)  # fmt: skip
