"""What the in-memory AWS refuses, as the real engine takes it.

It proves what only an engine shows: what fails in a preview, what is kept in the state after a
start that failed, and that deletions come after creations and updates. What is refused at all is
proven by tests/unit/test_rules.py, row by row.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers

PROGRAM = """\
import json, os
import pulumi, pulumi_aws as aws

wanted = json.loads(os.environ["WANTED"])
if "task" in wanted:
    aws.ecs.Service(
        "web",
        cluster="cluster",
        task_definition=wanted["task"],
        desired_count=wanted.get("tasks", 1),
        capacity_provider_strategies=[
            {"capacity_provider": wanted.get("provider", "FARGATE"), "weight": 1}
        ],
        force_new_deployment=wanted.get("force"),
    )
for name in wanted.get("routes", []):
    aws.ec2.Route(
        name, route_table_id="rtb-1", destination_cidr_block="0.0.0.0/0", gateway_id="igw-1"
    )
for name in wanted.get("boards", []):
    aws.cloudwatch.Dashboard(name, dashboard_name=name, dashboard_body="{}")
"""


@dataclass(frozen=True)
class Stack:
    """A stack of the small program."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **wanted: Any) -> subprocess.CompletedProcess[str]:
        """Run the CLI with what is wanted."""
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, "WANTED": json.dumps(wanted)},
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, **wanted: Any) -> subprocess.CompletedProcess[str]:
        """Update without a preview."""
        return self.run("up", "--yes", "--skip-preview", **wanted)

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the state has, by name."""
        found = json.loads(self.run("stack", "export").stdout)["deployment"]
        return {each["urn"].split("::")[-1]: each for each in found.get("resources", [])}


def stack(folder: Path, environment: dict[str, str]) -> Stack:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: refused\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "state").mkdir()
    places = {
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "offline",
    }
    made = Stack(folder, {**environment, **places})
    assert made.run("stack", "init", "dev").returncode == 0
    return made


@pytest.fixture(scope="module")
def aws() -> AwsProvider:
    return AwsProvider()


@pytest.fixture(scope="module")
def environment(aws: AwsProvider, engine_path: str) -> Iterator[dict[str, str]]:
    with providers({"PATH": engine_path}, aws) as found:
        yield found


@pytest.fixture
def one(tmp_path: Path, environment: dict[str, str]) -> Stack:
    return stack(tmp_path / "one", environment)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr


@pytest.mark.running
def test_a_service_that_never_started_stays_so_until_it_is_given_something_else(
    one: Stack, aws: AwsProvider
) -> None:
    aws.fails_to_start["web"] = "tasks failed to start"
    failed = one.up(task="first")
    assert failed.returncode != 0
    assert "tasks failed to start" in said(failed)
    assert one.resources()["web"]["initErrors"] == ["tasks failed to start"]
    aws.fails_to_start.clear()
    again = one.up(task="first")
    assert again.returncode == 0, "the provider sees no difference and sends nothing"
    assert "initErrors" not in one.resources()["web"]
    assert aws.runs("web") is None, "no task runs all the same"
    assert one.up(task="second").returncode == 0
    assert aws.runs("web") == "second"


@pytest.mark.running
def test_another_capacity_provider_needs_a_new_deployment_already_in_the_preview(
    one: Stack,
) -> None:
    assert one.up(task="first").returncode == 0
    refused = one.run("preview", task="first", provider="FARGATE_SPOT")
    assert refused.returncode != 0
    assert "force_new_deployment should be true" in said(refused)
    done = one.up(task="first", provider="FARGATE_SPOT", force=True)
    assert done.returncode == 0, said(done)


@pytest.mark.running
def test_a_resource_that_left_the_program_is_there_until_the_end_of_the_update(
    one: Stack,
) -> None:
    assert one.up(routes=["before"]).returncode == 0
    assert one.run("preview", routes=["after"]).returncode == 0, "AWS is not asked"
    refused = one.up(routes=["after"])
    assert refused.returncode != 0
    assert "RouteAlreadyExists" in said(refused)
    assert one.up().returncode == 0
    assert one.up(routes=["after"]).returncode == 0


@pytest.mark.running
def test_stacks_meet_in_one_account_only_if_they_share_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    for name in ("two", "three"):
        assert stack(tmp_path / name, environment).up(boards=["same"]).returncode == 0
    with providers({"PATH": environment["PATH"]}, AwsProvider(shared=True)) as shared:
        assert stack(tmp_path / "four", shared).up(boards=["same"]).returncode == 0
        refused = stack(tmp_path / "five", shared).up(boards=["same"])
    assert refused.returncode != 0
    assert "PutDashboard would overwrite it" in said(refused)
