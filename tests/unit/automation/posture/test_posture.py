"""`posture`, with a stand-in for checkov that finds what a test says.

Proves what is printed and with which exit code, for the resources of a stack's state. What checkov
itself finds in the plan that it is given is not tried here.
"""

import json
import stat
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.command_line import app
from langfuse_aws.automation.posture import command
from langfuse_aws.policy.accepted import accepted
from langfuse_aws.policy.rules import RULES
from tests.unit.stack_graph import shipped
from tests.unit.state import as_state, shipped_tags

ACCEPTED: Final = "CKV_AWS_158"
OTHER: Final = "CKV_AWS_1"
GROUP: Final = "aws_cloudwatch_log_group"
STAND_IN: Final = """#!{python}
import json, sys
file = next(each.split("=")[1] for each in sys.argv if each.startswith("--file="))
plan = json.load(open(file))
found = [each["address"] for each in plan["resource_changes"] if each["type"] == {kind!r}]
failed = [
    {{"check_id": rule, "check_name": f"what {{rule}} asks", "resource": each}}
    for rule in {rules!r}
    for each in found
]
print(json.dumps({{
    "results": {{"failed_checks": failed}},
    "summary": {{"checkov_version": "3.3.30", "passed": 7}},
}}))
"""


@pytest.fixture(autouse=True)
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have the graph without an engine, and no checkov."""
    graph = as_state(shipped("dev"), shipped_tags("dev"))
    monkeypatch.setattr(command, "_resources", lambda *_, **__: graph)  # pyright: ignore
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


def put(folder: Path, script: str) -> None:
    program = folder / "checkov"
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def checkov(folder: Path, *rules: str) -> None:
    put(folder, STAND_IN.format(python=sys.executable, kind=GROUP, rules=rules))


def posture(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["posture", "--stack", "dev", *arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


def test_what_is_accepted_is_told_with_its_reason(tmp_path: Path) -> None:
    checkov(tmp_path, ACCEPTED)
    result = posture()
    assert (result.exit_code, result.stderr) == (0, "")
    assert accepted()[ACCEPTED] in " ".join(result.stdout.split())
    groups = shipped("dev").of_type("aws:cloudwatch/logGroup:LogGroup")
    assert f"{len(groups)}: " in result.stdout
    assert f"checkov 3.3.30: 7 checks passed, {len(groups)} failed" in result.stdout
    assert result.stdout.count("not accepted: 0.") == 1
    assert "Accepted, and not failing in this stack: CKV2_AWS_11" in result.stdout


def test_what_is_not_accepted_comes_first_and_fails(tmp_path: Path) -> None:
    checkov(tmp_path, ACCEPTED, OTHER)
    result = posture()
    assert result.exit_code == 1
    assert result.stdout.index(OTHER) < result.stdout.index(ACCEPTED)
    assert f"NOT ACCEPTED: what {OTHER} asks" in " ".join(result.stdout.split())
    assert "not accepted: 1." in result.stdout


def test_a_program_reads_the_same(tmp_path: Path) -> None:
    checkov(tmp_path, ACCEPTED, OTHER)
    result = posture("--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["checkov"]["version"] == "3.3.30"
    first, second = told["findings"]
    assert (first["rule"], first["acceptedBecause"]) == (OTHER, None)
    assert (second["rule"], second["acceptedBecause"]) == (ACCEPTED, accepted()[ACCEPTED])
    assert first["resources"] == second["resources"]
    assert "langfuse-dev-web" in first["resources"]


def test_without_checkov_the_policies_are_asked_and_a_warning_says_so() -> None:
    result = posture()
    assert result.exit_code == 0
    assert result.stdout.startswith(f"dev: {len(RULES)} rules of the policy pack. Rules that fail:")
    assert "CKV" not in result.stdout, "what was not asked about is not stale"
    assert result.stderr.startswith("warning: checkov is not on PATH")


@pytest.mark.parametrize("said", ["echo no report", "echo '{}'", "echo broken >&2; exit 3"])
def test_a_checkov_that_gives_no_report_is_one_line(tmp_path: Path, said: str) -> None:
    put(tmp_path, f"#!/bin/sh\n{said}\n")
    result = posture()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: checkov: {tmp_path}/checkov ended with ")
    assert result.stderr.count("\n") == 1


def test_every_accepted_rule_has_a_reason_and_is_named_once() -> None:
    lines = (Path(command.__file__).parents[2] / "policy" / "accepted.csv").read_text("utf-8")
    names = [line.partition(",")[0] for line in lines.splitlines()[1:]]
    assert names == sorted(set(names))
    assert all(len(reason) > 20 for reason in accepted().values())
