"""The tasks that the documentation has an operator run: each reaches the command that it is for.

Every block of the documents with `aws ecs run-task` runs in bash, with the AWS CLI a stub, and what
it would send is held against botocore's model, the task definitions, and what the images'
entrypoints do before they run a command. It does not prove what the commands do in a container.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from langfuse_aws.components.environment import NO_MIGRATIONS
from tests.unit.development.test_docs import DOCUMENTS, FENCE, text_of
from tests.unit.stack_graph import shipped

STUB = """#!/bin/bash
printf '%s\\0' "$@" >> "$CALLS"
printf '\\0' >> "$CALLS"
case "$*" in
    *networkConfiguration*) echo '{"awsvpcConfiguration": {"subnets": ["subnet-1"]}}' ;;
    *) echo answer ;;
esac
"""

WEB_PROGRAMS = {"prisma", "node", "migrate", "echo", "sh"}
"""What web's image has. npm and npx are removed from it.
https://github.com/langfuse/langfuse/blob/v3.225.4/web/Dockerfile"""

SCHEMA = "--schema=./packages/shared/prisma/schema.prisma"
"""Where it is in web's image, from the folder in which a command runs."""


@dataclass(frozen=True)
class Run:
    """A task that a document has somebody run."""

    document: str
    arguments: Mapping[str, str]
    """The options of `aws ecs run-task`, without their dashes."""

    @property
    def migrates(self) -> bool:
        """Whether it runs what its definition says."""
        return "overrides" not in self.arguments

    @property
    def overrides(self) -> dict[str, Any]:
        """What differs from the task definition, for its only container."""
        (container,) = json.loads(self.arguments["overrides"])["containerOverrides"]
        return cast("dict[str, Any]", container)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that differ."""
        return {each["name"]: each["value"] for each in self.overrides.get("environment", [])}

    @property
    def program(self) -> str:
        """What runs."""
        return self.overrides["command"][0]


def calls_of(block: str, folder: Path) -> list[list[str]]:
    """Run a block in bash; gives each call of the AWS CLI."""
    stub, calls = folder / "aws", folder / "calls"
    stub.write_text(STUB)
    stub.chmod(0o755)
    calls.write_bytes(b"")
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "AWS_REGION": "eu-west-1",
            **{name: f"{name}-name" for name in ("cluster", "web", "worker", "log_group")},
        },
        check=True,
        capture_output=True,
    )
    found = calls.read_text().split("\0\0")[:-1]
    return [each.split("\0") for each in found]


def run_of(call: list[str], document: str, folder: Path) -> Run:
    options = dict(zip(call[2::2], call[3::2], strict=True))
    plain = {name.removeprefix("--"): value for name, value in options.items()}
    if plain.get("overrides", "").startswith("file://"):
        plain["overrides"] = (folder / plain["overrides"].removeprefix("file://")).read_text()
    return Run(document, plain)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Every task of every document."""
    found: list[Run] = []
    for document in DOCUMENTS:
        for _, block in FENCE.findall(text_of(document)):
            if "ecs run-task" in block:
                folder = tmp_path_factory.mktemp("run-task")
                found += [
                    run_of(call, document.name, folder)
                    for call in calls_of(block, folder)
                    if call[:2] == ["ecs", "run-task"]
                ]
    return found


@cache
def run_task_shape() -> Any:
    loader: Any = Loader()
    model: Any = ServiceModel(loader.load_service_model("ecs", "service-2"))
    return model.operation_model("RunTask").input_shape


def of_this_program(runs: list[Run]) -> list[Run]:
    """The commands in its tasks."""
    return [
        each
        for each in runs
        if each.arguments["task-definition"].startswith("langfuse-prod-") and not each.migrates
    ]


def test_the_documents_tell_how_to_run_a_command_and_how_to_resolve_a_migration(
    runs: list[Run],
) -> None:
    told = {(each.document, each.arguments["task-definition"]) for each in runs}
    assert told >= {
        ("operations.md", "langfuse-prod-web"),
        ("operations.md", "langfuse-prod-migration"),
        ("operations.md", "langfuse-prod-worker"),
        ("migrate-from-terraform.md", "clickhouse"),
    }


def test_no_command_is_told_without_the_call_that_runs_it() -> None:
    """A remedy such as `prisma migrate resolve` is worth nothing without its way into a task."""
    for document in DOCUMENTS:
        text = text_of(document)
        prose = FENCE.sub("", text)
        for said in re.findall(r"`(prisma [^`]+)`", prose):
            words = said.split()[:3]
            assert all(f'"{word}"' in text for word in words), f"{document.name}: {said}"


def test_ecs_accepts_every_task(runs: list[Run]) -> None:
    for each in runs:
        shape = run_task_shape()
        overrides: dict[str, Any] = (
            {} if each.migrates else {"overrides": json.loads(each.arguments["overrides"])}
        )
        if each.arguments["network-configuration"].startswith("{"):
            network = json.loads(each.arguments["network-configuration"])
            overrides["networkConfiguration"] = network
        request = {
            "cluster": each.arguments["cluster"],
            "taskDefinition": each.arguments["task-definition"],
            "launchType": each.arguments["launch-type"],
            **overrides,
        }
        validator: Any = ParamValidator()
        report = validator.validate(request, shape)
        assert not report.has_errors(), report.generate_report()
        known = {
            "cluster", "task-definition", "launch-type", "network-configuration", "overrides",
            "query", "output",
        }  # fmt: skip
        assert set(each.arguments) <= known


def test_every_override_is_of_the_definitions_container(runs: list[Run]) -> None:
    graph = shipped("prod")
    tasks = graph.of_type("aws:ecs/taskDefinition:TaskDefinition")
    definitions = {
        each.inputs["family"]: json.loads(each.inputs["containerDefinitions"]) for each in tasks
    }
    for each in of_this_program(runs):
        containers = definitions[each.arguments["task-definition"]]
        (container,) = [every for every in containers if every["essential"]]
        assert each.overrides["name"] == container["name"]


def test_webs_entrypoint_reaches_the_command_and_does_not_migrate_first(runs: list[Run]) -> None:
    """It migrates unless both variables are `true`, and ends where a migration fails.

    https://github.com/langfuse/langfuse/blob/v3.225.4/web/entrypoint.sh
    """
    graph = shipped("prod")
    checked = 0
    for each in of_this_program(runs):
        name = each.overrides["name"]
        if name == "worker":  # its entrypoint migrates nothing
            continue
        assert graph.container(name)["image"] == graph.container("web")["image"]
        variables = graph.environment(name) | each.environment
        assert NO_MIGRATIONS.items() <= variables.items(), f"{name}: {each.overrides['command']}"
        checked += 1
    assert checked >= 2


def test_every_program_is_in_its_image(runs: list[Run]) -> None:
    for each in of_this_program(runs):
        assert each.program in WEB_PROGRAMS
        if each.program == "prisma":
            assert SCHEMA in each.overrides["command"]
    (old,) = [each for each in runs if each not in of_this_program(runs) and not each.migrates]
    # ClickHouse's entrypoint starts a server when the first word is an option of one.
    # https://github.com/ClickHouse/ClickHouse/blob/v26.4.1.1-stable/docker/server/entrypoint.sh
    assert old.program == "bash"


def test_a_task_that_touches_the_database_enters_it_at_a_port_that_is_open(
    runs: list[Run],
) -> None:
    graph = shipped("prod")
    sources = {source for source, _, port in graph.open_ports() if port == 5432}
    operations = text_of(next(path for path in DOCUMENTS if path.name == "operations.md"))
    blocks = [block for _, block in FENCE.findall(operations) if "ecs run-task" in block]
    assert len(blocks) == len([each for each in runs if each.document == "operations.md"])
    for block in blocks:
        services = set(re.findall(r'--services "\$(\w+)"', block))
        assert services, "the network is a service's"
        assert {f"langfuse-prod-{each}" for each in services} <= sources


def test_a_migration_is_not_taken_for_done_by_the_end_of_the_task(runs: list[Run]) -> None:
    text = text_of(next(path for path in DOCUMENTS if path.name == "operations.md"))
    blocks = [block for _, block in FENCE.findall(text) if "langfuse-prod-migration" in block]
    assert len(blocks) == len([each for each in runs if "-migration" in str(each.arguments)])
    assert all("ecs wait tasks-stopped" in block for block in blocks)


def test_a_task_that_migrates_is_the_migrations_own(runs: list[Run]) -> None:
    graph = shipped("prod")
    (task,) = [each for each in runs if each.migrates]
    assert task.arguments["task-definition"] == "langfuse-prod-migration"
    assert not NO_MIGRATIONS.keys() & graph.environment("migration").keys()


def test_whoever_may_start_a_task_may_tag_it() -> None:
    """A command's tasks get the tags of their definition, for which ECS asks of ecs:TagResource.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
    """
    lines = [
        (document, line)
        for document in DOCUMENTS
        for line in text_of(document).splitlines()
        if "`ecs:RunTask`" in line
    ]
    lacking = {document for document, line in lines if "`ecs:TagResource`" not in line}
    assert (len(lines) >= 5, lacking) == (True, set())
