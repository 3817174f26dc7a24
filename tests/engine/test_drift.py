"""The step of drift.yml, and `status --drift`: the real engine, an AWS that a hand has changed.

It proves what the step calls drift, and what the issue would show. That the real AWS provider tells
a hand's change from what AWS fills in by itself is not proven here.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi import automation as auto
from pulumi.runtime.proto import provider_pb2

from development import pulumi_cli
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.engine.operation import Command
from langfuse_aws.automation.engine.workspace import Workspace
from langfuse_aws.automation.on_call.drift import drift_reading
from langfuse_aws.automation.on_call.findings import Finding, read_all
from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from tests.workflow import GITHUB, steps

PROGRAM = """\
import pulumi_aws as aws

aws.cloudwatch.LogGroup("kept", retention_in_days=7)
aws.cloudwatch.LogGroup("shortened", retention_in_days=7)
aws.sns.Topic("removed")
"""


class TouchedAws(AwsProvider):
    """An AWS where, once `touched`, one log group is shortened and the topic is gone."""

    touched = False

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell what is there now."""
        if self.touched and request.urn.endswith("::removed"):
            return provider_pb2.ReadResponse()
        answer = super().Read(request, context)
        if self.touched and request.urn.endswith("::shortened"):
            for found in (answer.properties, answer.inputs):
                changed: Struct = found
                changed["retentionInDays"] = 3
        return answer


@dataclass(frozen=True)
class Checked:
    """What the step left."""

    drifted: str
    text: str


def check(folder: Path, environment: dict[str, str]) -> Checked:
    """Run the step as the workflow does."""
    (step,) = [
        each for each in steps(GITHUB / "workflows/drift.yml") if each.get("id") == "refresh"
    ]
    output = folder / "output"
    output.unlink(missing_ok=True)
    subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=folder,
        env={**environment, "STACK": "small", "GITHUB_OUTPUT": str(output)},
        capture_output=True,
        timeout=600,
        check=True,
    )
    return Checked(output.read_text().strip(), (folder / "drift.txt").read_text())


def found_by_status(folder: Path, environment: dict[str, str]) -> list[Finding]:
    """What `status --drift` finds."""
    workspace = Workspace(str(folder), env_vars=environment, pulumi_command=Command())
    stack = auto.Stack.select("small", workspace)
    deployed = Deployed("small", "drift-small", stack, lambda _: None, "us-east-1")
    return read_all([drift_reading(deployed)], 600)


@pytest.fixture
def aws() -> TouchedAws:
    return TouchedAws()


@pytest.fixture
def environment(aws: TouchedAws, tmp_path: Path) -> Iterator[dict[str, str]]:
    with providers(aws=aws) as found:
        yield {
            **os.environ,
            **found,
            "PATH": pulumi_cli.search_path(pulumi_cli.ensure()),
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": tmp_path.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "offline",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


def test_only_what_somebody_changed_in_aws_is_drift(
    aws: TouchedAws, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: drift\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    for command in (
        "stack init small",
        "config set aws:region us-east-1",
        "up --yes --skip-preview",
    ):
        subprocess.run(
            ["pulumi", *command.split(), "--non-interactive"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=True,
        )

    untouched = check(tmp_path, environment)
    assert untouched.drifted == "drifted=false"
    assert "unchanged" in untouched.text

    assert [each.state for each in found_by_status(tmp_path, environment)] == ["ok"]

    aws.touched = True
    found = found_by_status(tmp_path, environment)
    assert {(each.subject, each.state, each.text) for each in found} == {
        ("shortened", "wrong", "aws:cloudwatch/logGroup:LogGroup was changed by hand"),
        ("removed", "wrong", "aws:sns/topic:Topic was removed by hand"),
    }
    touched = check(tmp_path, environment)
    assert touched.drifted == "drifted=true"
    assert "~ retentionInDays: 7 => 3" in touched.text
    assert "- aws:sns/topic:Topic: (delete)" in touched.text
    assert "LogGroup::kept" not in touched.text
