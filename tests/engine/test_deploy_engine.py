"""The command line in processes of its own, as tools and terminals run it, with the real engine.

It proves that one command finds what an earlier one left, that standard output is NDJSON and
nothing else, and that Ctrl-C leaves a stack with which the next command goes on. The program is a
small one: what the engine makes of the real one is shown elsewhere.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.engine.folders import REPOSITORY

PROGRAM = """
import time
from pathlib import Path

import pulumi
import pulumi_aws as aws

group = aws.cloudwatch.LogGroup("group")
pulumi.export("name", group.name)
if not (Path(__file__).parent / "quick").exists():
    group.name.apply(lambda _name: time.sleep(60))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  aws:region: us-east-1\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return tmp_path


def start(project: Path, engine_path: str, command: str, *options: str) -> "subprocess.Popen[str]":
    arguments = ["--stack", "dev", "--dir", str(project), "--offline", "--json", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "automation", command, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": engine_path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.running
def test_what_ctrl_c_ended_the_next_command_goes_on_with(project: Path, engine_path: str) -> None:
    def run(command: str, *options: str) -> list[dict[str, Any]]:
        process = start(project, engine_path, command, *options)
        told, complaints = process.communicate(timeout=600)
        assert (process.returncode, complaints) == (0, ""), told
        return [json.loads(line) for line in told.splitlines()]

    process = start(project, engine_path, "up", "--yes")
    assert process.stdout
    events: list[dict[str, Any]] = []
    for line in process.stdout:
        events.append(json.loads(line))
        if (events[-1].get("name"), events[-1].get("state")) == ("group", "done"):
            process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert events[-1] == {
        "event": "error",
        "message": "up of stack dev: cancelled; run it again to go on from here.",
    }

    (project / "quick").touch()
    *events, result = run("up", "--yes")
    assert [each["operation"] for each in events if each.get("name") == "group"] == ["same"] * 2
    assert result["changes"] == {"same": 2}
    assert list(result["outputs"]) == ["name"]
    assert run("outputs") == [{"event": "result", "outputs": result["outputs"]}]
    *events, last = run("destroy", "--yes", "--remove")
    assert [each["event"] for each in events].count("summary") == 1
    assert last["changes"] == {"delete": 2}
