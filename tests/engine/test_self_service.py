"""The story of a platform tool: it makes, resizes and removes a Langfuse, on the library alone.

The engine is real, and its providers are this process's own. It proves what the tool hands out and
logs, and what the engine made of a request. That AWS does the same is not tried here.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.self_service import LICENCE, Request, app
from langfuse_aws.automation.stack import LangfuseStack, NoStackError

HUSH = "licence-4711"
VOLUME = "aws:ebs/volume:Volume"
TARGET = "aws:appautoscaling/target:Target"
OWNER = "ada@example.com"


@pytest.fixture(autouse=True)
def surroundings(engine_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", engine_path)
    monkeypatch.setenv(LICENCE, HUSH)


def ask(teams: Path, *arguments: str, refused: bool = False) -> str:
    """Use the tool; gives what it prints."""
    command = [*arguments, "--teams", str(teams), "--offline"]
    found = CliRunner().invoke(app, command, catch_exceptions=False)
    assert found.exit_code == int(refused), found.output
    return found.stderr if refused else found.stdout


def changed(logged: list[str]) -> set[tuple[str, str]]:
    """Operations and types of what the log says was changed."""
    lines = [line.split() for line in logged if line.startswith("done ")]
    return {(operation, token) for _, operation, token, _ in lines}


@pytest.mark.running
def test_a_team_gets_a_langfuse_has_it_resized_and_gives_it_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "self_service")
    handed_out: dict[str, Any] = json.loads(ask(tmp_path, "create", "team-a", "--owner", OWNER))
    created, logged = changed(caplog.messages), caplog.text

    request = Request(owner=OWNER, size="dev", region="eu-west-1")
    settings = request.settings("team-a")
    with LangfuseStack("team-a", settings, work_dir=tmp_path / "team-a", offline=True) as stack:
        deployed = stack.deployed()
        outputs = stack.outputs()
    assert {("create", each.type) for each in deployed.resources} <= created
    assert handed_out == {name: outputs[name] for name in handed_out}
    assert list(handed_out) == ["url", "public_key", "secret_key_secret_arn"]
    assert ".eu-west-1." in handed_out["url"]
    (volume,) = deployed.of_type(VOLUME)
    assert volume.inputs["size"] == 20
    tags = volume.inputs["tagsAll"]
    assert (tags["Team"], tags["Owner"]) == ("team-a", OWNER)

    assert ask(tmp_path, "create", "team-a", "--owner", OWNER, refused=True) == (
        "error: team-a: has a Langfuse already. Resize it, or remove it first.\n"
    )
    caplog.clear()
    resize = ("resize", "team-a", "--clickhouse-gib", "50", "--worker-tasks", "4")
    assert json.loads(ask(tmp_path, *resize)) == handed_out, "what the team was told stays true"
    assert changed(caplog.messages) == {
        ("update", VOLUME),
        ("update", TARGET),
        ("update", "pulumi:index:Stash"),
    }, "and the guard remembers the size"
    asked_for = json.loads((tmp_path / "team-a/request.json").read_text())
    assert asked_for == {
        "owner": OWNER,
        "size": "dev",
        "region": "eu-west-1",
        "clickhouse_gib": 50,
        "worker_tasks": 4,
    }
    resized = Request(**asked_for).settings("team-a")
    with LangfuseStack("team-a", resized, work_dir=tmp_path / "team-a", offline=True) as stack:
        after = stack.deployed()
    assert [each.inputs["size"] for each in after.of_type(VOLUME)] == [50]
    assert sorted(each.inputs["maxCapacity"] for each in after.of_type(TARGET)) == [1, 4]
    assert {each.urn for each in after.resources} == {each.urn for each in deployed.resources}

    caplog.clear()
    ask(tmp_path, "remove", "team-a", "--yes")
    assert {("delete", each.type) for each in after.resources} <= changed(caplog.messages)
    assert not (tmp_path / "team-a").exists()
    with (
        LangfuseStack("team-a", settings, work_dir=tmp_path / "b", offline=True) as stack,
        pytest.raises(NoStackError),
    ):
        stack.outputs()
    assert HUSH not in logged + caplog.text


def test_a_request_that_cannot_be_met_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        return ask(tmp_path, *arguments, refused=True)

    said = refused("create", "team-b", "--owner", "nobody", "--size", "prod")
    lines = said.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: stack team-b: langfuse:") for line in lines)
    assert "langfuse:bootstrap.userEmail" in said
    assert "langfuse:ingress.kind" in said
    assert not (tmp_path / "team-b/request.json").exists()
    assert refused("resize", "team-b") == "error: team-b: has no Langfuse. Create it first.\n"
    assert refused("remove", "../team-b").startswith("error: ../team-b: is no team's name: 1 to 31")
