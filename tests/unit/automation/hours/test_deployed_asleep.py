"""`outputs` and `destroy` of a stack that is asleep. The engine is a script, AWS too, or moto."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import NoCredentialsError

from langfuse_aws.automation.cli import deploy
from langfuse_aws.automation.hours import performing
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.graph.model import Resource, ResourceGraph
from tests.unit.automation.cli.test_deploy import OUTPUTS, FakeLangfuseStack, run
from tests.unit.automation.hours.stack_that_sleeps import (
    ASLEEP,
    at_the_time,
    schedules_of_web,
    target_with,
)
from tests.unit.automation.restore.test_restore import Answer, Aws, AwsError, always, resource

LINES = ['log_group_names: ["web", "worker"]', "url: https://langfuse.example.com"]
SAID = (
    "stack dev is asleep (langfuse:hours) until Tuesday 1 December, 08:00 Europe/Berlin. To wake "
    "it now: python3 -m automation resume --stack dev."
)
CLUSTER = "langfuse-dev-postgres-1a2b3c"


class SleepingStack(FakeLangfuseStack):
    """A stack of `hours`, whose AWS is a script."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "dev"
        self.sleeps = True
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Answer | list[Answer]] = {"DescribeScalableTargets": ASLEEP}
        self.graph = graph(*schedules_of_web("dev"))

    def clients(self) -> Any:
        """Give clients of its AWS."""
        return Aws(self.answers, self.log).client


def graph(*entries: dict[str, Any]) -> ResourceGraph:
    """A state."""
    return ResourceGraph(tuple(Resource.of(each) for each in entries))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Generator[SleepingStack]:
    """Open it at noon of Monday 30 November, at once."""
    fake = SleepingStack()
    monkeypatch.setattr(deploy, "LangfuseStack", fake.open)
    monkeypatch.setattr(performing.time, "sleep", always(None))
    with at_the_time("2026-11-30T12:00"):
        yield fake


def test_outputs_say_that_a_stack_is_asleep(stack: SleepingStack) -> None:
    shown = run("outputs")
    assert (shown.exit_code, shown.stdout.splitlines()) == (0, LINES)
    assert shown.stderr == f"{SAID}\n", "not among what a pipe reads"
    assert json.loads(run("outputs", "--json").stdout) == {
        "event": "result",
        "outputs": OUTPUTS,
        "asleep": {"until": "2026-12-01T08:00:00+01:00", "timezone": "Europe/Berlin"},
    }
    assert [name for name, _ in stack.log] == ["DescribeScalableTargets"] * 2


def no_credentials(_: object) -> dict[str, Any]:
    """Nobody asks AWS without."""
    raise NoCredentialsError


@pytest.mark.parametrize(
    "answer",
    [target_with(1), AwsError("AccessDeniedException"), no_credentials],
    ids=["awake", "denied", "no credentials"],
)
def test_outputs_are_as_before_if_it_is_awake_or_nobody_says(
    stack: SleepingStack, answer: Answer
) -> None:
    stack.answers["DescribeScalableTargets"] = answer
    shown = run("outputs")
    assert (shown.exit_code, shown.stdout.splitlines(), shown.stderr) == (0, LINES, "")
    assert json.loads(run("outputs", "--json").stdout) == {"event": "result", "outputs": OUTPUTS}


@pytest.mark.parametrize(("sleeps", "offline"), [(False, ()), (True, ("--offline",))])
def test_outputs_ask_nobody_without_hours_and_offline(
    stack: SleepingStack, sleeps: bool, offline: tuple[str, ...]
) -> None:
    stack.sleeps = sleeps
    assert run("outputs", *offline).stdout.splitlines() == LINES
    assert stack.log == []


@pytest.mark.parametrize(
    ("settings", "sleeps"),
    [
        ({}, False),
        ({"hours": {"from": "08:00", "to": "19:00", "timezone": "Etc/UTC"}}, True),
    ],
)
def test_the_library_tells_whether_a_stack_ever_sleeps(
    settings: dict[str, Any], sleeps: bool
) -> None:
    given = {"size": "dev", "aws:region": "eu-west-1", **settings}
    with LangfuseStack("dev", given, environment={"PULUMI_CONFIG_PASSPHRASE": "x"}) as found:
        assert found.sleeps is sleeps
        assert found.clients()("rds").meta.region_name == "eu-west-1"


# --- destroy


def statuses(*found: str) -> list[Answer]:
    """What RDS calls the cluster, one look after the other."""
    return [{"DBClusters": [{"Status": each}]} for each in found]


def aurora(**more: Any) -> dict[str, Any]:
    """The cluster."""
    outputs = {"clusterIdentifier": CLUSTER}
    return resource("aws:rds/cluster:Cluster", "langfuse-dev-postgres", outputs=outputs, **more)


@pytest.mark.parametrize(
    ("found", "starts"),
    [
        (("stopped", "stopped", "starting", "available"), ["StartDBCluster"]),
        (("stopping", "stopping", "stopped", "starting", "available"), ["StartDBCluster"]),
        (("starting", "starting", "available"), []),
    ],
    ids=["stopped", "stopping", "starting"],
)
def test_a_cluster_that_is_stopped_is_started_before_it_is_destroyed(
    stack: SleepingStack, found: tuple[str, ...], starts: list[str]
) -> None:
    stack.graph = graph(aurora())
    stack.answers = {
        "DescribeDBClusters": statuses(*found),
        "DescribeDBInstances": {"DBInstances": [{"DBInstanceStatus": "available"}]},
        "StartDBCluster": {},
    }
    shown = run("destroy", "--yes")
    assert shown.exit_code == 0, shown.output
    assert (
        f"{CLUSTER} is {found[0]}: AWS deletes an Aurora cluster only while it is available, so it "
        "is started first, which takes some minutes."
    ) in shown.stdout.splitlines()
    assert [name for name, _ in stack.log if name.startswith("Start")] == starts
    assert stack.begun == ["destroy, remove=False", "closed"]


def test_a_cluster_that_does_not_start_is_said_and_nothing_is_destroyed(
    stack: SleepingStack,
) -> None:
    stack.graph = graph(aurora())
    stack.answers = {
        "DescribeDBClusters": statuses("stopped", "inaccessible-encryption-credentials")
    }
    shown = run("destroy", "--yes")
    assert (shown.exit_code, stack.begun) == (1, ["closed"])
    assert shown.stderr.startswith(f"error: postgres: RDS calls {CLUSTER} inaccessible-encryption")


@pytest.mark.parametrize(
    ("entries", "answers"),
    [
        ([aurora()], {"DescribeDBClusters": statuses("available")}),
        ([aurora()], {"DescribeDBClusters": AwsError("AccessDenied")}),
        ([aurora()], {"DescribeDBClusters": AwsError("DBClusterNotFoundFault")}),
        ([aurora(retainOnDelete=True)], {}),
        ([resource("aws:rds/instance:Instance", "langfuse-dev-postgres")], {}),
    ],
    ids=["available", "denied", "gone", "kept", "instance"],
)
def test_nothing_is_started_that_aws_deletes_as_it_is(
    stack: SleepingStack, entries: list[dict[str, Any]], answers: dict[str, Any]
) -> None:
    stack.graph = graph(*entries)
    stack.answers = answers
    shown = run("destroy", "--yes")
    assert (shown.exit_code, stack.begun) == (0, ["destroy, remove=False", "closed"]), shown.output
    assert "started first" not in shown.stdout


def test_offline_nobody_asks_aws_before_a_destroy(stack: SleepingStack) -> None:
    stack.graph = graph(aurora())
    stack.answers = {}
    assert run("destroy", "--yes", "--offline").exit_code == 0
    assert stack.log == []


@pytest.mark.parametrize(
    ("offline", "said"),
    [(False, ["DescribeDBClusters", "StartDBCluster"]), (True, [])],
    ids=["in AWS", "in memory"],
)
def test_the_library_starts_it_too(
    stack: SleepingStack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    offline: bool,
    said: list[str],
) -> None:
    stack.answers = {
        "DescribeDBClusters": statuses("stopped", "stopped", "available"),
        "DescribeDBInstances": {"DBInstances": [{"DBInstanceStatus": "available"}]},
        "StartDBCluster": {},
    }
    library = LangfuseStack("dev", {"size": "dev"}, work_dir=tmp_path, offline=offline)
    engine, begun, measured = Mock(), Mock(), Mock()

    def destroyed(**_: object) -> None:
        stack.log.append(("destroyed", {}))

    engine.destroy.side_effect = destroyed
    monkeypatch.setattr(library, "_existing", always(engine))
    monkeypatch.setattr(library, "deployed", always(graph(aurora())))
    monkeypatch.setattr(library, "clients", stack.clients)
    monkeypatch.setattr(library, "_measured", measured)
    monkeypatch.setattr(library, "_start", begun)
    library.start_destroy()
    work: Callable[[Any, Any], None] = measured.call_args.args[0]
    work(None, None)
    asked = list(dict.fromkeys(name for name, _ in stack.log))
    assert [name for name in asked if name != "DescribeDBInstances"] == [*said, "destroyed"]
