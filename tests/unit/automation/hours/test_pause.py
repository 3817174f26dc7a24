"""`pause` and `resume`: the schedules' own work, done at once, in order, and waited for.

On moto: that the numbers are those of the schedules, and that what sleeps wakes again as it was.
Scripted: what is under way, busy, late or broken. It does not prove how long AWS takes.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from datetime import timezone
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from pulumi import automation as auto
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.hours import command as hours_command
from langfuse_aws.automation.hours import performing
from langfuse_aws.automation.hours.schedules import Schedules
from langfuse_aws.graph.model import Resource
from langfuse_aws.settings.hours import SLEEPS_AFTER, WAKES_BEFORE, Hours
from tests.unit.automation.hours.stack_that_sleeps import (
    AURORA,
    HOURS,
    INSTANCE,
    URL,
    StackThatSleeps,
    at,
    at_the_time,
    fake_stack,
    scaling_that_acts,
)
from tests.unit.automation.restore.test_restore import Answer, Aws, AwsError, always
from tests.unit.aws_account import REGION
from tests.unit.stack_graph import build, shipped, shipped_config

NOON = "2026-11-30T12:00"
NIGHT = "2026-12-01T02:00"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Generator[list[float]]:
    """Let each look follow the last at once; time passes by what is slept."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(performing.time, "sleep", sleep)
    monkeypatch.setattr(performing.time, "monotonic", lambda: passed[0])
    with at_the_time(NOON):
        yield passed


def run(command: str, deployed: Deployed, *options: str) -> Any:
    """Run it on a stack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hours_command, "open_stack", always(deployed))
        result = CliRunner().invoke(app, [command, "--stack", "dev", *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


# --- on moto


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("config", [INSTANCE, AURORA], ids=["instance", "aurora"])
def test_a_stack_sleeps_and_wakes_as_its_schedules_would_have_it(
    config: Mapping[str, Any],
) -> None:
    with scaling_that_acts():
        stack = StackThatSleeps(config)
        before = stack.tasks, stack.targets, stack.instances, stack.status
        assert before == (
            {"web": 1, "worker": 1, "clickhouse": 1},
            {"web": (1, 1), "worker": (1, 2), "clickhouse": (1, 1)},
            {"clickhouse": 1},
            "available",
        )
        for _ in range(2):  # the second finds it asleep, and says the same
            paused = run("pause", stack.deployed)
            assert (paused.exit_code, paused.stderr) == (0, ""), paused.output
            assert stack.tasks == {"web": 0, "worker": 0, "clickhouse": 0}
            assert set(stack.targets.values()) == {(0, 0)}
            assert (stack.instances, stack.status) == ({"clickhouse": 0}, "stopped")
            assert paused.stdout.splitlines() == [
                "stopped  web: 0 tasks",
                "stopped  worker: 0 tasks",
                "stopped  clickhouse: 0 tasks",
                "stopped  clickhouse: 0 instances",
                "stopped  postgres: stopped",
                "Stack dev is asleep (langfuse:hours) until Tuesday 1 December, 08:00 "
                "Europe/Berlin. To wake it now: python3 -m automation resume --stack dev.",
            ]
        for _ in range(2):
            with at_the_time(NIGHT):
                resumed = run("resume", stack.deployed)
            assert (resumed.exit_code, resumed.stderr) == (0, ""), resumed.output
            assert (stack.tasks, stack.targets, stack.instances, stack.status) == before
            assert resumed.stdout.splitlines() == [
                "running  postgres: available",
                "running  clickhouse: 1 of 1 instances",
                "running  clickhouse: 1 of 1 tasks",
                "running  worker: 1 of 1 tasks",
                "running  web: 1 of 1 tasks",
                "Stack dev is awake until Tuesday 1 December, 19:00 Europe/Berlin. "
                "https://langfuse.example.com",
            ]
        as_json = json.loads(run("pause", stack.deployed, "--json").stdout)
        assert as_json == {
            "stack": "dev",
            "state": "asleep",
            "until": "2026-12-01T08:00:00+01:00",
            "timezone": "Europe/Berlin",
            "parts": {
                "web": "0 tasks",
                "worker": "0 tasks",
                "clickhouse": "0 tasks",
                "hosts": "0 instances",
                "database": "stopped",
            },
        }
        woken = json.loads(run("resume", stack.deployed, "--json").stdout)
        assert (woken["state"], woken["url"], woken["until"]) == (
            "awake",
            URL,
            "2026-11-30T19:00:00+01:00",
        )


# --- what comes before what


def graph_of(**config: Any) -> Any:
    """The graph of a stack with hours."""
    return build("dev", {**INSTANCE, **config})


def schedules_of(graph: Any) -> Schedules:
    """Its schedules, as its state has them."""
    entries = fake_stack(graph, {}).resources
    found = Schedules.of(Resource.of(each) for each in entries)
    assert found is not None
    return found


def test_every_schedule_of_the_program_is_found_and_is_in_the_order_of_its_time() -> None:
    graph = graph_of(
        domain="langfuse.example.com",
        grafana={"enabled": True},
        network={"egress": "natInstance"},
    )
    schedules = schedules_of(graph)
    named = [each.name for each in graph.registrations if each.name.endswith(("-sleep", "-wake"))]
    assert len(schedules.every) == len(named) == 2 * len(SLEEPS_AFTER)
    asleep = [[each.part for each in stage] for stage in schedules.stages("sleep")]
    assert asleep == [
        ["web", "grafana"],
        ["worker"],
        ["clickhouse"],
        ["hosts", "database"],
        ["nat"],
    ]
    awake = [[each.part for each in stage] for stage in schedules.stages("wake")]
    assert awake == [["nat", "database"], ["hosts"], ["clickhouse"], ["worker", "web", "grafana"]]
    for minutes in (SLEEPS_AFTER, WAKES_BEFORE):
        assert sorted(part for stage in asleep for part in stage) == sorted(minutes)


@pytest.mark.parametrize(
    "given",
    [
        HOURS,
        {"days": "sun,mon,thu-fri", "from": "00:00", "to": "20:59", "timezone": "Asia/Tokyo"},
        {"days": "mon-sun", "from": "03:10", "to": "23:55", "timezone": "America/New_York"},
    ],
)
def test_the_hours_are_read_back_from_the_schedules(given: dict[str, str]) -> None:
    hours = Hours.model_validate(given)
    web = {
        end: {
            "type": "aws:appautoscaling/scheduledAction:ScheduledAction",
            "urn": f"urn::a::langfuse-dev-web-{end}",
            "outputs": {"schedule": weekly.cron, "timezone": hours.timezone},
        }
        for end, weekly in (("sleep", hours.sleeps("web")), ("wake", hours.wakes("web")))
    }
    found = Schedules.of(Resource.of(each) for each in web.values())
    assert found is not None
    read = found.hours
    assert (read.begins, read.ends, read.timezone) == (hours.begins, hours.ends, hours.timezone)


# --- what is under way, busy, late or broken: AWS is a script


ORDER = (
    *("RegisterScalableTarget", "UpdateAutoScalingGroup"),
    *("StopDBInstance", "StartDBInstance", "StopDBCluster", "StartDBCluster"),
)


class Scripted:
    """The stack with an AWS that answers what a test says, and otherwise that all is so."""

    def __init__(self, end: str, config: Mapping[str, Any] = INSTANCE, **answers: Any) -> None:
        count = 0 if end == "sleep" else 1
        service = {"status": "ACTIVE", "pendingCount": 0}
        tasks = {**service, "desiredCount": count, "runningCount": count}
        instances = [instance("InService")] * count
        status = "available" if count else "stopped"
        self.log: list[tuple[str, dict[str, Any]]] = []
        plain: dict[str, Answer | list[Answer]] = {
            "RegisterScalableTarget": {},
            "UpdateAutoScalingGroup": {},
            "ListTasks": {"taskArns": []},
            "DescribeServices": {"services": [tasks]},
            "DescribeAutoScalingGroups": group(*instances),
            "DescribeDBInstances": database(status),
            "DescribeDBClusters": {"DBClusters": [{"Status": status}]},
        }
        graph = build("dev", config)
        self.aws = Aws({**plain, **answers}, self.log)
        self.pulumi = fake_stack(graph, config)

    @property
    def deployed(self) -> Deployed:
        """What `open_stack` gives."""
        pulumi = cast(auto.Stack, self.pulumi)
        return Deployed("dev", "langfuse-dev", pulumi, self.aws.client, REGION)

    def changes(self) -> list[str]:
        """What was asked for, in order: the part's name where it is a service's."""
        return [
            params["ResourceId"].rpartition("/langfuse-dev-")[2].partition("-")[0]
            if name == "RegisterScalableTarget"
            else name
            for name, params in self.log
            if name in ORDER
        ]


def instance(state: str) -> dict[str, Any]:
    """An instance of a group."""
    return {"InstanceId": "i-1", "LifecycleState": state, "HealthStatus": "Healthy"}


def group(*instances: dict[str, Any]) -> dict[str, Any]:
    """A group with these."""
    return {"AutoScalingGroups": [{"Instances": list(instances)}]}


def database(status: str) -> dict[str, Any]:
    """An RDS instance."""
    return {"DBInstances": [{"DBInstanceStatus": status}]}


def services(*counts: tuple[int, int, int]) -> list[Answer]:
    """Desired, running and pending tasks, one look after the other."""
    return [
        {
            "services": [
                {
                    "status": "ACTIVE",
                    "desiredCount": desired,
                    "runningCount": running,
                    "pendingCount": pending,
                }
            ]
        }
        for desired, running, pending in counts
    ]


STOPPING = ("ListTasks", "DescribeTasks")
"""A look at tasks that their service counts no more."""


def test_nothing_stops_before_what_writes_to_it_has_stopped() -> None:
    stack = Scripted(
        "sleep",
        DescribeServices=services((1, 1, 0), (0, 1, 0), (0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)),
        DescribeDBInstances=[database("available"), database("stopping"), database("stopped")],
        DescribeAutoScalingGroups=[group(instance("Terminating:Wait")), group()],
        ListTasks=[
            {"taskArns": []}, {"taskArns": ["arn:task/1"]}, {"taskArns": ["arn:task/1"]},
            {"taskArns": []},
        ],
        DescribeTasks=[
            {"tasks": [{"taskArn": "arn:task/1", "lastStatus": each}]}
            for each in ("STOPPING", "STOPPED")
        ],
        StopDBInstance={},
    )  # fmt: skip
    result = run("pause", stack.deployed)
    assert result.exit_code == 0, result.output
    assert [name for name, _ in stack.log] == [
        "RegisterScalableTarget", *["DescribeServices"] * 3, "ListTasks",
        "RegisterScalableTarget", *["DescribeServices"] * 3, *STOPPING,
        "DescribeServices", *STOPPING,
        "RegisterScalableTarget", "DescribeServices", "ListTasks",
        "UpdateAutoScalingGroup", "DescribeAutoScalingGroups",
        "DescribeDBInstances", "StopDBInstance",
        "DescribeAutoScalingGroups", *["DescribeDBInstances"] * 2,
    ]  # fmt: skip
    assert stack.changes() == [
        "web", "worker", "clickhouse", "UpdateAutoScalingGroup", "StopDBInstance",
    ]  # fmt: skip


def test_nothing_starts_before_what_it_needs_serves() -> None:
    stack = Scripted(
        "wake",
        AURORA,
        DescribeDBClusters=[
            {"DBClusters": [{"Status": each}]}
            for each in ("stopping", "stopped", "starting", "available")
        ],
        DescribeDBInstances=[database("starting"), database("available")],
        StartDBCluster={},
        DescribeAutoScalingGroups=[
            group(),
            group(instance("Pending")),
            group(instance("InService")),
        ],
        DescribeServices=services((0, 0, 0), (1, 0, 1), (1, 1, 0)),
    )
    result = run("resume", stack.deployed)
    assert result.exit_code == 0, result.output
    assert stack.changes() == [
        "StartDBCluster", "UpdateAutoScalingGroup", "clickhouse", "worker", "web",
    ]  # fmt: skip
    names = [name for name, _ in stack.log]
    first = names.index("UpdateAutoScalingGroup")
    assert names[:first].count("DescribeDBInstances") == 2, "its instance serves, not only it"
    assert names.count("DescribeAutoScalingGroups") == 3


LATER: Sequence[tuple[str, str, str, dict[str, Any]]] = [
    ("pause", "StopDBInstance", "InvalidDBInstanceState",
     {"DescribeDBInstances": [database("available"), database("backing-up"),
                              database("available"), database("stopped")]}),
    ("pause", "RegisterScalableTarget", "ConcurrentUpdateException", {}),
    ("pause", "UpdateAutoScalingGroup", "ScalingActivityInProgress", {}),
    ("resume", "StartDBInstance", "InvalidDBInstanceState",
     {"DescribeDBInstances": [database("stopped"), database("stopped"), database("available")]}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "operation", "code", "answers"), LATER, ids=[f"{row[1]} {row[2]}" for row in LATER]
)
def test_what_is_busy_is_asked_again(
    command: str, operation: str, code: str, answers: dict[str, Any]
) -> None:
    refused: list[Answer] = [AwsError(code), {}]
    end = "sleep" if command == "pause" else "wake"
    more: dict[str, Any] = {**answers, operation: refused}
    stack = Scripted(end, **more)
    result = run(command, stack.deployed)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    params = [params for name, params in stack.log if name == operation]
    assert params[0] == params[1], "the same again"


def test_a_database_that_is_so_already_is_not_asked() -> None:
    stack = Scripted("sleep")  # nothing answers StopDBInstance
    assert run("pause", stack.deployed).exit_code == 0
    assert stack.changes() == ["web", "worker", "clickhouse", "UpdateAutoScalingGroup"]


STUCK: Sequence[tuple[str, str, dict[str, Any], str]] = [
    ("resume", "tasks", {"DescribeServices": services((1, 0, 1))},
     "clickhouse: 0 of 1 tasks after 30 minutes. python3 -m automation status --stack dev says "
     "why."),
    ("pause", "instances", {"DescribeAutoScalingGroups": group(instance("Terminating"))},
     "clickhouse: 1 instances after 20 minutes. aws autoscaling describe-scaling-activities "
     "--auto-scaling-group-name langfuse-dev-clickhouse-"),
    ("resume", "database", {"DescribeDBInstances": database("starting")},
     "postgres: starting after 60 minutes. aws rds describe-events --source-type db-instance "
     "--source-identifier langfuse-dev-postgres"),
    ("resume", "broken", {"DescribeDBInstances": database("incompatible-network")},
     "postgres: RDS calls langfuse-dev-postgres"),
    ("pause", "refused", {"RegisterScalableTarget": AwsError("AccessDeniedException")},
     "An error occurred (AccessDeniedException) when calling the RegisterScalableTarget "),
    ("pause", "no service", {"DescribeServices": {"services": []}},
     "web: ECS does not know the service langfuse-dev-web-"),
    ("pause", "no group", {"DescribeAutoScalingGroups": group() | {"AutoScalingGroups": []}},
     "clickhouse: EC2 does not know the group langfuse-dev-clickhouse-"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "answers", "line"),
    [(row[0], row[2], row[3]) for row in STUCK],
    ids=[row[1] for row in STUCK],
)
def test_what_does_not_come_is_said_with_where_to_look_and_that_one_can_go_on(
    command: str, answers: dict[str, Any], line: str
) -> None:
    stack = Scripted("sleep" if command == "pause" else "wake", **answers)
    result = run(command, stack.deployed)
    assert result.exit_code == 1, result.output
    first, second = result.stderr.splitlines()
    assert first.startswith(f"error: {line}")
    assert second == (
        f"error: What was done stays. python3 -m automation {command} --stack dev goes on from "
        "there."
    )


def test_ctrl_c_says_how_to_go_on_and_the_next_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    stack = Scripted("sleep", DescribeServices=services((1, 1, 0), (0, 0, 0)))
    with monkeypatch.context() as patch:
        patch.setattr(performing.time, "sleep", interrupt)
        cut = run("pause", stack.deployed)
    assert cut.exit_code == 130
    assert "python3 -m automation pause --stack dev goes on from there." in cut.stderr
    assert stack.changes() == ["web"]
    assert run("pause", stack.deployed).exit_code == 0
    assert stack.changes() == ["web", "web", "worker", "clickhouse", "UpdateAutoScalingGroup"]


# --- what is refused


REFUSED: Sequence[tuple[str, str, dict[str, Any], str]] = [
    ("pause", "dev", {},
     "stack dev: has no langfuse:hours, and never sleeps. To give it some: pulumi config set "
     "--path langfuse:hours.from 08:00 --stack dev, likewise hours.to 19:00 and hours.timezone "
     "Europe/Berlin, then pulumi up (docs/hours.md)."),
    ("resume", "dev", {"hours": HOURS},
     "stack dev: its file has langfuse:hours, and AWS has no schedules of them yet. pulumi up "
     "first."),
    ("pause", "prod", {},
     "stack dev: is protected (langfuse:deletionProtection), and has no langfuse:hours: what is "
     "sent to a stack that sleeps is lost. It cannot be paused."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "size", "more", "line"), REFUSED, ids=["no hours", "not up yet", "protected"]
)
def test_a_stack_without_schedules_is_refused_with_what_to_do(
    command: str, size: str, more: dict[str, Any], line: str
) -> None:
    stack = Scripted("sleep")
    stack.pulumi = fake_stack(shipped(size), {**shipped_config(size), **more})
    result = run(command, stack.deployed)
    assert (result.exit_code, result.stderr, stack.log) == (1, f"error: {line}\n", [])


def test_a_stack_that_is_not_up_is_refused() -> None:
    stack = Scripted("sleep")
    stack.pulumi.resources = []
    result = run("pause", stack.deployed)
    assert (result.exit_code, result.stderr) == (
        1,
        "error: stack dev: nothing is deployed. pulumi up first.\n",
    )


def test_hours_that_were_removed_from_the_file_count_as_long_as_aws_has_them() -> None:
    stack = Scripted("wake")
    del stack.pulumi.config["langfuse:hours"]
    result = run("resume", stack.deployed)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert "awake until Monday 30 November, 19:00 Europe/Berlin" in result.stdout


@pytest.mark.parametrize(
    ("command", "time", "line"),
    [
        ("pause", "2026-11-30T06:59", ""),
        ("pause", "2026-11-30T07:01", "its schedule wakes it by Monday 30 November, 08:00"),
        ("pause", "2026-11-30T07:59", "its schedule wakes it by Monday 30 November, 08:00"),
        ("pause", "2026-11-30T08:01", ""),
        ("pause", "2026-11-28T07:30", ""),  # a Saturday
        ("resume", "2026-11-30T18:29", ""),
        (
            "resume",
            "2026-11-30T18:31",
            "its schedule puts it to sleep by Monday 30 November, 19:20",
        ),
        (
            "resume",
            "2026-11-30T19:19",
            "its schedule puts it to sleep by Monday 30 November, 19:20",
        ),
        ("resume", "2026-11-30T19:21", ""),
        ("resume", "2026-11-30T07:45", ""),
    ],
)
def test_what_the_schedules_would_find_half_done_is_not_begun(
    command: str, time: str, line: str
) -> None:
    stack = Scripted("sleep" if command == "pause" else "wake")
    with at_the_time(time):
        result = run(command, stack.deployed)
    if not line:
        assert result.exit_code == 0, result.output
        return
    assert (result.exit_code, stack.log) == (1, [])
    assert line in result.stderr


# --- alarms


class MutedAws:
    """CloudWatch's mute rules, as they answer."""

    def __init__(self) -> None:
        self.rule: dict[str, Any] | None = None
        self.log: list[str] = []

    def answers(self) -> dict[str, Any]:
        """By operation."""
        return {"GetAlarmMuteRule": self.get, "PutAlarmMuteRule": self.put}

    def get(self, params: dict[str, Any]) -> Any:
        """Give it, or no such rule."""
        assert params == {"AlarmMuteRuleName": "langfuse-dev-paused"}
        if self.rule is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetAlarmMuteRule")
        return {**self.rule, "Status": "ACTIVE"}

    def put(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep it."""
        self.rule = params
        schedule = params["Rule"]["Schedule"]
        until = params["ExpireDate"].astimezone(timezone.utc)
        self.log.append(
            f"{schedule['Expression']} {schedule['Duration']} {schedule['Timezone']}, "
            f"until {until:%a %H:%M}"
        )
        return {}


def test_alarms_are_muted_from_pause_until_an_hour_after_it_is_awake() -> None:
    muted = MutedAws()
    config = {**INSTANCE, "alarms": {"email": "ops@example.com"}}
    stack = Scripted("sleep", config, **muted.answers())
    for time in ("2026-11-30T12:00", "2026-11-30T12:20"):  # once is enough
        with at_the_time(time):
            assert run("pause", stack.deployed).exit_code == 0
    assert muted.log == ["at(2026-11-30T11:02) PT20H58M UTC, until Tue 08:00"]
    assert muted.rule is not None
    names = muted.rule["MuteTargets"]["AlarmNames"]
    hours = stack.pulumi.resources
    (first, *_) = [each for each in hours if each["type"].endswith(":AlarmMuteRule")]
    assert names == first["outputs"]["muteTargets"]["alarmNames"]
    assert len(names) > 20
    assert [name for name, _ in stack.log].index("PutAlarmMuteRule") == 1, "before all else"

    woken = Scripted("wake", config, **muted.answers())
    with at_the_time("2026-11-30T15:00"):
        assert run("resume", woken.deployed).exit_code == 0
    assert muted.log[1:] == ["at(2026-11-30T11:02) PT20H58M UTC, until Mon 15:00"]

    again = Scripted("sleep", config, **muted.answers())
    with at_the_time("2026-11-30T15:30"):
        assert run("pause", again.deployed).exit_code == 0
    assert muted.log[2:] == ["at(2026-11-30T11:02) PT20H58M UTC, until Tue 08:00"], "without a gap"


def test_a_rule_that_has_ended_is_used_again() -> None:
    muted = MutedAws()
    schedule = {"Expression": "at(2026-10-01T11:02)", "Duration": "PT1H", "Timezone": "UTC"}
    muted.put({"Rule": {"Schedule": schedule}, "ExpireDate": at("2026-10-01T12:00")})
    ended = always({**(muted.rule or {}), "Status": "EXPIRED"})
    config = {**INSTANCE, "alarms": {"email": "ops@example.com"}}
    answers: dict[str, Any] = {**muted.answers(), "GetAlarmMuteRule": ended}
    assert run("resume", Scripted("wake", config, **answers).deployed).exit_code == 0
    assert len(muted.log) == 1, "there is nothing to end"
    assert run("pause", Scripted("sleep", config, **answers).deployed).exit_code == 0
    assert muted.log[1:] == ["at(2026-11-30T11:02) PT20H58M UTC, until Tue 08:00"]


def test_alarms_that_may_not_be_muted_are_said_before_anything_stops() -> None:
    config = {**INSTANCE, "alarms": {"email": "ops@example.com"}}
    stack = Scripted("sleep", config, GetAlarmMuteRule=AwsError("AccessDenied"))
    result = run("pause", stack.deployed)
    assert (result.exit_code, stack.changes()) == (1, [])
    assert result.stderr.startswith(
        "error: An error occurred (AccessDenied) when calling the GetAl"
    )
