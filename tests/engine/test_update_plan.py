"""`preview --save PLAN` and `up PLAN` with the real engine: that is deployed, and nothing else.

The first program is a small one, which shows what the engine records, refuses and says. The last
test is about ours: an update must keep to what its preview could tell.
"""

import fcntl
import json
import os
import pty
import re
import stat
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.events import ResourceEvent
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.stack import LangfuseStack

PROGRAM = """
from pathlib import Path

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
given = Path(__file__).with_name("given.txt").read_text()
aws.cloudwatch.LogGroup("first", retention_in_days=config.require_int("days"))
secret = aws.secretsmanager.Secret("secret")
aws.secretsmanager.SecretVersion(
    "version", secret_id=secret.id, secret_string=pulumi.Output.secret(f"hush-{given}")
)
aws.ecs.TaskDefinition(
    "task",
    family="t",
    container_definitions=pulumi.Output.json_dumps(
        [{"name": "web", "environment": [{"name": "A_PASSWORD", "value": f"hush-{given}"}]}]
    ),
)
"""


@pytest.fixture
def project(tmp_path: Path, engine_path: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", engine_path)
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    configure(tmp_path, 7)
    (tmp_path / "given.txt").write_text("1")
    return tmp_path


def configure(project: Path, days: int) -> None:
    text = f"config:\n  aws:region: us-east-1\n  small:days: {days}\n"
    (project / "Pulumi.dev.yaml").write_text(text)


@pytest.fixture
def run(project: Path) -> Callable[..., Result]:
    def run(command: str, *options: str) -> Result:
        given = ["--stack", "dev", "--dir", str(project), "--offline", *options]
        return CliRunner().invoke(app, [command, *given], catch_exceptions=False)

    return run


def in_terminal(project: Path, plan: Path, columns: int) -> list[str]:
    """What `up` of a plan shows to somebody who answers n."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    given = ["--stack", "dev", "--dir", str(project), "--offline", str(plan)]
    process = subprocess.Popen(
        [sys.executable, "-m", "automation", "up", *given],
        cwd=REPOSITORY,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(theirs)
    shown = b""
    while not shown.endswith(b"[y/N]: "):
        shown += os.read(ours, 4096)
    os.write(ours, b"n\n")
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # the terminal's other end is closed
        pass
    assert process.wait() == 1
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    return [line.rpartition("\r")[2] for line in plain.replace("\r\n", "\n").splitlines() if line]


def inputs(project: Path) -> dict[str, Any]:
    with LangfuseStack("dev", project=project, work_dir=project / ".state", offline=True) as stack:
        return {each.name: each.inputs for each in stack.deployed().resources}


@pytest.mark.running
def test_what_was_saved_is_deployed_and_nothing_else(
    project: Path, run: Callable[..., Result]
) -> None:
    plan = project / "change.plan"
    refused = run("preview", "--save", str(plan))
    assert refused.exit_code == 1
    assert "stack dev: is not up, and a plan is of a change to what is there" in refused.stderr
    assert not plan.exists()
    assert run("up", "--yes").exit_code == 0

    configure(project, 30)
    (project / "given.txt").write_text("2")
    shown = run("preview", "--save", str(plan))
    assert shown.exit_code == 0, shown.output
    expected = [
        "~ aws:cloudwatch:LogGroup first",
        "    retentionInDays: 7 → 30",
        "    containerDefinitions: web.environment.A_PASSWORD.value: [secret] → [secret] "
        "(replaces)",
        "    secretString: [secret] → [secret] (replaces)",
    ]
    assert [line for line in expected if line not in shown.stdout.splitlines()] == []
    assert "hush" not in shown.output
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    stored = json.loads(plan.read_text())
    (version,) = [each for urn, each in stored["resourcePlans"].items() if "SecretVersion" in urn]
    assert "ciphertext" in json.dumps(version)
    assert "hush" not in json.dumps([version, stored["langfuse"]])

    # In a terminal, somebody is asked, and says no.
    asked = in_terminal(project, plan, columns=60)
    assert asked[-2:] == ["Go on? [y/N]: n", "error: nothing was changed."]
    assert asked[-6:-2] == [
        "stack: dev",
        "region: us-east-1",
        "account: none: AWS is in memory",
        f"backend: {(project / '.state' / 'backend').as_uri()}",
    ]
    values = [line for line in asked if " → " in line]
    assert "      [secret] → [secret] (replaces)" in values, "below its long path"
    assert max(map(len, values)) <= 60

    # With other settings, of another program: before an engine starts.
    configure(project, 60)
    (project / "__main__.py").write_text(f"{PROGRAM}\n")
    changed = run("up", "--yes", str(plan))
    assert (changed.exit_code, changed.stdout) == (1, "")
    assert f"{plan}: the settings and the program changed since it was saved" in changed.stderr
    configure(project, 30)
    (project / "__main__.py").write_text(PROGRAM)

    # What only the engine can see: the plan's secret is another one by now.
    before = inputs(project)
    (project / "given.txt").write_text("3")
    held = run("up", "--yes", "--json", str(plan))
    assert held.exit_code == 1
    message = json.loads(held.stdout.splitlines()[-1])["message"]
    assert message.startswith(f"{plan}: no longer fits, and nothing was changed.\n")
    refusals = {
        "version (aws:secretsmanager/secretVersion:SecretVersion): properties changed "
        "(secretString)",
        "task (aws:ecs/taskDefinition:TaskDefinition): properties changed (containerDefinitions)",
    }
    assert refusals & {line.strip() for line in message.splitlines()}
    assert "hush" not in held.output, "the engine's own message has the secret"
    assert "violates" not in held.output
    assert inputs(project) == before

    (project / "given.txt").write_text("2")
    done = run("up", "--yes", str(plan))
    assert done.exit_code == 0, done.output
    assert inputs(project)["first"]["retentionInDays"] == 30


@pytest.mark.running
def test_an_update_of_the_program_keeps_to_its_plan(
    tmp_path: Path, engine_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", engine_path)

    def stack(**settings: Any) -> LangfuseStack:
        given = {"size": "prod", "domain": "langfuse.example.com", "aws:region": "us-east-1"}
        return LangfuseStack("prod", {**given, **settings}, work_dir=tmp_path, offline=True)

    with stack() as first:
        first.up()
    # New resources, replaced task definitions, a larger volume, another number of tasks.
    change = {
        "grafana": {"enabled": True},
        "clickhouse": {"volumeGib": 400},
        "worker": {"maxTasks": 9},
    }
    with stack(**change) as second:
        previewed = second.start_preview(tmp_path / "change.plan").result()
        assert {each.operation for each in previewed.steps} == {"create", "replace", "update"}
        operation = second.start_up(second.read_plan(tmp_path / "change.plan"))
        told = [each for each in operation if isinstance(each, ResourceEvent)]
        done = operation.result()
    assert done.changes == previewed.changes
    # What a display counts: each resource of the preview, and those of the check are not told.
    assert {each.urn for each in told} == {each.urn for each in previewed.touched}
    assert len({each.urn for each in told}) == sum(done.changes.values())
