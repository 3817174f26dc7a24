"""The policy pack in the real engine, over the in-memory providers.

It proves that the engine takes the pack, that it sees the settings and whole stacks, and that a
violation stops a preview. A script starts the pack, with the arguments and the environment that
Pulumi's own language host gives it: the host of a CLI that was built from source cannot start one.
What each rule says is the business of the unit tests.
"""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.deployment import Deployment

ROOT = Path(__file__).parents[2]

CARELESS_PROGRAM = f"""
import runpy, sys

sys.path.insert(0, {str(ROOT)!r})
runpy.run_path({str(ROOT / "__main__.py")!r}, run_name="__main__")

import pulumi_aws as aws

aws.s3.Bucket("open")
aws.cloudwatch.LogGroup("endless")
"""
"""The program with a bucket and a log group that somebody added in haste."""

VIOLATION = re.compile(r"- \[(\w+)\]\s+([\w-]+)\s+\(([\w:]+): ([\w-]+)\)")


@pytest.fixture
def pack(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pack as a folder that every CLI can start: by a script on PATH."""
    del environment
    folder, scripts = tmp_path / "pack", tmp_path / "scripts"
    folder.mkdir()
    scripts.mkdir()
    project = yaml.safe_load((ROOT / "policy/PulumiPolicy.yaml").read_text(encoding="utf-8"))
    (folder / "PulumiPolicy.yaml").write_text(yaml.safe_dump({**project, "runtime": "script"}))
    script = scripts / "pulumi-analyzer-policy-script"
    command = f'exec {sys.executable} -u -m pulumi.policy "$1" {ROOT}/policy'
    script.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(scripts), prepend=":")
    return folder


@pytest.mark.running
def test_a_shipped_stack_passes_and_a_careless_addition_is_refused_in_the_preview(
    environment: dict[str, str], tmp_path: Path, pack: Path
) -> None:
    deployment = Deployment.of("dev", tmp_path, environment)
    passed = deployment.up("--policy-pack", str(pack)).stdout
    assert "✅ langfuse-aws@v0.1.0" in passed
    assert VIOLATION.findall(passed) == []

    careless, levels = tmp_path / "careless", tmp_path / "levels.json"
    careless.mkdir()
    (careless / "__main__.py").write_text(CARELESS_PROGRAM, encoding="utf-8")
    project = deployment.stack.folder / "Pulumi.yaml"
    changed = {**yaml.safe_load(project.read_text(encoding="utf-8")), "main": str(careless)}
    project.write_text(yaml.safe_dump(changed), encoding="utf-8")
    levels.write_text(json.dumps({"bucket-encrypted": "disabled", "log-retention": "advisory"}))
    refused = deployment.run(
        *("preview", "--stack", "dev", "--policy-pack", str(pack)),
        *("--policy-pack-config", str(levels)),
        check=False,
    )
    assert refused.returncode != 0
    assert set(VIOLATION.findall(refused.stdout)) == {
        ("advisory", "log-retention", "aws:cloudwatch:LogGroup", "endless"),
        ("mandatory", "bucket-blocks-public-access", "aws:s3:Bucket", "open"),
        ("mandatory", "bucket-refuses-plain-http", "aws:s3:Bucket", "open"),
    }
    assert "the bucket has no public access block. Give the bucket a" in refused.stdout
    assert "❌ langfuse-aws@v0.1.0" in refused.stdout
