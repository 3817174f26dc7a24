"""`status`: what the screen says of a stack that is well, of each fault, and of what is not read.

It proves what is made of AWS's answers, which are of botocore's models, for the resources that the
program itself makes. It does not prove that AWS answers so: no account was used.
"""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from botocore.exceptions import NoCredentialsError
from rich.console import Console
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.on_call import backups, certificates, ecs_services
from langfuse_aws.automation.on_call import status as status_module
from langfuse_aws.automation.on_call.findings import Finding, Reading, age, read_all
from langfuse_aws.automation.on_call.images import Image
from langfuse_aws.automation.on_call.report import Report
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.automation.on_call.stack_that_runs import (
    ACCOUNT,
    DIGEST,
    NOW,
    OTHER_DIGEST,
    Answer,
    OnCall,
    ago,
    certificate,
    deployment,
    images_of,
    on_call,
    on_call_of,
    services_of,
    task,
)
from tests.unit.automation.restore.test_restore import AwsError, always, failing
from tests.unit.cost.test_cost import EVERYTHING
from tests.unit.settings.test_external_stores import EXTERNAL, password
from tests.unit.stack_graph import build, shipped, shipped_config

WEB: Final = "langfuse-prod-web"


@pytest.fixture(autouse=True)
def always_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between what AWS answers and what is made of it."""
    for module in (ecs_services, backups, certificates, status_module):
        monkeypatch.setattr(module, "now", always(NOW))


def run(world: OnCall, *arguments: str) -> Any:
    """Run the command on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status_module, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["status", "--stack", world.name, *arguments])


def found(world: OnCall) -> dict[str, Finding]:
    """What is found, by section and subject."""
    report = status_module.read(world.stack, ACCOUNT)
    return {f"{each.section}/{each.subject}": each for each in report.findings}


def not_ok(world: OnCall) -> dict[str, tuple[str, str]]:
    """What is not ok, with the state and the text of each."""
    return {
        key: (each.state, each.text) for key, each in found(world).items() if each.state != "ok"
    }


def of_web(changed: Mapping[str, Any]) -> Answer:
    """DescribeServices, with something else of web."""
    services = services_of(shipped("prod"))

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        (name,) = params["services"]
        own = services[name]
        found = {**own, **changed} if name.startswith(WEB) else own
        return {"services": [found], "failures": []}

    return answer


def tasks_of_web(running: list[dict[str, Any]], stopped: list[dict[str, Any]]) -> dict[str, Answer]:
    """ListTasks and DescribeTasks with these tasks of web, and one of each other service."""
    services, images = services_of(shipped("prod")), images_of(shipped("prod"))

    def list_tasks(params: dict[str, Any]) -> dict[str, Any]:
        name, status = params["serviceName"], params["desiredStatus"]
        if name.startswith(WEB):
            tasks = running if status == "RUNNING" else stopped
            return {"taskArns": [f"{status} {index}" for index in range(len(tasks))]}
        return {"taskArns": [name] if status == "RUNNING" else []}

    def describe_tasks(params: dict[str, Any]) -> dict[str, Any]:
        (first, *_) = params["tasks"]
        if first.startswith(("RUNNING", "STOPPED")):
            return {"tasks": running if first.startswith("RUNNING") else stopped}
        definition = services[first]["taskDefinition"]
        return {"tasks": [task(definition, *images[definition])]}

    return {"ListTasks": list_tasks, "DescribeTasks": describe_tasks}


def web_task(**more: Any) -> dict[str, Any]:
    definition = next(each for each in images_of(shipped("prod")) if f"{WEB}:" in each)
    return task(definition, *images_of(shipped("prod"))[definition], **more)


# --- a stack that is well


def test_a_stack_that_is_well_says_so_and_ends_with_0() -> None:
    result = run(on_call())
    assert result.exit_code == 0, result.output
    first, *lines = result.stdout.splitlines()
    assert first.endswith("prod in us-east-1, account 123456789012: all is well")
    assert {line.split("\t")[0] for line in lines} == {"ok"}
    sections = dict.fromkeys(line.split("\t")[1] for line in lines)
    assert list(sections) == ["services", "load", "alarms", "backups", "certificate"]
    assert f"ok\tservices\tweb\t2 of 2 tasks, {LANGFUSE} sha256:ab12cd34ef56" in lines
    assert result.stderr == ""


def test_every_part_of_the_stack_has_its_line() -> None:
    subjects = {key: each.text for key, each in found(on_call()).items()}
    assert set(subjects) == {
        *(f"services/{part}" for part in ("clickhouse", "web", "worker")),
        *(f"services/{part} deployment" for part in ("clickhouse", "web", "worker")),
        *(f"load/{part}" for part in ("web", "worker", "clickhouse", "postgres")),
        "load/queues",
        *("load/redis 1", "load/redis 2", "alarms/alarms", "certificate/certificate"),
        "services/release",
        *("backups/clickhouse snapshot", "backups/clickhouse backup"),
        *("backups/postgres", "backups/redis"),
    }
    assert subjects["services/web deployment"] == "successful 3 days ago"
    assert subjects["backups/clickhouse snapshot"] == "60 min old: snapshot of AWS Backup"
    assert subjects["backups/clickhouse backup"] == (
        "10 h old: full backup 2026-W48/full-20261123T020000Z"
    )
    assert subjects["backups/postgres"] == "available; 4 min old: restorable up to then"
    assert subjects["certificate/certificate"] == (
        f"langfuse.example.com: valid for 100 days, until {ago(days=-100, hours=-1):%Y-%m-%d}"
    )
    assert subjects["load/postgres"] == (
        "PostgreSQL connections 3, CPU 3 %, capacity 3 %, free memory 0.0 GiB"
    )


def test_nothing_is_changed_and_one_call_asks_for_all_metrics() -> None:
    world = on_call()
    assert run(world).exit_code == 0
    looks = ("Describe", "List", "Get")
    assert [name for name, _ in world.aws.asked if not name.startswith(looks)] == []
    assert world.pulumi.log == []
    (asked,) = world.calls("GetMetricData")
    assert len(asked["MetricDataQueries"]) == 19


def test_readings_run_beside_each_other_with_one_client_of_each_service() -> None:
    meeting = threading.Barrier(3)

    def meet(answer: Answer) -> Answer:
        def wait(_: object) -> Answer:
            meeting.wait(30)
            return answer

        return wait

    usual = on_call().aws.answers
    both = ("GetMetricData", "DescribeDBClusters", "DescribeCertificate")
    answers = {each: usual[each] for each in both}
    metrics = answers.pop("GetMetricData")
    assert callable(metrics)

    def measured(params: dict[str, Any]) -> Any:
        meeting.wait(30)
        return metrics(params)

    world = on_call(GetMetricData=measured, **{name: meet(each) for name, each in answers.items()})
    assert not_ok(world) == {}, "one after the other they would wait for each other in vain"
    assert sorted(world.aws.clients) == sorted(set(world.aws.clients))


# --- each fault


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"runningCount": 1}, "1 of 2 tasks"),
        ({"desiredCount": 0, "runningCount": 0}, "no task is wanted: it was stopped"),
        (
            {"taskDefinition": "arn:aws:ecs:us-east-1:1:task-definition/langfuse-prod-web:7"},
            "runs task definition langfuse-prod-web:7, the last up wanted langfuse-prod-web:",
        ),
        (
            {
                "runningCount": 0,
                "events": [
                    {"message": "has reached a steady state"},
                    {"message": "unable to place a task"},
                ],
            },
            "unable to place a task",
        ),
    ],
)
def test_a_service_that_is_not_as_wanted_is_wrong(changed: dict[str, Any], text: str) -> None:
    wrong = not_ok(on_call(DescribeServices=of_web(changed)))
    assert set(wrong) == {"services/web"}
    state, said = wrong["services/web"]
    assert state == "wrong"
    assert text in said


@pytest.mark.parametrize(
    "changed",
    [
        {"runningCount": 1, "pendingCount": 1},
        {
            "taskDefinition": "arn:other:1",
            "deployments": [{"status": "PRIMARY"}, {"status": "ACTIVE"}],
        },
    ],
    ids=["tasks that start", "a deployment under way"],
)
def test_what_ecs_is_about_to_do_is_not_wrong(changed: dict[str, Any]) -> None:
    assert not_ok(on_call(DescribeServices=of_web(changed))) == {}


def test_a_service_that_ecs_does_not_know_is_wrong() -> None:
    wrong = not_ok(on_call(DescribeServices=of_web({"status": "INACTIVE"})))
    assert set(wrong) == {"services/web"}
    assert wrong["services/web"][1].startswith("ECS has no service langfuse-prod-web-")


REPOSITORY_OF_WEB: Final = "ghcr.io/langfuse/langfuse"


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ({"image": f"{REPOSITORY_OF_WEB}:4.0.1"}, f"runs 4.0.1, wanted {LANGFUSE}"),
        ({"image": f"{REPOSITORY_OF_WEB}:4.0.1@{DIGEST}"}, f"runs 4.0.1, wanted {LANGFUSE}"),
        (
            {"image": f"mine/langfuse:{LANGFUSE}"},
            f"runs mine/langfuse, wanted {REPOSITORY_OF_WEB}",
        ),
        (
            {"imageDigest": OTHER_DIGEST},
            "tasks of one tag run sha256:999999999999 and sha256:ab12cd34ef56: the tag was moved",
        ),
    ],
)
def test_another_image_than_the_wanted_one_is_wrong(own: dict[str, str], text: str) -> None:
    tasks = [web_task(number=1), web_task(number=2, own=own)]
    wrong = not_ok(on_call(**tasks_of_web(tasks, [])))
    assert set(wrong) == {"services/web"}
    assert wrong["services/web"][1].endswith(text)


@pytest.mark.parametrize(
    "name",
    [
        f"{REPOSITORY_OF_WEB}:{LANGFUSE}@{DIGEST}",
        f"{REPOSITORY_OF_WEB}@{DIGEST}",
        f"{REPOSITORY_OF_WEB}:{LANGFUSE}",
    ],
)
def test_a_tag_that_ecs_has_resolved_is_the_wanted_image(name: str) -> None:
    tasks = [web_task(number=1), web_task(number=2, own={"image": name})]
    world = on_call(**tasks_of_web(tasks, []))
    assert not_ok(world) == {}
    assert f"{LANGFUSE} sha256:ab12cd34ef56" in found(world)["services/web"].text


@pytest.mark.parametrize(
    ("running", "want", "other"),
    [
        ("r/a:1@sha256:aa", "r/a:1@sha256:aa", False),
        ("r/a@sha256:aa", "r/a:1@sha256:aa", False),
        ("r/a:1@sha256:bb", "r/a:1@sha256:aa", True),
        ("r/a:2@sha256:aa", "r/a:1@sha256:aa", True),
        ("localhost:5000/a:1", "localhost:5000/a:1", False),
        ("localhost:5000/a:1", "localhost:5000/a:2", True),
        ("r/a:1", "", False),
    ],
)
def test_images_are_compared_by_what_both_names_tell(running: str, want: str, other: bool) -> None:
    assert Image.named(running).is_other_than(Image.named(want)) is other


def test_an_unhealthy_task_is_wrong() -> None:
    tasks = [web_task(), web_task(healthStatus="UNHEALTHY", number=2)]
    assert "1 unhealthy" in not_ok(on_call(**tasks_of_web(tasks, [])))["services/web"][1]


def stopped(why: str, code: str = "EssentialContainerExited", **own: Any) -> dict[str, Any]:
    return web_task(stoppedReason=why, stopCode=code, stoppedAt=ago(minutes=5), own=own)


def test_why_tasks_fail_is_told_with_the_containers_own_reason() -> None:
    killed = stopped(
        "Essential container in task exited",
        exitCode=137,
        reason="OutOfMemoryError: Container killed due to memory usage",
    )
    world = on_call(**tasks_of_web([web_task()], [killed]))
    finding = found(world)["services/web"]
    assert finding.state == "wrong"
    assert finding.text.endswith(
        "1 task failed in the last hour, the newest 5 min ago: Essential container in task exited; "
        "web: exit code 137, OutOfMemoryError: Container killed due to memory usage"
    )
    assert finding.remedy == "logs web --since 1h"
    (failure,) = finding.facts["failures"]
    assert failure["code"] == "EssentialContainerExited"


@pytest.mark.parametrize(
    "task",
    [
        stopped(
            "Scaling activity initiated by (deployment ecs-svc/1)", "ServiceSchedulerInitiated"
        ),
        stopped("Your Spot Task was interrupted.", "SpotInterruption"),
    ],
    ids=["scaled in", "Spot"],
)
def test_a_task_that_was_meant_to_end_is_no_failure(task: dict[str, Any]) -> None:
    assert not_ok(on_call(**tasks_of_web([web_task()], [task]))) == {}


def test_a_deployment_that_was_rolled_back_says_why() -> None:
    failed = deployment(
        "ROLLBACK_SUCCESSFUL",
        createdAt=ago(minutes=30),
        finishedAt=ago(minutes=20),
        statusReason="Service deployment rolled back because the circuit breaker threshold was "
        "exceeded.",
    )
    only = {"serviceDeployments": [deployment(), failed]}
    none = {"serviceDeployments": [deployment()]}

    def of_worker(params: dict[str, Any]) -> Any:
        return only if "worker" in params["service"] else none

    world = on_call(ListServiceDeployments=of_worker)
    assert not_ok(world) == {
        "services/worker deployment": (
            "wrong",
            "rollback successful 20 min ago: Service deployment rolled back because the circuit "
            "breaker threshold was exceeded.",
        )
    }


def test_a_deployment_under_way_is_told_and_not_wrong() -> None:
    under_way = {"status": "IN_PROGRESS", "createdAt": ago(minutes=3)}
    world = on_call(ListServiceDeployments={"serviceDeployments": [under_way]})
    assert found(world)["services/web deployment"].text == "in progress for 3 min"
    assert not_ok(world) == {}


@pytest.mark.parametrize(
    ("operation", "answer", "subject", "text"),
    [
        (
            "ListRecoveryPointsByBackupVault",
            {"RecoveryPoints": [{"Status": "COMPLETED", "CreationDate": ago(hours=30)}]},
            "backups/clickhouse snapshot",
            "30 h old: snapshot of AWS Backup, and 26 h is the most",
        ),
        (
            "ListRecoveryPointsByBackupVault",
            {"RecoveryPoints": [{"Status": "EXPIRED", "CreationDate": ago(hours=1)}]},
            "backups/clickhouse snapshot",
            "no good snapshot of AWS Backup",
        ),
        ("ListObjectsV2", {}, "backups/clickhouse backup", "no good backup"),
        (
            "DescribeDBClusters",
            {"DBClusters": [{"Status": "available", "LatestRestorableTime": ago(hours=3)}]},
            "backups/postgres",
            "available; 3 h old: restorable up to then, and 60 min is the most",
        ),
        (
            "DescribeDBClusters",
            {
                "DBClusters": [
                    {
                        "Status": "inaccessible-encryption-credentials",
                        "LatestRestorableTime": ago(minutes=3),
                    }
                ]
            },
            "backups/postgres",
            "inaccessible-encryption-credentials; 3 min old: restorable up to then",
        ),
        (
            "DescribeSnapshots",
            {
                "Snapshots": [
                    {
                        "SnapshotStatus": "creating",
                        "NodeSnapshots": [{"SnapshotCreateTime": ago(hours=1)}],
                    }
                ]
            },
            "backups/redis",
            "no good snapshot",
        ),
        (
            "DescribeCertificate",
            {"Certificate": certificate(NotAfter=ago(days=-20, hours=-1))},
            "certificate/certificate",
            "less than 30 days",
        ),
        (
            "DescribeCertificate",
            {"Certificate": certificate(Status="EXPIRED", NotAfter=ago(days=1))},
            "certificate/certificate",
            "is EXPIRED, not ISSUED",
        ),
        (
            "DescribeCertificate",
            {
                "Certificate": certificate(
                    RenewalSummary={
                        "RenewalStatus": "FAILED",
                        "RenewalStatusReason": "CAA_ERROR",
                        "DomainValidationOptions": [],
                        "UpdatedAt": NOW,
                    }
                )
            },
            "certificate/certificate",
            "renewal failed: CAA_ERROR",
        ),
    ],
)
def test_an_old_backup_and_a_bad_certificate_are_wrong(
    operation: str, answer: Answer, subject: str, text: str
) -> None:
    world = on_call(**{operation: answer})
    wrong = not_ok(world)
    assert set(wrong) == {subject}
    assert wrong[subject][0] == "wrong"
    assert text in wrong[subject][1]
    assert found(world)[subject].remedy


def test_a_service_that_is_deployed_often_is_read_in_few_pages() -> None:
    """20 a day of 90 days are 90 pages by default, 18 of the longest; status waits 15 s at most."""
    asked: list[dict[str, Any]] = []

    def deployments(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        return {"serviceDeployments": [deployment()]}

    assert not_ok(on_call(ListServiceDeployments=deployments)) == {}
    assert {each.get("maxResults") for each in asked} == {100}


def test_the_newest_snapshot_of_any_node_of_the_cache_counts() -> None:
    def snapshots(params: dict[str, Any]) -> dict[str, Any]:
        hours = {"001": 90, "002": 5}[params["CacheClusterId"].rpartition("-")[2]]
        nodes = [{"SnapshotCreateTime": ago(hours=hours)}]
        return {"Snapshots": [{"SnapshotStatus": "available", "NodeSnapshots": nodes}]}

    world = on_call(DescribeSnapshots=snapshots)
    assert not_ok(world) == {}
    assert found(world)["backups/redis"].text == "5 h old: snapshot"
    assert {tuple(each) for each in world.calls("DescribeSnapshots")} == {("CacheClusterId",)}


def test_what_is_wrong_is_named_first_and_ends_with_3() -> None:
    result = run(on_call(DescribeServices=of_web({"runningCount": 1}), ListObjectsV2={}))
    assert result.exit_code == 3
    assert result.stdout.splitlines()[0].endswith(": 2 wrong: web, clickhouse backup")


# --- what cannot be read


@pytest.mark.parametrize(
    ("operation", "subjects"),
    [
        ("DescribeServices", {"services/web", "services/worker", "services/clickhouse"}),
        (
            "ListServiceDeployments",
            {f"services/{each} deployment" for each in ("web", "worker", "clickhouse")},
        ),
        ("GetMetricData", {"load/metrics"}),
        ("ListRecoveryPointsByBackupVault", {"backups/clickhouse snapshot"}),
        ("ListObjectsV2", {"backups/clickhouse backup"}),
        ("DescribeDBClusters", {"backups/postgres"}),
        ("DescribeSnapshots", {"backups/redis"}),
        ("DescribeCertificate", {"certificate/certificate"}),
    ],
)
def test_a_right_that_is_missing_is_a_line_in_its_place(operation: str, subjects: set[str]) -> None:
    world = on_call(**{operation: AwsError("AccessDeniedException", "no")})
    unread = not_ok(world)
    assert set(unread) == subjects
    for state, text in unread.values():
        assert state == "unknown"
        assert f"(AccessDeniedException) when calling the {operation} operation: no" in text
    for subject in subjects:
        assert found(world)[subject].remedy == (
            f"Allow {operation}, which only reads: docs/status.md has the rights."
        )
    assert len(found(world)) == len(found(on_call())) - (7 - 1 if "load" in str(subjects) else 0)
    assert run(world).exit_code == 4


def test_an_answer_that_nobody_foresaw_takes_one_line_and_not_the_screen() -> None:
    unread = not_ok(on_call(DescribeDBClusters={"DBClusters": []}))
    assert set(unread) == {"backups/postgres"}
    assert unread["backups/postgres"][0] == "unknown"
    assert "ValueError" in unread["backups/postgres"][1]


def test_a_reading_that_hangs_does_not_hold_up_the_others() -> None:
    hangs = threading.Event()

    def wait() -> list[Finding]:
        hangs.wait()
        return []

    well = Finding("a", "quick", "ok", "fine")
    try:
        both = read_all([Reading("a", "slow", wait), Reading("a", "quick", lambda: [well])], 0.05)
    finally:
        hangs.set()
    assert both == [
        Finding("a", "slow", "unknown", "could not be read: no answer within 0.05 s"),
        well,
    ]


def test_without_aws_there_is_one_line_and_1() -> None:
    def nobody(_: str) -> Any:
        raise NoCredentialsError

    world = on_call()
    world.aws.client = nobody  # pyright: ignore[reportAttributeAccessIssue]
    result = run(world)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: Unable to locate credentials\n"


def test_a_token_that_has_expired_is_one_line_and_1() -> None:
    result = run(on_call(GetCallerIdentity=AwsError("ExpiredToken", "expired")))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "expired" in result.stderr


def test_a_stack_that_is_not_up_is_one_line_and_1() -> None:
    world = on_call()
    world.pulumi.resources = []
    result = run(world)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: stack prod: nothing is deployed. pulumi up first.\n"


def test_a_database_that_broke_hours_ago_is_asked_for_the_events_of_then() -> None:
    """RDS gives those of an hour to who names no time."""
    broken = {"Status": "inaccessible-encryption-credentials", "LatestRestorableTime": ago(hours=9)}
    world = on_call(DescribeDBClusters={"DBClusters": [broken]})
    (cluster,) = [each for each in world.deployed.state if each.type == "aws:rds/cluster:Cluster"]
    assert found(world)["backups/postgres"].remedy == (
        "Its events of a day say why: aws rds describe-events --source-type db-cluster "
        f"--source-identifier {cluster.outputs['clusterIdentifier']} --duration 1440."
    )


def test_credentials_of_another_account_are_one_line_and_1() -> None:
    """Else every part of the stack would seem to be gone, and `pulumi up --refresh` the remedy."""
    other = {"Account": "210987654321", "Arn": "arn", "UserId": "me"}
    world = on_call(GetCallerIdentity=other)
    result = run(world)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: stack prod: it is in account {ACCOUNT}, and the credentials are of 210987654321. "
        "Take those of the stack's account (AWS_PROFILE).\n"
    )
    assert [name for name, _ in world.aws.asked] == ["GetCallerIdentity"]


def test_another_region_is_one_line_and_1() -> None:
    """As `AWS_REGION` has it, where the stack file names none."""
    world = on_call()
    deployed = replace(world.deployed, region="eu-west-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status_module, "open_stack", always(deployed))
        result = CliRunner().invoke(app, ["status", "--stack", "prod"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: stack prod: it is in us-east-1, and was looked for in eu-west-1. Set the region: "
        "pulumi config set aws:region us-east-1 --stack prod.\n"
    )


def test_settings_that_are_wrong_cost_only_the_lines_that_need_them() -> None:
    world = on_call_of(shipped("prod"), {**shipped_config("prod"), "network": {"zones": 7}}, "prod")
    assert set(not_ok(world)) == {
        "services/release",
        "load/metrics",
        "backups/clickhouse backup",
    }


def test_a_release_that_is_not_up_yet_is_told_and_not_wrong() -> None:
    assert found(on_call())["services/release"].text == f"Langfuse {LANGFUSE}"
    asked = {**shipped_config("prod"), "release": "4.99.0"}
    world = on_call_of(shipped("prod"), asked, "prod")
    assert found(world)["services/release"].text == (
        f"Langfuse {LANGFUSE}; the stack asks for 4.99.0, which the next pulumi up deploys"
    )
    assert not_ok(world) == {}


# --- other stacks


def test_external_stores_have_neither_load_nor_backups() -> None:
    config = {
        "size": "dev",
        **{
            key: value
            for store in sorted(EXTERNAL)
            for key, value in ((store, EXTERNAL[store]), (f"{store}Password", password(store)))
        },
    }
    world = on_call_of(build("dev", config), config, "dev")
    assert not_ok(world) == {}
    assert {each.split("/")[1] for each in found(world)} == {
        *("release", "web", "web deployment", "worker", "worker deployment", "alarms", "queues"),
    }


def test_a_stack_with_everything_has_a_line_for_each_server_and_grafana() -> None:
    graph = build("everything", EVERYTHING)
    subjects = set(found(on_call_of(graph, EVERYTHING, "everything")))
    assert {f"backups/clickhouse-{number} snapshot" for number in (1, 2, 3)} <= subjects
    assert {f"load/clickhouse {number}" for number in (1, 2, 3)} <= subjects
    assert {"services/grafana", "services/grafana deployment"} <= subjects


# --- how it is shown


def test_json_has_the_shape_that_is_documented() -> None:
    result = run(on_call(), "--json")
    report = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert set(report) == {*("stack", "region", "account", "at", "state", "asleep", "findings")}
    assert report["state"] == "ok"
    for each in report["findings"]:
        assert set(each) == {"section", "subject", "state", "text", "remedy", "facts"}
    web = next(each for each in report["findings"] if each["subject"] == "web")
    image = {"release": LANGFUSE, "repository": "ghcr.io/langfuse/langfuse"}
    assert web["facts"]["images"] == {
        "running": [{**image, "digest": DIGEST}],
        "wanted": {**image, "digest": ""},
    }


def screen(world: OnCall, width: int) -> str:
    """What a terminal of this width shows, without its colours."""
    text = io.StringIO()
    console = Console(file=text, width=width)
    console.print(status_module.read(world.stack, ACCOUNT).screen(width))
    return text.getvalue()


@pytest.mark.parametrize("width", [60, 99, 100, 200])
def test_a_terminal_of_any_width_shows_every_word(width: int) -> None:
    denied = AwsError("AccessDeniedException", "no")
    services = of_web({"runningCount": 1})
    world = on_call(ListObjectsV2={}, DescribeServices=services, DescribeCertificate=denied)
    shown = screen(world, width)
    assert max(map(len, shown.splitlines())) <= width
    for each in found(world).values():
        for word in f"{each.subject} {each.text} {each.remedy}".split():
            assert word in shown
    assert shown.startswith("prod in us-east-1, account 123456789012: 2 wrong: web")


def test_what_is_not_well_comes_first_where_a_terminal_has_few_lines() -> None:
    denied = AwsError("AccessDeniedException", "no")
    shown = screen(on_call(ListObjectsV2={}, DescribeCertificate=denied), 200).splitlines()
    assert shown[3].split()[:3] == ["wrong", "backups", "clickhouse"]
    headings = [line.strip() for line in shown[2:] if line.strip().isupper()]
    assert headings == ["WRONG", "NOT READ", "SERVICES", "LOAD", "ALARMS", "BACKUPS"]


def test_an_address_that_is_broken_can_be_opened_all_the_same() -> None:
    address = f"https://example.com/{'x' * 80}#page"
    wrong = Finding("alarms", "disk", "wrong", "on for 3 min", address)
    text = io.StringIO()
    console = Console(file=text, width=60, force_terminal=True, legacy_windows=False)
    console.print(Report("prod", "us-east-1", ACCOUNT, NOW, [wrong]).screen(60))
    assert text.getvalue().count(f";{address}\x1b") == 2, "one for each of its two lines"


def test_watch_shows_it_again_with_the_state_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    world = on_call()
    rounds: list[int] = []

    def sleep(seconds: float) -> None:
        rounds.append(int(seconds))
        if len(rounds) == 2:
            raise KeyboardInterrupt
        world.pulumi.resources = [
            each for each in world.pulumi.resources if "redis" not in each["urn"]
        ]

    monkeypatch.setattr(status_module.time, "sleep", sleep)
    result = run(world, "--watch", "--every", "7", "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert rounds == [7, 7]
    assert "redis" in {each["subject"] for each in first["findings"]}
    assert "redis" not in {each["subject"] for each in second["findings"]}


def test_watch_goes_on_while_the_backend_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    world = on_call()
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        monkeypatch.setattr(world.pulumi, "export_stack", away)

    def away() -> None:
        raise failing(255, "error: could not get the state: no route to host")

    monkeypatch.setattr(status_module.time, "sleep", sleep)
    result = run(world, "--watch", "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["state"], second["state"]) == ("ok", "unknown")
    *others, last = second["findings"]
    assert [each["subject"] for each in others] == [each["subject"] for each in first["findings"]]
    assert last["text"].startswith("could not be read again, what is wanted is of before: ")
    assert last["text"].endswith("no route to host")


def test_watch_and_drift_exclude_each_other() -> None:
    world = on_call()
    result = run(world, "--watch", "--drift")
    assert (result.exit_code, world.aws.asked) == (2, [])
    assert "Leave one of them out" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"),
     (172_799, "48 h"), (172_800, "2 days")],
)  # fmt: skip
def test_ages_are_in_units_that_tell_them_apart(seconds: int, text: str) -> None:
    assert age(seconds) == text


def test_a_report_with_nothing_wrong_and_something_unread_is_not_well() -> None:
    unread = Finding("a", "b", "unknown", "could not be read")
    report = Report("prod", "us-east-1", ACCOUNT, NOW, [unread])
    assert (report.state, report.exit_code) == ("unknown", 4)
    assert report.headline.endswith("1 not read: b")


def test_the_screen_does_not_wait_for_pulumis_aws_to_load() -> None:
    script = (
        "import sys; import langfuse_aws.automation.on_call.status; "
        "print(sum(each.startswith('pulumi_aws') for each in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n", "its 500 modules take seconds at night"
