"""How much of a quota an account uses now, counted by asking the services or CloudWatch."""

import datetime
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from langfuse_aws.automation.aws.answers import NewStack
from langfuse_aws.automation.preflight.needs import needs_of
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

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/monitoring-fargate-usage.html
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
    client, token, count = stack.aws("apigatewayv2"), {}, 0
    while True:
        page: dict[str, Any] = client.get_vpc_links(**token)
        count += len(page["Items"])
        if not page.get("NextToken"):
            return count
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
