"""What each type of resource is charged: exact sums of small graphs made by hand.

It proves the arithmetic and what is counted, with the prices of cost/prices.csv. Whether AWS asks
these prices, it cannot tell.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from langfuse_aws.cost.bill import Bill, Line, bill
from langfuse_aws.cost.types import PRICED
from langfuse_aws.cost.usage import Usage
from langfuse_aws.graph.model import UNKNOWN, Resource, ResourceGraph

REGION = "us-east-1"
HOURS = 730
SERVICE, TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
POLICY = "aws:appautoscaling/policy:Policy"
MILLION = Usage(events_per_month=1e6)


def resource(
    kind: str,
    inputs: Mapping[str, Any] | None = None,
    origins: Mapping[str, list[Resource]] | None = None,
    *,
    parent: Resource | None = None,
    name: str = "one",
) -> Resource:
    return Resource(
        urn=f"{kind}::{name}",
        type=kind,
        parent=parent.urn if parent else "",
        custom=not kind.startswith(("langfuse:", "awsx:")),
        inputs=inputs or {},
        origins={key: [each.urn for each in found] for key, found in (origins or {}).items()},
    )


def priced(*resources: Resource, usage: Usage | None = None, region: str = REGION) -> Bill:
    found = bill(ResourceGraph(resources), region, usage or Usage())
    assert found.unpriced == ()
    return found


def usd(found: Bill) -> dict[str, float]:
    """On-demand USD by what it is for; a name that comes twice is a mistake of the test."""
    assert len({line.what for line in found.lines}) == len(found.lines)
    return {line.what: round(line.on_demand, 6) for line in found.lines}


def only(found: Bill) -> Line:
    (line,) = found.lines
    return line


def approx(value: float) -> Any:
    return pytest.approx(value)  # pyright: ignore[reportUnknownMemberType]


def task(cpu: str = "1024", memory: str = "2048", *, arm: bool = True, image: str = "") -> Resource:
    architecture = "ARM64" if arm else "X86_64"
    inputs = {"cpu": cpu, "memory": memory, "runtimePlatform": {"cpuArchitecture": architecture}}
    return resource(TASK, {**inputs, "tags": {"Image": image}})


def service(definition: Resource, **inputs: Any) -> Resource:
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    given = {"desiredCount": 2, "capacityProviderStrategies": strategy, **inputs}
    return resource(SERVICE, given, {"taskDefinition": [definition]})


def test_tasks_cost_by_cpu_and_memory_and_a_savings_plan_takes_a_fifth_off() -> None:
    definition = task("2048", "4096")
    line = only(priced(definition, service(definition)))
    assert line.what == "Fargate tasks, ARM"
    assert line.arithmetic == "2 × (2 × 0.03238 + 4 × 0.00356) × 730 h"  # noqa: RUF001
    assert line.on_demand == approx(2 * (2 * 0.03238 + 4 * 0.00356) * HOURS)
    assert line.configured == line.on_demand
    assert line.savings_plan == approx(0.8 * line.on_demand)
    assert not line.usage_based


def app_runner(least: int, cpu: str = "1024", memory: str = "2048") -> tuple[Resource, Resource]:
    kind = "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"
    scaling = resource(kind, {"minSize": least, "maxSize": 25})
    size = {"instanceConfiguration": {"cpu": cpu, "memory": memory}}
    origins = {"autoScalingConfigurationArn": [scaling]}
    return scaling, resource("aws:apprunner/service:Service", size, origins)


def test_app_runner_costs_the_memory_of_its_least_instances_while_it_idles() -> None:
    line = only(priced(*app_runner(2, memory="4096")))
    assert (line.what, line.arithmetic) == ("App Runner memory", "2 × 4 × 0.007 × 730 h")  # noqa: RUF001
    assert line.on_demand == line.configured == line.savings_plan == approx(2 * 4 * 0.007 * HOURS)
    assert not line.usage_based


@pytest.mark.parametrize(
    ("events", "hours"),
    [(1500, 100 / 60), (15 * 60 * 730, 730), (1e9, 730)],
    ids=["a minute a request", "a request a minute", "more cannot be"],
)
def test_app_runner_charges_a_minute_of_cpu_for_a_request_and_never_more_than_the_month(
    events: float, hours: float
) -> None:
    found = priced(*app_runner(1, cpu="2048"), usage=Usage(events_per_month=events))
    (line,) = [line for line in found.lines if line.what == "App Runner CPU"]
    assert line.on_demand == approx(2 * hours * 0.064)
    assert line.usage_based


def test_a_region_without_a_price_of_app_runner_is_told_and_adds_nothing() -> None:
    found = bill(ResourceGraph(app_runner(1)), "eu-central-1")
    assert found.lines == ()
    assert found.unpriced == (
        "one: langfuse_aws/cost/prices.csv has no price of 'App Runner memory' in "
        "eu-central-1: add a row.",
    )


def test_tasks_of_x86_have_prices_of_their_own() -> None:
    definition = task(arm=False)
    line = only(priced(definition, service(definition, desiredCount=1)))
    assert line.what == "Fargate tasks, x86"
    assert line.on_demand == approx((0.04048 + 2 * 0.004445) * HOURS)


def test_tasks_on_spot_cost_three_tenths_and_no_savings_plan_applies() -> None:
    definition = task()
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    line = only(priced(definition, service(definition, capacityProviderStrategies=spot)))
    assert line.what == "Fargate tasks, ARM, Spot"
    assert line.configured == approx(0.3 * line.on_demand)
    assert line.savings_plan == approx(line.configured)


def test_of_tasks_that_are_partly_on_spot_the_weights_decide() -> None:
    definition = task()
    mixed = [
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
        {"capacityProvider": "FARGATE", "weight": 1},
    ]
    line = only(priced(definition, service(definition, capacityProviderStrategies=mixed)))
    assert line.configured == approx((0.75 * 0.3 + 0.25) * line.on_demand)
    assert line.savings_plan == approx((0.75 * 0.3 + 0.25 * 0.8) * line.on_demand)


def test_autoscaling_says_how_many_tasks_there_are_at_the_least() -> None:
    definition = task()
    scaled, other = service(definition), resource(SERVICE, name="other")
    target = "aws:appautoscaling/target:Target"
    targets = [
        resource(target, {"minCapacity": 7}, {"resourceId": [other]}, name="other"),
        resource(target, {"minCapacity": 3}, {"resourceId": [scaled]}),
    ]
    line = only(priced(definition, scaled, *targets))
    assert line.on_demand == approx(3 * (0.03238 + 2 * 0.00356) * HOURS)


def test_a_task_with_a_public_address_pays_for_it_and_one_on_ec2_for_nothing() -> None:
    definition = task()
    public = {"assignPublicIp": True}
    found = usd(priced(definition, service(definition, networkConfiguration=public)))
    assert found["Public IPv4 addresses"] == approx(2 * 0.005 * HOURS)
    assert priced(definition, service(definition, launchType="EC2")).lines == ()


def worker_of(definition: Resource) -> tuple[Resource, ...]:
    component = resource("langfuse:index:LangfuseWorker")
    own = resource(SERVICE, {"desiredCount": 2}, {"taskDefinition": [definition]}, parent=component)
    return definition, component, own


def test_workers_are_added_when_the_least_are_too_busy() -> None:
    # 15 events a job; 2 vCPU finish 10 jobs a second, and are kept half busy: 5.
    jobs_of_two = 2 * 5 * 15 * HOURS * 3600
    enough = usd(priced(*worker_of(task("2048")), usage=Usage(events_per_month=jobs_of_two)))
    assert "Tasks above the least, ARM" not in enough
    more = priced(*worker_of(task("2048")), usage=Usage(events_per_month=jobs_of_two * 1.51))
    (line,) = [each for each in more.lines if each.what == "Tasks above the least, ARM"]
    assert line.on_demand == approx(2 * (2 * 0.03238 + 2 * 0.00356) * HOURS), "four, not two"
    assert line.usage_based


def group(**template: Any) -> tuple[Resource, Resource]:
    disk = {"ebs": {"volumeSize": 30, "volumeType": "gp3"}}
    inputs = {"instanceType": "r7g.large", "blockDeviceMappings": [disk], **template}
    made = resource("aws:ec2/launchTemplate:LaunchTemplate", inputs)
    capacity = {"desiredCapacity": 3}
    return made, resource("aws:autoscaling/group:Group", capacity, {"launchTemplate": [made]})


def test_the_instances_of_a_group_have_root_volumes_and_a_plan_of_their_own() -> None:
    found = priced(*group())
    assert usd(found) == {
        "EC2 r7g.large": approx(3 * 0.1071 * HOURS),
        "Root volumes": approx(3 * 30 * 0.08),
    }
    instances, disks = found.lines
    assert instances.savings_plan == approx(0.73 * instances.on_demand)
    assert disks.savings_plan == disks.on_demand
    assert disks.arithmetic == "3 × 30 GiB × 0.08"  # noqa: RUF001


@pytest.mark.parametrize(("public", "addresses"), [("true", 3), ("false", 0), (True, 3)])
def test_instances_with_public_addresses_pay_for_them(public: Any, addresses: int) -> None:
    found = usd(priced(*group(networkInterfaces=[{"associatePublicIpAddress": public}])))
    assert found.get("Public IPv4 addresses", 0) == approx(addresses * 0.005 * HOURS)


def test_events_cross_zones_on_the_way_to_clickhouse_and_between_its_replicas() -> None:
    found = usd(priced(*group(), usage=MILLION))
    # 5 GB: half of it to another zone, and two copies of a quarter.
    assert found["Traffic between zones"] == approx((5 * 0.5 + 5 * 0.25 * 2) * 0.02)


def test_a_nat_instance_has_a_disk_and_no_traffic_of_clickhouse() -> None:
    found = priced(*group(networkInterfaces=[{"networkInterfaceId": "eni-1"}]), usage=MILLION)
    assert usd(found).keys() == {"EC2 r7g.large", "Root volumes"}, "its interface has the address"


def test_a_data_volume_has_a_metric_and_grows_with_the_events() -> None:
    volume = resource("aws:ebs/volume:Volume", {"size": 20, "type": "gp3"})
    idle = {"Data volume": approx(20 * 0.08), "Disk use in CloudWatch": approx(0.3)}
    assert usd(priced(volume)) == idle
    assert usd(priced(volume, usage=MILLION)) == idle, "3.75 GB fit"
    # 50 GB a month, three months, a quarter of it, four fifths full: 46.875 GB.
    found = usd(priced(volume, usage=Usage(events_per_month=10e6)))
    assert found["Larger data volume"] == approx((46.875 - 20) * 0.08)


def aurora(least: float) -> tuple[Resource, Resource]:
    scaling = {"serverlessv2ScalingConfiguration": {"minCapacity": least, "maxCapacity": 8}}
    cluster = resource("aws:rds/cluster:Cluster", scaling)
    kind = {"instanceClass": "db.serverless"}
    token = "aws:rds/clusterInstance:ClusterInstance"
    return cluster, resource(token, kind, {"clusterIdentifier": [cluster]})


@pytest.mark.parametrize(("least", "billed"), [(0, 0.5), (0.5, 0.5), (2, 2)])
def test_aurora_costs_its_least_capacity_and_never_nothing(least: float, billed: float) -> None:
    line = only(priced(*aurora(least)))
    assert line.arithmetic == f"{billed:g} ACU × 0.12 × 730 h"  # noqa: RUF001
    assert line.on_demand == line.savings_plan == approx(billed * 0.12 * HOURS)


def test_a_database_instance_costs_by_class_and_storage() -> None:
    inputs = {"instanceClass": "db.t4g.micro", "storageType": "gp3", "allocatedStorage": 20}
    assert usd(priced(resource("aws:rds/instance:Instance", inputs))) == {
        "RDS db.t4g.micro": approx(0.016 * HOURS),
        "RDS storage": approx(20 * 0.115),
    }


def test_a_cache_costs_by_its_nodes() -> None:
    inputs = {"engine": "valkey", "nodeType": "cache.t4g.medium", "numCacheClusters": 2}
    token = "aws:elasticache/replicationGroup:ReplicationGroup"
    line = only(priced(resource(token, inputs)))
    assert (line.what, line.on_demand) == ("Valkey cache.t4g.medium", approx(2 * 0.052 * HOURS))


def test_a_bucket_costs_by_its_objects_and_only_with_events() -> None:
    storage = resource("langfuse:index:Storage")
    bucket = resource("aws:s3/bucket:Bucket", parent=storage)
    assert priced(storage, bucket).lines == ()
    assert usd(priced(storage, bucket, usage=MILLION)) == {
        "Objects written": approx(1000 * 0.005),
        "Objects read": approx(1000 * 0.0004),
        "Stored events": approx(15 * 0.023),
    }
    other = resource("aws:s3/bucket:Bucket")
    assert usd(priced(other, usage=MILLION)) == {"ClickHouse's backups": approx(7.5 * 0.023)}


def test_snapshots_cost_what_clickhouse_stores() -> None:
    vault = resource("aws:backup/vault:Vault")
    assert usd(priced(vault, usage=MILLION)) == {"Volume snapshots": approx(3.75 * 0.05)}


def test_a_nat_gateway_costs_by_the_hour_and_passes_its_share_of_the_logs() -> None:
    token = "aws:ec2/natGateway:NatGateway"
    one, two = resource(token), resource(token, name="two")
    assert only(priced(one)).on_demand == approx(0.045 * HOURS)
    lines = priced(one, two, usage=Usage(events_per_month=15e6, log_kb=600)).lines
    data = [line.on_demand for line in lines if line.what == "NAT gateway, data"]
    assert data == [approx(600 * 0.045)] * 2, "web and worker log 600 GB each"


def test_an_elastic_address_costs_wherever_it_is() -> None:
    assert only(priced(resource("aws:ec2/eip:Eip"))).on_demand == approx(0.005 * HOURS)


def test_an_interface_endpoint_costs_in_each_zone_and_a_gateway_nowhere() -> None:
    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    vpc = resource("awsx:ec2:Vpc", {"availabilityZoneNames": ["a", "b", "c"]})
    known = {"vpcEndpointType": "Interface", "subnetIds": ["s-1", "s-2", "s-3"]}
    unknown = resource(token, {"vpcEndpointType": "Interface"}, {"subnetIds": [vpc]})
    for each in (priced(resource(token, known)), priced(vpc, unknown)):
        assert only(each).on_demand == approx(3 * 0.01 * HOURS)
    assert priced(resource(token, {"vpcEndpointType": "Gateway"})).lines == ()
    assert priced(resource(token, {})).lines == (), "AWS's default is a gateway"


def balancer(
    subnets: Any, origins: list[Resource], *, internal: bool = False
) -> tuple[Resource, ...]:
    inputs = {"internal": internal, "subnets": subnets}
    return (*origins, resource("aws:lb/loadBalancer:LoadBalancer", inputs, {"subnets": origins}))


def test_a_load_balancer_has_an_address_in_each_subnet_however_they_are_known() -> None:
    subnets = [resource("aws:ec2/subnet:Subnet", name=name) for name in ("a", "b", "c")]
    vpc = resource("awsx:ec2:Vpc", {"availabilityZoneNames": ["a", "b", "c"]})
    for known in (
        balancer(["subnet-1", "subnet-2", "subnet-3"], []),
        balancer(UNKNOWN, [vpc, *subnets]),
        balancer(UNKNOWN, [vpc]),
    ):
        assert usd(priced(*known)) == {
            "Application Load Balancer": approx(0.0225 * HOURS),
            "Public IPv4 addresses": approx(3 * 0.005 * HOURS),
        }
    assert "Public IPv4 addresses" not in usd(priced(*balancer(["subnet-1"], [], internal=True)))


def test_capacity_units_follow_the_bytes_or_the_connections() -> None:
    (one,) = balancer(["subnet-1"], [])
    by_bytes = usd(priced(one, usage=Usage(events_per_month=1e6)))
    assert by_bytes["Capacity units"] == approx(5 * 0.008)
    small = Usage(events_per_month=9e6, event_kb=0.001, events_per_request=1)
    assert usd(priced(one, usage=small))["Capacity units"] == approx(9e6 / 90_000 * 0.008)


def test_an_http_api_costs_by_its_requests() -> None:
    api = resource("aws:apigatewayv2/api:Api")
    assert priced(api).lines == ()
    assert usd(priced(api, usage=Usage(events_per_month=30e6))) == {
        "HTTP API requests": approx(2 * 1.0)
    }


def test_a_web_acl_costs_by_its_rules_and_requests() -> None:
    acl = resource("aws:wafv2/webAcl:WebAcl", {"rules": [{}] * 6})
    assert usd(priced(acl, usage=Usage(events_per_month=30e6))) == {
        "WAF": approx(5 + 6),
        "WAF requests": approx(2 * 0.6),
    }


def test_a_zone_a_secret_a_key_and_an_alarm_cost_by_the_month() -> None:
    kinds = {
        "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": 0.5,
        "aws:secretsmanager/secret:Secret": 0.4,
        "aws:kms/key:Key": 1.0,
        "aws:cloudwatch/metricAlarm:MetricAlarm": 0.1,
    }
    for kind, monthly in kinds.items():
        assert only(priced(resource(kind))).on_demand == monthly, kind
    metric: dict[str, Any] = {"metric": {}}
    queries = {"metricQueries": [metric, metric, {"expression": "a + b"}]}
    alarm = resource("aws:cloudwatch/metricAlarm:MetricAlarm", queries)
    assert only(priced(alarm)).on_demand == approx(0.2), "by its metrics, not its expressions"


def test_logs_of_what_requests_pass_through_cost_by_the_gigabyte() -> None:
    token = "aws:cloudwatch/logGroup:LogGroup"
    usage = Usage(events_per_month=15e6)
    for name in ("LangfuseWeb", "LangfuseWorker", "ApiGateway"):
        component = resource(f"langfuse:index:{name}")
        found = priced(component, resource(token, parent=component), usage=usage)
        assert usd(found) == {"Logs": approx(1 * 0.5)}, name
    assert priced(resource(token), usage=usage).lines == (), "others log next to nothing"


def tracking(namespace: str, *origins: Resource) -> Resource:
    followed = {"customizedMetricSpecification": {"namespace": namespace}}
    return resource(
        POLICY,
        {"targetTrackingScalingPolicyConfiguration": followed},
        {"resourceId": list(origins)},
    )


def test_target_tracking_has_two_alarms_and_a_step_policy_has_one_of_its_own() -> None:
    assert usd(priced(tracking("AWS/ECS"))) == {"Alarms of autoscaling": approx(0.2)}
    steps = resource(POLICY, {"stepScalingPolicyConfiguration": {"cooldown": 180}})
    assert priced(steps).lines == ()


def test_an_alarm_that_looks_more_often_than_every_minute_costs_three_times_as_much() -> None:
    kind = "aws:cloudwatch/metricAlarm:MetricAlarm"
    for period, monthly in ((10, 0.3), (20, 0.3), (60, 0.1), (300, 0.1)):
        assert only(priced(resource(kind, {"period": period}))).on_demand == approx(monthly)


@pytest.mark.parametrize("tasks", [1, 3])
def test_queue_metrics_cost_the_same_for_any_number_of_tasks_and_their_lines_do_not(
    tasks: int,
) -> None:
    definition = task()
    scaled = service(definition, launchType="EC2")
    target = resource(
        "aws:appautoscaling/target:Target", {"minCapacity": tasks}, {"resourceId": [scaled]}
    )
    valkey = {"engine": "valkey", "nodeType": "cache.t4g.micro", "numCacheClusters": 1}
    cache = resource("aws:elasticache/replicationGroup:ReplicationGroup", valkey)
    queues = tracking("Langfuse/Queues", target)
    found = usd(priced(definition, scaled, target, cache, queues))
    assert found["Queue metrics"] == approx(4 * 0.3)
    # 360 lines an hour.
    assert found["Lines of queue probes"] == approx(tasks * 730 * 360 * 600 / 1e9 * 0.5)


def test_redis_memory_is_a_metric_more_where_aws_has_none() -> None:
    assert usd(priced(tracking("Langfuse/Queues")))["Queue metrics"] == approx(5 * 0.3)


def test_a_metric_of_a_log_costs_what_one_does_that_has_values_every_hour() -> None:
    def counted(pattern: str) -> Resource:
        kind = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
        return resource(kind, {"pattern": pattern}, name=pattern)

    daily = counted('"BACKUP_CREATED"')
    found = priced(daily, counted('"Executing Blob Storage Integration Job"'))
    assert only(found).what == "Metric of its log"
    assert only(found).on_demand == approx(0.3)
    assert priced(daily).lines == ()


def test_every_priced_type_has_a_test_here() -> None:
    text = open(__file__, encoding="utf-8").read()  # noqa: SIM115
    silent = [kind for kind in PRICED if f'"{kind}"' not in text]
    assert silent == []
