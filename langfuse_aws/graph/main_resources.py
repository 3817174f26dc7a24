"""The resources that an architecture picture is about, and what is worth saying of each.

Everything else (roles, rules, log groups, parameter groups and the like) serves one of these.
Figures come from inputs that are known before `up` already, so that a preview and a state say the
same; one that is not known is left out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from langfuse_aws.graph.model import Resource, ResourceGraph, has_unknown
from langfuse_aws.graph.resource_types import (
    APP_RUNNER_SERVICE,
    AUTO_SCALING_GROUP,
    DB_CLUSTER,
    DB_INSTANCE,
    EBS_VOLUME,
    ECS_SERVICE,
    LAUNCH_TEMPLATE,
    RESOURCE_TYPES,
    S3_BUCKET,
    TASK_DEFINITION,
)

API: Final = "aws:apigatewayv2/api:Api"
VPC: Final = "aws:ec2/vpc:Vpc"
VAULT: Final = "aws:backup/vault:Vault"
PLAN: Final = "aws:backup/plan:Plan"
_STORES: Final = frozenset(
    token
    for token, facts in RESOURCE_TYPES.items()
    if facts.bears == "data" and token != EBS_VOLUME
)
"""A volume is a part of its service."""

_CPU_UNITS_PER_VCPU: Final = 1024
_MIB_PER_GIB: Final = 1024

Lines = tuple[str, ...]


def main_resources(graph: ResourceGraph) -> list[Resource]:
    """Those of a stack, sorted."""
    found = [each for each in graph.resources if each.type in _TELLERS]
    return sorted((each for each in found if whole(graph, each) == each), key=lambda each: each.urn)


def whole(graph: ResourceGraph, part: Resource) -> Resource:
    """The service of a task definition, or of a host and its volume; any other resource itself."""
    for service in graph.of_type(ECS_SERVICE):
        if part in graph.origins(service, "taskDefinition", TASK_DEFINITION):
            return service
        if (
            part.type in (EBS_VOLUME, AUTO_SCALING_GROUP)
            and part in _below(graph, service)
            and _on_ec2(service)
        ):
            return service
    return part


def holds_data(resource: Resource) -> bool:
    """Whether it is a store."""
    return resource.type in _STORES or _on_ec2(resource)


def describe(graph: ResourceGraph, resource: Resource) -> Lines:
    """What a main resource is in AWS's words, and below it its size or count."""
    what, *facts = _TELLERS[resource.type](graph, resource)
    return (what, *(fact for fact in facts if fact))


def _service(graph: ResourceGraph, service: Resource) -> Lines:
    strategies = service.inputs.get("capacityProviderStrategies") or ()
    providers = [each["capacityProvider"] for each in strategies]
    if _on_ec2(service):
        return ("ECS service on EC2", _hosts(graph, service))
    on = "Fargate Spot" if providers == ["FARGATE_SPOT"] else "Fargate"
    count = _count(service.inputs.get("desiredCount", 1), "task")
    for target in graph.of_type("aws:appautoscaling/target:Target"):
        if service in graph.origins(target, "resourceId", ECS_SERVICE):
            least, most = target.inputs["minCapacity"], target.inputs["maxCapacity"]
            count = f"{least} to {most} tasks" if least != most else _count(least, "task")
    sizes = [_task_size(task) for task in graph.origins(service, "taskDefinition", TASK_DEFINITION)]
    return (f"ECS service on {on}", " of ".join([count, *sizes]))


def _app_runner(graph: ResourceGraph, service: Resource) -> Lines:
    token = "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"  # noqa: S105
    (scaling,) = graph.origins(service, "autoScalingConfigurationArn", token)
    least, most = int(scaling.inputs["minSize"]), int(scaling.inputs["maxSize"])
    count = f"{least} to {most} instances" if least != most else _count(least, "instance")
    return ("App Runner service", f"{count} of {_size(service.inputs['instanceConfiguration'])}")


def _hosts(graph: ResourceGraph, service: Resource) -> str:
    """The instances and volumes below the component of a service on EC2."""
    below = _below(graph, service)
    types = _known(below, LAUNCH_TEMPLATE, "instanceType")
    volumes = [each.inputs for each in below if each.type == EBS_VOLUME]
    disks = sorted({f"{each.get('size')} GiB {each.get('type')}" for each in volumes})
    count = len(volumes)
    return ", ".join([f"{count} × {each}" if count > 1 else each for each in types] + disks)  # noqa: RUF001


def _below(graph: ResourceGraph, service: Resource) -> list[Resource]:
    """What belongs to the component of a service, directly or through others."""
    around = graph.component(service)
    return [each for each in graph.resources if around in graph.components(each)]


def _on_ec2(resource: Resource) -> bool:
    return resource.type == ECS_SERVICE and resource.inputs.get("launchType") == "EC2"


def _task(graph: ResourceGraph, task: Resource) -> Lines:
    facts = [_task_size(task)]
    for token, key, how in (
        ("aws:scheduler/schedule:Schedule", "target", "on a schedule"),
        ("aws:lambda/invocation:Invocation", "input", "run by Lambda"),
    ):
        if any(task in graph.origins(each, key, TASK_DEFINITION) for each in graph.of_type(token)):
            facts.append(how)
    return ("ECS task on Fargate", ", ".join(facts))


def _task_size(task: Resource) -> str:
    return _size(task.inputs)


def _size(given: Mapping[str, Any]) -> str:
    cpu = int(given.get("cpu") or 0) / _CPU_UNITS_PER_VCPU
    memory = int(given.get("memory") or 0) / _MIB_PER_GIB
    return f"{cpu:g} vCPU, {memory:g} GiB"


def _cluster(graph: ResourceGraph, cluster: Resource) -> Lines:
    token = "aws:rds/clusterInstance:ClusterInstance"  # noqa: S105
    instances = [
        each
        for each in graph.of_type(token)
        if cluster in graph.origins(each, "clusterIdentifier", cluster.type)
    ]
    count = _count(len(instances), "instance")
    version = cluster.inputs.get("engineVersion", "")
    scaling: Mapping[str, Any] = cluster.inputs.get("serverlessv2ScalingConfiguration") or {}
    if scaling:
        size = f"{scaling['minCapacity']:g} to {scaling['maxCapacity']:g} ACU"
        return (f"Aurora PostgreSQL {version}".strip(), f"Serverless v2, {size}", count)
    classes = sorted({str(each.inputs.get("instanceClass")) for each in instances})
    return (f"Aurora PostgreSQL {version}".strip(), ", ".join([*classes, count]))


def _database(_: ResourceGraph, instance: Resource) -> Lines:
    given = instance.inputs
    disk = f"{given.get('allocatedStorage')} GiB {given.get('storageType', '')}".strip()
    return (
        f"RDS for PostgreSQL {given.get('engineVersion', '')}".strip(),
        f"{given.get('instanceClass')}, {disk}",
    )


def _cache(_: ResourceGraph, group: Resource) -> Lines:
    given = group.inputs
    engine = f"{str(given.get('engine')).capitalize()} {given.get('engineVersion', '')}".strip()
    nodes = _count(given.get("numCacheClusters", 1), "node")
    return (f"ElastiCache for {engine}", f"{given.get('nodeType')}, {nodes}")


def _load_balancer(_: ResourceGraph, balancer: Resource) -> Lines:
    kind = str(balancer.inputs.get("loadBalancerType", "application")).capitalize()
    seen = "internal" if balancer.inputs.get("internal") else "internet-facing"
    return (f"{kind} Load Balancer", seen)


def _vault(graph: ResourceGraph, vault: Resource) -> Lines:
    rules = {
        (-int(rule["lifecycle"]["deleteAfter"]), str(rule["ruleName"]))
        for plan in graph.of_type(PLAN)
        for rule in rules_into(vault, plan)
    }
    return ("AWS Backup vault", *(f"{name}, kept {-days} days" for days, name in sorted(rules)))


def rules_into(vault: Resource, plan: Resource) -> list[Mapping[str, Any]]:
    """The rules of a plan of AWS Backup that put snapshots into a vault, copies left out."""
    names = {vault.inputs.get("name"), vault.outputs.get("name")} - {None}
    return [rule for rule in plan.inputs["rules"] if rule["targetVaultName"] in names]


def _vpc(graph: ResourceGraph, vpc: Resource) -> Lines:
    subnets = [each for each in graph.children(vpc) if each.type == "aws:ec2/subnet:Subnet"]
    zones = len({str(each.inputs.get("availabilityZone")) for each in subnets})
    network = graph.components(vpc)[:-1]
    gateways = [
        each
        for each in graph.of_type("aws:ec2/natGateway:NatGateway")
        if graph.components(each)[: len(network)] == network
    ]
    where = ", ".join([*_known([vpc], VPC, "cidrBlock"), _count(zones, "zone")])
    return ("VPC", where, _count(len(gateways), "NAT gateway") if gateways else "")


def _ecs_cluster(graph: ResourceGraph, cluster: Resource) -> Lines:
    around = graph.component(cluster)
    beside = graph.children(around) if around else ()
    token = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"  # noqa: S105
    return ("ECS cluster", *(f"Cloud Map: {name}" for name in _known(beside, token, "name")))


def _topic(graph: ResourceGraph, topic: Resource) -> Lines:
    token = "aws:cloudwatch/metricAlarm:MetricAlarm"  # noqa: S105
    alarms = [
        each
        for each in graph.of_type(token)
        if topic in graph.origins(each, "alarmActions", topic.type)
    ]
    return ("SNS topic", f"of {_count(len(alarms), 'CloudWatch alarm')}" if alarms else "")


def _known(resources: Any, token: str, key: str) -> list[str]:
    """The different values of an input that are known, sorted."""
    values = {str(each.inputs.get(key)) for each in resources if each.type == token}
    return sorted(each for each in values if not has_unknown(each))


def _count(number: Any, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _named(*lines: str) -> Callable[[ResourceGraph, Resource], Lines]:
    return lambda _, __: lines


_TELLERS: Final[Mapping[str, Callable[[ResourceGraph, Resource], Lines]]] = {
    ECS_SERVICE: _service,
    TASK_DEFINITION: _task,
    APP_RUNNER_SERVICE: _app_runner,
    S3_BUCKET: _named("S3 bucket"),
    API: lambda _, api: (f"API Gateway {api.inputs.get('protocolType')} API",),
    VPC: _vpc,
    VAULT: _vault,
    AUTO_SCALING_GROUP: lambda graph, group: (
        "EC2 instance",
        *_known(
            graph.origins(group, "launchTemplate", LAUNCH_TEMPLATE), LAUNCH_TEMPLATE, "instanceType"
        ),
    ),
    "aws:budgets/budget:Budget": _named("AWS Budget"),
    "aws:cloudwatch/dashboard:Dashboard": _named("CloudWatch dashboard"),
    "aws:ecs/cluster:Cluster": _ecs_cluster,
    "aws:elasticache/replicationGroup:ReplicationGroup": _cache,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    DB_CLUSTER: _cluster,
    DB_INSTANCE: _database,
    "aws:sns/topic:Topic": _topic,
    "aws:wafv2/webAcl:WebAcl": _named("WAF web ACL"),
}
