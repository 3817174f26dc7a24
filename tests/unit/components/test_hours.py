"""`langfuse:hours`: what AWS is told to stop and start, by whom, and that updates leave it alone.

It proves what is registered, and what a read-back makes of a stack at 0. That a schedule runs, AWS
alone knows.
"""

import json
import re
from typing import Any, Final, cast

import pulumi
import pulumi_aws as aws
import pytest

from development.recorded_graph import on_mocks
from langfuse_aws.components.clickhouse import clickhouse
from langfuse_aws.components.observability.alarms import alarm_rows
from langfuse_aws.components.runtime.read_back import Finding, running_service, service_finding
from langfuse_aws.components.shared.hours import only_awake
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.settings.loading import load
from tests.unit.components.test_read_back import OURS, URN, service
from tests.unit.stack_graph import Graph, asked_of_data_sources, build, shipped, unshared

HOURS: Final = {"from": "08:00", "to": "19:00", "timezone": "Europe/Berlin"}
EMAIL: Final = {"email": "ops@example.com"}

SMALL: Final[dict[str, Any]] = {"size": "dev", "hours": HOURS, "alarms": EMAIL}
LARGE: Final[dict[str, Any]] = {
    "size": "prod",
    "deletionProtection": False,
    "hours": {**HOURS, "days": "mon-thu,sat"},
    "domain": "langfuse.example.com",
    "network": {"egress": "natInstance"},
    "clickhouse": {"replicas": 3},
    "grafana": {"enabled": True},
    "web": {"minTasks": 2, "maxTasks": 6},
    "alarms": EMAIL,
}

TASKS: Final = "aws:appautoscaling/scheduledAction:ScheduledAction"
INSTANCES: Final = "aws:autoscaling/schedule:Schedule"
DATABASES: Final = "aws:scheduler/schedule:Schedule"
MUTES: Final = "aws:cloudwatch/alarmMuteRule:AlarmMuteRule"
TARGET: Final = "aws:appautoscaling/target:Target"
GROUP: Final = "aws:autoscaling/group:Group"
SERVICE: Final = "aws:ecs/service:Service"

Times = dict[str, tuple[str, Any]]


def small() -> Graph:
    return build("dev", SMALL)


def large() -> Graph:
    return build("prod", LARGE)


def times(graph: Graph) -> Times:
    """The time of day and what is set then, by the end of each schedule's name."""
    prefix = re.compile(r"^langfuse-(dev|prod)-")
    found: Times = {}
    for each in graph.of_type(TASKS):
        numbers = each.inputs["scalableTargetAction"]
        found[prefix.sub("tasks of ", each.name)] = (
            each.inputs["schedule"],
            (numbers["minCapacity"], numbers["maxCapacity"]),
        )
    for each in graph.of_type(INSTANCES):
        keys = ("minSize", "maxSize", "desiredCapacity")
        (size,) = {each.inputs[key] for key in keys}
        found[prefix.sub("instances of ", each.name)] = (each.inputs["recurrence"], size)
    for each in graph.of_type(DATABASES):
        if "-backup" not in each.name:
            target = each.inputs["target"]
            found[prefix.sub("", each.name)] = (
                each.inputs["scheduleExpression"],
                target["arn"].rpartition(":")[2],
            )
    return found


def week(minute: int, hour: int, days: str = "MON,TUE,WED,THU,FRI") -> str:
    return f"cron({minute} {hour} ? * {days} *)"


def test_dev_stops_and_starts_in_this_order() -> None:
    weekdays = "1,2,3,4,5"
    assert times(small()) == {
        "tasks of web-sleep": (week(0, 19), (0, 0)),
        "tasks of worker-sleep": (week(5, 19), (0, 0)),
        "tasks of clickhouse-sleep": (week(10, 19), (0, 0)),
        "instances of clickhouse-sleep": (f"15 19 * * {weekdays}", 0),
        "postgres-sleep": (week(15, 19), "stopDBInstance"),
        "postgres-wake": (week(30, 7), "startDBInstance"),
        "instances of clickhouse-wake": (f"36 7 * * {weekdays}", 1),
        "tasks of clickhouse-wake": (week(42, 7), (1, 1)),
        "tasks of worker-wake": (week(50, 7), (1, 2)),
        "tasks of web-wake": (week(50, 7), (1, 1)),
    }


def test_three_servers_aurora_grafana_and_a_nat_instance_do_so_too() -> None:
    found, days = times(large()), "MON,TUE,WED,THU,SAT"
    assert found["tasks of web-wake"] == (week(50, 7, days), (2, 6))
    assert found["tasks of clickhouse-wake"] == (week(42, 7, days), (3, 3))
    assert found["instances of clickhouse-wake"] == ("36 7 * * 1,2,3,4,6", 3)
    assert found["instances of nat-wake"] == ("30 7 * * 1,2,3,4,6", 1)
    assert found["instances of nat-sleep"] == ("20 19 * * 1,2,3,4,6", 0)
    assert found["tasks of grafana-sleep"] == (week(0, 19, days), (0, 0))
    assert found["tasks of grafana-wake"] == (week(50, 7, days), (1, 1))
    assert found["postgres-sleep"] == (week(15, 19, days), "stopDBCluster")
    assert found["postgres-wake"] == (week(30, 7, days), "startDBCluster")
    assert len(found) == 2 * 7, "each part has its two"


def test_every_schedule_has_the_zone_and_every_service_and_group_has_schedules() -> None:
    for graph in (small(), large()):
        zones = {
            *(each.inputs["timezone"] for each in graph.of_type(TASKS)),
            *(each.inputs["timeZone"] for each in graph.of_type(INSTANCES)),
            *(each.inputs["scheduleExpressionTimezone"] for each in graph.of_type(DATABASES)),
            *(each.inputs["rule"]["schedule"]["timezone"] for each in graph.of_type(MUTES)),
        }
        assert zones == {"Europe/Berlin"}
        scaled = {each.inputs["resourceId"] for each in graph.of_type(TASKS)}
        assert len(scaled) == len(graph.of_type(SERVICE))
        assert scaled == {each.inputs["resourceId"] for each in graph.of_type(TARGET)}
        grouped = {each.inputs["autoscalingGroupName"] for each in graph.of_type(INSTANCES)}
        assert len(grouped) == len(graph.of_type(GROUP))


def test_other_hours_replace_the_schedules_of_a_group_by_deleting_them_first() -> None:
    schedules = large().of_type(INSTANCES)
    assert schedules
    for each in schedules:
        options = large().options_of(each)
        assert options.replace_on_changes == {"*"}, "an update sends the old start time"
        assert options.delete_before_replace, "they have the same name"


def test_updates_leave_alone_what_a_schedule_sets() -> None:
    for graph in (small(), large()):
        ignored = {
            f"{each.type} {each.name}": graph.options_of(each).ignore_changes
            for token in (TARGET, GROUP, SERVICE)
            for each in graph.of_type(token)
        }
        kept = {
            TARGET: frozenset({"minCapacity", "maxCapacity"}),
            GROUP: frozenset({"minSize", "maxSize", "desiredCapacity"}),
            SERVICE: frozenset({"desiredCount"}),
        }
        wrong = {name: has for name, has in ignored.items() if has != kept[name.split()[0]]}
        assert not wrong


def test_writes_to_a_scaling_target_come_one_after_the_other() -> None:
    graph = small()
    for name in ("langfuse-dev-web", "langfuse-dev-worker"):
        sleep, wake = (graph.one(TASKS, f"{name}-{end}") for end in ("sleep", "wake"))
        policy = graph.one("aws:appautoscaling/policy:Policy", f"{name}-cpu")
        for first, then in ((policy, sleep), (sleep, wake)):
            before = graph.options_of(then).dependencies
            assert [urn for urn in before if urn.endswith(f"{first.type}::{first.name}")]


def test_the_scheduler_may_stop_and_start_this_database_and_nothing_else() -> None:
    for graph, kind, token, identifier in (
        (small(), "DBInstance", "aws:rds/instance:Instance", "identifier"),
        (large(), "DBCluster", "aws:rds/cluster:Cluster", "clusterIdentifier"),
    ):
        parameter = f"Db{kind[2:]}Identifier"
        (role,) = [
            each for each in graph.of_type("aws:iam/role:Role") if each.name.endswith("-hours")
        ]
        (statement,) = graph.policy(role.name)
        made = graph.one(token)
        assert statement == {
            "Effect": "Allow",
            "Action": [f"rds:Start{kind}", f"rds:Stop{kind}"],
            "Resource": [made.outputs["arn"]],
        }
        trust = json.loads(role.inputs["assumeRolePolicy"])["Statement"][0]
        assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
        for end in ("sleep", "wake"):
            schedule = graph.one(DATABASES, role.name.replace("-hours", f"-{end}"))
            target = schedule.inputs["target"]
            assert json.loads(target["input"]) == {parameter: made.outputs[identifier]}
            assert target["roleArn"] == role.outputs["arn"]
            assert target["retryPolicy"]["maximumEventAgeInSeconds"] == 20 * 60


def test_a_stack_without_hours_has_nothing_of_it() -> None:
    graph = shipped("dev")
    assert not [each for token in (TASKS, INSTANCES, MUTES) for each in graph.of_type(token)]
    assert [each.name for each in graph.of_type(DATABASES)] == ["langfuse-dev-clickhouse-backup"]
    (database,) = graph.of_type("aws:rds/instance:Instance")
    assert "backupWindow" not in database.inputs
    assert graph.options_of(graph.of_type(TARGET)[0]).ignore_changes == frozenset()


def test_external_stores_do_not_sleep() -> None:
    graph = build(
        "dev",
        {
            **SMALL,
            "postgres": {"mode": "external", "host": "db.example.com"},
            "postgresPassword": "its-own",
            "clickhouse": {
                "mode": "external",
                "url": "https://ch.example.com:8443",
                "migrationUrl": "clickhouse://ch.example.com:9440",
            },
            "clickhousePassword": "its-own",
        },
    )
    assert set(times(graph)) == {
        f"tasks of {name}-{end}" for name in ("web", "worker") for end in ("sleep", "wake")
    }


@pytest.mark.parametrize("tasks", [0, 1])
def test_a_migration_of_a_stack_asleep_is_refused_before_it_begins(tasks: int) -> None:
    """Through the provider of the stack, which may be that of another account."""
    told: list[str] = []

    async def ask(hook: pulumi.ResourceHook) -> None:
        try:
            await cast("Any", hook.callback(cast("Any", None)))
        except pulumi.RunError as error:
            told.append(str(error))

    def program() -> pulumi.Output[None]:
        provider = aws.Provider("own", region="eu-central-1")
        service = aws.ecs.Service(
            "clickhouse",
            cluster="langfuse",
            name="clickhouse",
            task_definition="clickhouse:1",
            desired_count=tasks,
            opts=pulumi.ResourceOptions(provider=provider),
        )
        bound = only_awake("migration", service, load(SMALL).hours)
        assert bound is not None
        assert bound.before_create == bound.before_update
        (hook,) = cast("list[pulumi.ResourceHook]", bound.before_create)
        return service.id.apply(lambda _: ask(hook))

    with asked_of_data_sources() as asked:
        on_mocks("dev", DEFAULT_REGION, program)
    assert ["::own::" in (each.provider or "") for each in asked] == [True]
    assert told == [
        "migration: the stack is asleep, and a migration needs its databases. Run python3 -m "
        "automation resume, then pulumi up again; what it has changed until here stays."
    ] * (tasks == 0)


def test_what_is_migrated_elsewhere_is_not_asked_about() -> None:
    assert only_awake("migration", None, load(SMALL).hours) is None


def test_backups_and_maintenance_fall_into_the_hours() -> None:
    graph = small()
    backup = graph.one(DATABASES, "langfuse-dev-clickhouse-backup")
    assert backup.inputs["scheduleExpression"] == week(0, 17)
    (database,) = graph.of_type("aws:rds/instance:Instance")
    assert database.inputs["backupWindow"] == "08:00-08:30", "9:00 in winter, 10:00 in summer"
    assert database.inputs["maintenanceWindow"] == "mon:09:00-mon:09:30"
    (cluster,) = large().of_type("aws:rds/cluster:Cluster")
    assert cluster.inputs["preferredBackupWindow"] == "08:00-08:30"
    assert cluster.inputs["preferredMaintenanceWindow"] == "mon:09:00-mon:09:30"
    readers = large().of_type("aws:rds/clusterInstance:ClusterInstance")
    windows = {each.inputs.get("preferredMaintenanceWindow") for each in readers}
    assert windows == {"mon:09:00-mon:09:30"}, "each has its own, in the night if AWS chooses"


def test_alarms_are_muted_all_of_them_while_it_sleeps_and_scaling_is_not() -> None:
    for graph, rules in ((small(), 2), (large(), 2)):
        found = graph.of_type(MUTES)
        assert len(found) == rules
        mailed = {
            each.outputs["name"]
            for each in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
            if each.inputs.get("okActions")
        }
        for rule in found:
            muted = rule.inputs["muteTargets"]["alarmNames"]
            assert set(muted) == mailed
            assert len(muted) <= 100, "AWS mutes no more by one rule"
    (night, weekend) = [each.inputs["rule"]["schedule"] for each in small().of_type(MUTES)]
    assert (night["expression"], night["duration"]) == (
        "cron(0 19 * * MON,TUE,WED,THU)",
        "PT14H",
    )
    assert (weekend["expression"], weekend["duration"]) == ("cron(0 19 * * FRI)", "P2DT14H")


def test_the_alarm_on_missing_backups_waits_for_the_longest_rest() -> None:
    rows = {each.label: each for each in alarm_rows(load(SMALL), "langfuse-dev")}
    row = rows["clickhouse-backup-missing"]
    assert (row.periods, row.period) == (72 + 2, 3600)
    assert row.periods * row.period <= 7 * 86_400, "CloudWatch looks back a week"
    assert row.warm_up_minutes is not None
    assert row.warm_up_minutes <= 2880, "CloudWatch's longest"
    longest = {**SMALL, "hours": {**HOURS, "days": "mon,tue"}}
    (row,) = [
        each
        for each in alarm_rows(load(longest), "langfuse-dev")
        if each.label == "clickhouse-backup-missing"
    ]
    assert row.periods * row.period <= 7 * 86_400


def test_clickhouse_without_a_task_is_well_if_it_sleeps_and_told_of_if_it_should_not() -> None:
    at_zero = service(running=0, desired=0)
    assert service_finding(at_zero, URN, OURS, "FARGATE") == Finding()
    found = service_finding(at_zero, URN, OURS, "FARGATE", may_be_stopped=False)
    assert found.final
    assert "langfuse-dev-web: ECS is to run no task of it" in found.problem
    assert "resume" in found.problem


@pytest.mark.parametrize(("config", "sleeps"), [({"size": "dev"}, False), (SMALL, True)])
def test_clickhouse_may_have_no_task_only_where_it_sleeps(
    config: dict[str, Any], sleeps: bool
) -> None:
    asked: list[bool] = []

    def running(*given: Any, may_be_stopped: bool, after: Any) -> Any:
        asked.append(may_be_stopped)
        return running_service(*given, may_be_stopped=may_be_stopped, after=after)

    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setattr(clickhouse, "running_service", running)
        build("dev", config)
    assert asked == [sleeps]
