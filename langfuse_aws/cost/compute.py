"""Prices what computes: Fargate tasks, App Runner, EC2 instances, and the EBS volumes."""

import math
from collections.abc import Iterator
from typing import Final

from langfuse_aws.cost.charge import Charge, Context
from langfuse_aws.cost.hours import SCALING_TARGET, group_hours, service_hours
from langfuse_aws.cost.inputs import Inputs, section, sections
from langfuse_aws.cost.prices import EC2_PLAN_DISCOUNT, FARGATE_PLAN_DISCOUNT, HOURS
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import ECS_SERVICE, LAUNCH_TEMPLATE, TASK_DEFINITION

APP_RUNNER_SCALING: Final = (
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"
)
WORKER: Final = "langfuse:index:LangfuseWorker"
ARCHITECTURES: Final = {"ARM64": "ARM", "X86_64": "x86"}


def service(resource: Resource, context: Context) -> Iterator[Charge]:
    """Fargate tasks at their least number, and their addresses; tasks on EC2 cost nothing more."""
    if resource.inputs.get("launchType") == "EC2":
        return
    (task,) = context.graph.origins(resource, "taskDefinition", TASK_DEFINITION)
    count, hours = least_tasks(resource, context), service_hours(resource, context)
    yield _tasks("Fargate tasks", task, count, _spot(resource), context, hours=hours)
    if WORKER in {each.type for each in context.graph.components(resource)}:
        more = _busy_workers(task, context) - count
        if more > 0:
            yield _tasks("Tasks above the least", task, more, _spot(resource), context, busy=True)
    if section(resource.inputs, "networkConfiguration").get("assignPublicIp"):
        yield context.addresses(count, hours)


def least_tasks(resource: Resource, context: Context) -> int:
    """What autoscaling keeps at the least, or the number that is set."""
    for target in context.graph.of_type(SCALING_TARGET):
        if resource in context.graph.origins(target, "resourceId", ECS_SERVICE):
            return int(target.inputs["minCapacity"])
    return int(resource.inputs["desiredCount"])


def _tasks(
    what: str,
    task: Resource,
    count: int,
    spot: float,
    context: Context,
    *,
    busy: bool = False,
    hours: float = HOURS,
) -> Charge:
    cpus, gigabytes = int(task.inputs["cpu"]) / 1024, int(task.inputs["memory"]) / 1024
    platform = section(task.inputs, "runtimePlatform")
    kind = ARCHITECTURES[platform.get("cpuArchitecture", "X86_64")]
    prices = f"Fargate {kind} vCPU", f"Fargate {kind} memory"
    vcpu, memory = (context.prices[price] for price in prices)
    return Charge(
        f"{what}, {kind}{', Spot' if spot else ''}",
        f"{count} × ({cpus:g} × {vcpu:g} + {gigabytes:g} × {memory:g}) × {hours:.4g} h",  # noqa: RUF001
        count * (cpus * vcpu + gigabytes * memory) * hours,
        prices,
        spot=spot,
        plan_discount=FARGATE_PLAN_DISCOUNT,
        usage_based=busy,
    )


def _spot(resource: Resource) -> float:
    """The part of the tasks that runs on Spot, by the weights of the capacity providers."""
    strategies = sections(resource.inputs, "capacityProviderStrategies")
    weights = {each["capacityProvider"]: float(each.get("weight") or 0) for each in strategies}
    return weights.get("FARGATE_SPOT", 0) / (sum(weights.values()) or 1)


def _busy_workers(task: Resource, context: Context) -> int:
    usage = context.usage
    jobs = usage.jobs_per_vcpu * int(task.inputs["cpu"]) / 1024 * usage.busy_share
    return math.ceil(usage.jobs_per_second / jobs)


def app_runner(resource: Resource, context: Context) -> Iterator[Charge]:
    """Memory of the least number of instances, all the time, and CPU while there are requests.

    An instance that has had a request is charged for a minute.
    https://aws.amazon.com/apprunner/pricing/
    """
    (scaling,) = context.graph.origins(resource, "autoScalingConfigurationArn", APP_RUNNER_SCALING)
    size = section(resource.inputs, "instanceConfiguration")
    cpus, gigabytes = int(size["cpu"]) / 1024, int(size["memory"]) / 1024
    count, memory = int(scaling.inputs["minSize"]), context.prices["App Runner memory"]
    yield Charge(
        "App Runner memory",
        f"{count} × {gigabytes:g} × {memory:g} × {HOURS} h",  # noqa: RUF001
        count * gigabytes * memory * HOURS,
        ("App Runner memory",),
    )
    hours = min(HOURS, context.usage.requests / 60)
    yield from context.by_use("App Runner CPU", "App Runner vCPU", hours * cpus, "vCPU-hours")


def group(resource: Resource, context: Context) -> Iterator[Charge]:
    """The instances of an Auto Scaling group, with their root volumes and addresses."""
    (template,) = context.graph.origins(resource, "launchTemplate", LAUNCH_TEMPLATE)
    count, hours = int(resource.inputs["desiredCapacity"]), group_hours(resource, context)
    yield _instances(template.inputs["instanceType"], count, hours, context)
    for device in sections(template.inputs, "blockDeviceMappings"):
        yield _volume("Root volumes", device["ebs"], "volumeSize", count, context, hours=hours)
    interfaces = sections(template.inputs, "networkInterfaces")
    if any(str(each.get("associatePublicIpAddress")).lower() == "true" for each in interfaces):
        yield context.addresses(count, hours)
    if any(each.get("networkInterfaceId") for each in interfaces):
        return  # a NAT instance: its network interface has the address, and it stores nothing
    usage = context.usage
    # A job comes from any zone; replicas copy what is stored, compressed.
    copies = usage.received_gb * usage.clickhouse_share * (count - 1)
    gigabytes = usage.received_gb * usage.cross_zone_share + copies
    yield from context.by_use("Traffic between zones", "Traffic between zones", gigabytes, "GB")


def volume(resource: Resource, context: Context) -> Iterator[Charge]:
    """A data volume of ClickHouse, and the metric of how full it is."""
    yield _volume("Data volume", resource.inputs, "size", 1, context)
    yield context.by_month("Disk use in CloudWatch", "CloudWatch custom metric", 1)
    needed = context.usage.clickhouse_gb / context.usage.volume_share
    more = max(0.0, needed - float(resource.inputs["size"]))
    yield from context.by_use("Larger data volume", "EBS gp3", more, "GB")


def _instances(kind: str, count: int, hours: float, context: Context) -> Charge:
    return context.by_hour(
        f"EC2 {kind}", f"EC2 {kind}", count, hours=hours, discount=EC2_PLAN_DISCOUNT
    )


def _volume(
    what: str, inputs: Inputs, size: str, count: int, context: Context, *, hours: float = HOURS
) -> Charge:
    """By the second, of a volume that comes and goes with its instance."""
    kind = inputs.get("type") or inputs.get("volumeType")
    price, gib = f"EBS {kind}", int(inputs[size])
    usd = context.prices[price]
    many = f"{count} × " if count > 1 else ""  # noqa: RUF001
    part = f" × {hours:.4g} of {HOURS} h" if hours < HOURS else ""  # noqa: RUF001
    amount = count * gib * usd * hours / HOURS
    return Charge(what, f"{many}{gib} GiB × {usd:g}{part}", amount, (price,))  # noqa: RUF001
