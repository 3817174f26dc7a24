"""Each check that has something replaced: what it asks, when, and how it is written.

It proves what is registered, and that a shell hands the address over whole. What Langfuse's answers
mean is read off its source (worker/src/features/health); no container runs here.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from langfuse_aws.components import environment
from langfuse_aws.components.runtime.task import HealthCheck
from langfuse_aws.contract import ports_and_health, start_and_stop
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.unit.components.test_environment import CREDENTIALS, ENDPOINTS
from tests.unit.stack_graph import Graph, build, shipped, varied

WORKER: Final = "http://127.0.0.1:3030/api/health"
QUEUES: Final = "failIfQueueConsumptionStuck=true"
TABLES: Final = "failIfEventPropagationStuck=true"
QUEUES_VARIABLE: Final = "LANGFUSE_QUEUE_CONSUMPTION_STUCK_THRESHOLD_MINUTES"
TABLES_VARIABLE: Final = "LANGFUSE_EVENT_PROPAGATION_STUCK_THRESHOLD_MINUTES"
SIZES: Final = ("dev", "staging", "prod")
OLDEST: Final = "3.125.0"
SERVICE: Final = "aws:ecs/service:Service"
TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"

CHECKED: Final = {
    "web": "http://127.0.0.1:3000/api/public/health",
    "clickhouse": "http://127.0.0.1:8123/ping",
    "grafana": "http://127.0.0.1:3000/grafana/api/health",
}
"""Beside the worker's, which its release decides: docs/reliability.md says what each one sees."""
CHECKED_PATHS: Final = [urlsplit(url).path for url in CHECKED.values()]


def stack(release: str, mode: str) -> Graph:
    return build("dev", {"size": "dev", "release": release, "v4": {"writeMode": mode}})


def asked(check: list[str], folder: Path, answer: int = 0) -> tuple[str, int]:
    """Run a health check as ECS does; returns the address `wget` was given, and the exit code."""
    stub = folder / "wget"
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/given"\nexit {answer}\n')
    stub.chmod(0o755)
    kind, command = check
    assert kind == "CMD-SHELL"
    path = {"PATH": f"{folder}:{os.defpath}"}
    done = subprocess.run(["/bin/sh", "-c", command], env=path, check=False, timeout=30)
    return (folder / "given").read_text().splitlines()[-1], done.returncode


@pytest.mark.parametrize(
    ("release", "mode", "query"),
    [
        (LANGFUSE, "events_only", f"?{QUEUES}&{TABLES}"),
        (LANGFUSE, "dual", f"?{QUEUES}&{TABLES}"),
        (LANGFUSE, "legacy", f"?{QUEUES}"),
        (LANGFUSE_3, "dual", f"?{TABLES}"),
        (LANGFUSE_3, None, ""),
        (OLDEST, "dual", ""),
    ],
)
def test_the_workers_health_asks_for_work_done_as_far_as_its_release_can_say(
    release: str, mode: str | None, query: str, tmp_path: Path
) -> None:
    """The shell gets it whole: an `&` without quotes ends the command, which then succeeds."""
    v4 = {} if mode is None else {"v4": {"writeMode": mode}}
    settings = load({"size": "dev", "release": release, **v4})
    path = ports_and_health.worker_health_path(settings.version, settings.write_mode)
    command = ports_and_health.health_command(ports_and_health.WORKER_PORT, path)
    for answer, code in ((0, 0), (1, 1), (8, 1)):
        assert asked(command, tmp_path, answer) == (WORKER + query, code)


@pytest.mark.parametrize("release", [LANGFUSE_3, LANGFUSE])
def test_the_workers_task_is_asked_that(release: str, tmp_path: Path) -> None:
    graph = stack(release, mode="dual")
    query = f"?{QUEUES}&{TABLES}" if release == LANGFUSE else f"?{TABLES}"
    command = graph.container("worker")["healthCheck"]["command"]
    assert asked(command, tmp_path) == (WORKER + query, 0)


@pytest.mark.parametrize(
    ("release", "first"),
    [("3.203.1", False), ("3.203.2", True), ("4.0.0", True)],
)
def test_the_check_of_the_new_tables_is_asked_for_from_its_first_release_on(
    release: str, first: bool
) -> None:
    version = load({"size": "dev", "release": release}).version
    assert (TABLES in ports_and_health.worker_health_path(version, "dual")) is first


def variables(release: str, **keys: Any) -> Mapping[str, str]:
    settings = load({"size": "dev", "release": release, **keys})
    return environment.worker(settings, ENDPOINTS, CREDENTIALS).plain


def test_the_thresholds_are_settings_that_reach_the_worker_which_asks_for_them() -> None:
    keys = {"queueConsumptionStuckMinutes": 240, "eventPropagationStuckMinutes": 30}
    told = variables(LANGFUSE, worker=keys)
    assert (told[QUEUES_VARIABLE], told[TABLES_VARIABLE]) == ("240", "30")
    told = variables(LANGFUSE, v4={"writeMode": "dual"})
    assert (told[QUEUES_VARIABLE], told[TABLES_VARIABLE]) == ("60", "15"), "Langfuse's own"
    assert QUEUES_VARIABLE not in variables(LANGFUSE_3)
    assert TABLES_VARIABLE not in variables(LANGFUSE, v4={"writeMode": "legacy"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("queueConsumptionStuckMinutes", 29),
        ("queueConsumptionStuckMinutes", 1441),
        ("eventPropagationStuckMinutes", 10),
        ("eventPropagationStuckMinutes", 1441),
    ],
)
def test_a_threshold_below_what_idle_workers_do_or_beyond_a_day_is_refused(
    key: str, value: int
) -> None:
    with pytest.raises(SettingsError, match=rf"langfuse:worker\.{key}: {value}"):
        load({"size": "dev", "worker": {key: value}})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (QUEUES_VARIABLE, "queueConsumptionStuckMinutes"),
        (TABLES_VARIABLE, "eventPropagationStuckMinutes"),
    ],
)
@pytest.mark.parametrize("where", ["worker.environment", "secretEnvironment"])
def test_a_threshold_is_not_set_behind_the_settings_back(name: str, key: str, where: str) -> None:
    own = {name: "5"}
    given: dict[str, Any] = (
        {"worker": {"environment": own}}
        if where == "worker.environment"
        else {"secretEnvironment": json.dumps(own)}
    )
    with pytest.raises(SettingsError, match=rf"Use langfuse:worker\.{key}\. Remove it\."):
        load({"size": "dev", "release": LANGFUSE, **given})


def test_every_container_of_a_service_is_asked_what_the_documents_say() -> None:
    """A service of another container needs a row here and in docs/reliability.md."""
    seen: set[str] = set()
    for graph in (*map(shipped, SIZES), varied()):
        families = {each.name for each in graph.of_type(TASK) if each.name in _services(graph)}
        for task in graph.of_type(TASK):
            for definition in json.loads(task.inputs["containerDefinitions"]):
                name = definition["name"]
                if task.name not in families or not definition["essential"]:
                    assert "healthCheck" not in definition, "it ends by itself, or may end"
                    continue
                seen.add(name)
                url = definition["healthCheck"]["command"][1].split()[4].strip("'")
                assert url == CHECKED.get(name, url), name
                assert url.startswith(WORKER) or name in CHECKED
    assert seen == {*CHECKED, "worker"}


def _services(graph: Graph) -> set[str]:
    return {each.name for each in graph.of_type(SERVICE)}


def test_what_has_web_replaced_from_outside_asks_what_its_container_is_asked() -> None:
    """A web whose start has failed answers 500 there too; a database's failover changes nothing."""
    outside: list[str] = []
    for graph in (*map(shipped, SIZES), varied()):
        outside += [
            each.inputs["healthCheck"]["path"]
            for each in graph.of_type("aws:lb/targetGroup:TargetGroup")
        ]
    assert set(outside) == {"/api/public/health"}, "App Runner's is in test_app_runner.py"
    page = (Path(__file__).parents[3] / "docs/reliability.md").read_text(encoding="utf-8")
    for path in (*CHECKED_PATHS, QUEUES.partition("=")[0], TABLES.partition("=")[0]):
        assert path in page


@pytest.mark.parametrize(
    ("cpu", "web", "worker"),
    [
        (4096, 42, 86),
        (2048, 42, 86),
        (1024, 84, 172),
        (512, 168, 300),
        (256, 300, 300),
    ],
)
def test_a_start_has_twice_what_it_was_seen_to_take_and_more_on_less_cpu(
    cpu: int, web: int, worker: int
) -> None:
    slowest = {
        "web": start_and_stop.WEB_START_SECONDS,
        "worker": start_and_stop.WORKER_START_SECONDS,
    }
    periods = {name: start_and_stop.start_seconds(seen, cpu) for name, seen in slowest.items()}
    assert periods == {"web": web, "worker": worker}
    for name, seen in slowest.items():
        check = HealthCheck(["CMD", "true"], start_period=periods[name])
        assert check.patience >= seen * 2048 / min(cpu, 2048), f"{name} would never come up"


@pytest.mark.parametrize("size", SIZES)
def test_web_and_worker_have_the_start_of_their_cpu(size: str) -> None:
    graph = shipped(size)
    for name, seen in (
        ("web", start_and_stop.WEB_START_SECONDS),
        ("worker", start_and_stop.WORKER_START_SECONDS),
    ):
        cpu = int(graph.one(TASK, f"langfuse-{size}-{name}").inputs["cpu"])
        check = graph.container(name)["healthCheck"]
        assert check["startPeriod"] == start_and_stop.start_seconds(seen, cpu), name


def test_the_load_balancer_gives_web_its_start_and_no_more() -> None:
    graph = shipped("prod")
    grace = graph.one(SERVICE, "langfuse-prod-web").inputs["healthCheckGracePeriodSeconds"]
    check = graph.one("aws:lb/targetGroup:TargetGroup", "langfuse-prod").inputs["healthCheck"]
    start = graph.container("web")["healthCheck"]["startPeriod"]
    assert start < 60, "one that started without PostgreSQL answers 500 until it is replaced"
    assert grace == start + check["interval"] * check["healthyThreshold"]
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
    assert check["healthyThreshold"] == 2, "the least that AWS takes: every more delays each deploy"
    away = check["interval"] * check["unhealthyThreshold"]
    assert check["timeout"] * 2 <= away <= 60, "a task that hangs has its share of requests so long"


def test_web_has_its_drain_to_stop_and_the_worker_what_a_job_of_ingestion_needs() -> None:
    for graph in (*map(shipped, SIZES), varied()):
        seconds = {name: graph.container(name)["stopTimeout"] for name in ("web", "worker")}
        assert seconds["web"] == 120 > start_and_stop.WEB_DRAIN_SECONDS
        assert seconds["worker"] == 2 * 30, (
            "it never exits by itself: each stop takes all of it; ClickHouse is asked and written "
            "to once, 30 s each at the most"
        )
