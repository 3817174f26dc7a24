"""What the workflows of `.github` name exists: commands, targets, stacks, releases, variables.

It does not prove that a command does what the workflow hopes for, nor that Renovate reads its
configuration as it is read here.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from development import actionlint
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.preflight.actions import rows
from langfuse_aws.settings import versions
from langfuse_aws.settings.sizing import SIZING
from tests.releases import later
from tests.unit.service_authorization import action_named, covers, managed_actions
from tests.workflow import (
    GITHUB,
    ROOT,
    WORKFLOWS,
    all_scripts,
    jobs,
    load,
    scripts,
)

COMMAND: Final = re.compile(r"python3 -m automation (.+)")
MAKE: Final = re.compile(r"^make (.+)", re.MULTILINE)
MAKE_SPAN: Final = re.compile(r"`make ([^`]+)`")
MARKER: Final = "# renovate: "
LANGFUSE: Final = "ghcr.io/langfuse/langfuse"
LAMBDA_PYTHON: Final = "public.ecr.aws/lambda/python"
PAGE: Final = (ROOT / "docs/pull-requests.md").read_text(encoding="utf-8")
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")

ASKED: Final = {
    "get_caller_identity": None,
    "get_default_tags_output": None,
    "get_region": None,
    "get_partition": None,
    "get_availability_zones": "ec2:DescribeAvailabilityZones",
    "get_cluster_snapshot": "rds:DescribeDBClusterSnapshots",
    "get_image": "ecr:DescribeImages",
    "get_instances_output": None,
    "get_key": "kms:DescribeKey",
    "get_managed_prefix_list": "ec2:GetManagedPrefixListEntries",
    "get_route_table_output": "ec2:DescribeRouteTables",
    "get_roles": "iam:ListRoles",
    "get_service_output": None,
    "get_snapshot": "rds:DescribeDBSnapshots",
    "get_subnet": "ec2:DescribeSubnets",
    "get_vpc": "ec2:DescribeVpcAttribute",
    "get_vpc_dhcp_options": "ec2:DescribeDhcpOptions",
    "get_zone_output": "route53:GetHostedZone",
}
"""The data sources of the program, and the right that each takes in a preview.

Four take none, and instances and services are asked for at the end of `up` only. `get_snapshot` is
that of a volume as well."""


def test_every_shipped_stack_can_be_deployed_one_update_at_a_time() -> None:
    deploy = load(GITHUB / "workflows/deploy.yml")
    assert deploy[True]["workflow_dispatch"]["inputs"]["stack"]["options"] == list(SIZING)
    stack = "${{ inputs.stack || 'dev' }}"
    assert deploy["concurrency"] == {"group": f"deploy-{stack}", "cancel-in-progress": False}
    assert deploy["jobs"]["deploy"]["environment"] == stack
    assert deploy["jobs"]["deploy"]["steps"][-1]["env"]["STACK"] == stack


def test_the_oldest_and_the_newest_python_run_what_make_test_runs() -> None:
    path = GITHUB / "workflows/ci.yml"
    (job,) = jobs(path).values()
    rows = job["strategy"]["matrix"]["include"]
    assert [(row["python"], row["engine"]) for row in rows] == [("3.10", False), ("3.14", True)]
    made = [target for script in scripts(path) for target in targets(script)]
    (test,) = re.findall(r"^test:.*\n.* --jobs \d (.+)$", (ROOT / "Makefile").read_text(), re.M)
    wanted = [*test.split(), "running", "queues", "move-in"]
    assert sorted(made) == sorted(wanted), "and what .ci/run does besides"
    made = {step["run"]: step for step in job["steps"] if "make " in step.get("run", "")}
    assert {script: step.get("if") for script, step in made.items()} == {
        'make lint types unit installed WORKERS="$(nproc)"': None,
        'make registry WORKERS="$(nproc)"': "matrix.engine",
        'make engine running WORKERS="$(nproc)"': "matrix.engine",
        'make queues WORKERS="$(nproc)"': "matrix.engine",
        'make move-in WORKERS="$(nproc)"': "matrix.engine",
    }
    # Where it may not be skipped.
    assert made['make registry WORKERS="$(nproc)"']["env"] == {"MIRROR_TESTS": "required"}
    assert made['make queues WORKERS="$(nproc)"']["env"] == {"QUEUE_TESTS": "required"}


def test_the_pages_say_what_ci_makes() -> None:
    made = {each for script in scripts(GITHUB / "workflows/ci.yml") for each in targets(script)}
    (row,) = re.findall(r"^\| `ci\.yml` \|.*$", PAGE, re.MULTILINE)
    (line,) = re.findall(r"; `ci\.yml` runs (.*) besides;", README)
    (test,) = re.findall(r"^test:.*\n.* --jobs \d (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert {each for words in MAKE_SPAN.findall(row) for each in words.split()} == made
    assert set(MAKE_SPAN.findall(line)) == made - set(test.split())


def targets(script: str) -> list[str]:
    return [
        word
        for line in MAKE.findall(script)
        for word in shlex.split(line, comments=True)
        if "=" not in word
    ]


def test_every_make_target_exists() -> None:
    named = {target for script in all_scripts() for target in targets(script)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert named
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def commands() -> list[list[str]]:
    lines = [line for script in all_scripts() for line in COMMAND.findall(script)]
    return [shlex.split(line) for line in lines]


def test_the_workflows_run_these_commands() -> None:
    assert [words[0] for words in commands()] == ["preflight", "up", "smoke", "validate", "diff"]


def test_every_command_exists_with_its_options() -> None:
    known = typer.main.get_group(app).commands
    for name, *words in commands():
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, name


def test_renovate_finds_every_release_that_is_marked() -> None:
    config = json.loads((GITHUB / "renovate.json").read_text(encoding="utf-8"))
    (manager,) = config["customManagers"]
    (file_pattern,), (text_pattern,) = manager["managerFilePatterns"], manager["matchStrings"]
    marked = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in ("components", "development", "langfuse_aws")
        for path in (ROOT / folder).rglob("*.py")
        if f"\n{MARKER}" in path.read_text(encoding="utf-8")
    }
    assert set(marked) == {"development/actionlint.py", "langfuse_aws/settings/versions.py"}
    found: list[tuple[str, str]] = []
    digests: set[str] = set()
    for name, text in marked.items():
        assert re.search(file_pattern.strip("/"), name), name
        matches = list(re.finditer(text_pattern.replace("(?<", "(?P<"), text))
        assert len(matches) == text.count(f"\n{MARKER}"), name
        found += [(each["depName"], each["currentValue"]) for each in matches]
        digests |= {each["depName"] for each in matches if each["currentDigest"]}
    assert sorted(found) == sorted(
        [
            ("clickhouse/clickhouse-server", versions.CLICKHOUSE),
            (LANGFUSE, versions.LANGFUSE),
            (LANGFUSE, versions.LANGFUSE_3),
            ("github.com/rhysd/actionlint", actionlint.VERSION),
            ("grafana/clickhouse-datasource", versions.GRAFANA_CLICKHOUSE),
            ("grafana/grafana", versions.GRAFANA),
            ("postgres", versions.POSTGRES_MAJOR),
            (LAMBDA_PYTHON, versions.LAMBDA_PYTHON),
            ("valkey/valkey", versions.VALKEY),
        ]
    )
    assert digests == {"grafana/grafana"}


@pytest.mark.parametrize(
    ("package", "current", "new", "offered"),
    [
        (
            LANGFUSE,
            versions.LANGFUSE_3,
            later(versions.LANGFUSE_3, patch=1),
            True,
        ),
        (LANGFUSE, versions.LANGFUSE_3, versions.LANGFUSE, False),
        (LANGFUSE, versions.LANGFUSE, later(versions.LANGFUSE, minor=1), True),
        (LAMBDA_PYTHON, versions.LAMBDA_PYTHON, "3.99", True),
        (LAMBDA_PYTHON, versions.LAMBDA_PYTHON, "3.99.2026.11.02.10", False),
        ("postgres", versions.POSTGRES_MAJOR, "99", True),
        ("valkey/valkey", versions.VALKEY, "9.9", True),
    ],
)
def test_renovate_offers_what_a_constant_may_become(
    package: str, current: str, new: str, offered: bool
) -> None:
    rules = json.loads((GITHUB / "renovate.json").read_text(encoding="utf-8"))["packageRules"]
    bounds = [
        rule["allowedVersions"]
        for rule in rules
        if package in rule.get("matchPackageNames", [])
        and re.search(rule.get("matchCurrentVersion", "//").strip("/"), current)
        and "allowedVersions" in rule
    ]
    assert all(re.search(bound.strip("/"), new) for bound in bounds) is offered


@pytest.mark.parametrize("package", ["postgres", "valkey/valkey", LAMBDA_PYTHON])
def test_what_aws_has_later_than_its_makers_waits_for_somebody(package: str) -> None:
    rules = json.loads((GITHUB / "renovate.json").read_text(encoding="utf-8"))["packageRules"]
    assert any(
        rule.get("dependencyDashboardApproval") and "matchUpdateTypes" not in rule
        for rule in rules
        if package in rule.get("matchPackageNames", [])
    )


def test_the_page_has_every_workflow() -> None:
    assert re.findall(r"^\| `([\w-]+\.yml)` \|", PAGE, re.MULTILINE) == [
        "ci.yml",
        "release.yml",
        "preview.yml",
        "comment.yml",
        "preview-aws.yml",
        "drift.yml",
        "deploy.yml",
    ]
    assert len(WORKFLOWS) == 7


def test_the_page_has_every_target_that_ci_makes() -> None:
    (row,) = re.findall(r"^\| `ci\.yml` \|.*$", PAGE, re.MULTILINE)
    named = [target for code in re.findall(r"`([^`]+)`", row) for target in targets(code)]
    made = [target for script in scripts(GITHUB / "workflows/ci.yml") for target in targets(script)]
    assert sorted(named) == sorted(made)


def test_the_page_has_every_variable_and_secret_and_no_other() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = set(re.findall(r"\b(?:vars|secrets)\.(\w+)", text))
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)) == used


def test_the_page_has_every_environment() -> None:
    named = {str(job["environment"]) for path in WORKFLOWS for job in environments(path)}
    assert named == {
        "preview-${{ matrix.stack }}",
        "drift-${{ matrix.stack }}",
        "${{ inputs.stack || 'dev' }}",
        "release",
    }
    for row in (
        "| `release` |",
        "| `preview-STACK` |",
        "| `drift-STACK` |",
        "| `dev`, `staging`, `prod` |",
    ):
        assert row in PAGE


def environments(path: Path) -> Iterator[dict[str, Any]]:
    return (job for job in jobs(path).values() if "environment" in job)


def policies() -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def test_the_trust_policy_names_one_environment_of_one_repository() -> None:
    trust = policies()[0]["Statement"][0]
    (test,) = trust["Condition"].items()
    assert test[0] == "StringEquals"
    issuer = "token.actions.githubusercontent.com"
    assert set(test[1]) == {f"{issuer}:aud", f"{issuer}:sub"}
    assert test[1][f"{issuer}:sub"].endswith(":environment:preview-dev")
    assert "*" not in json.dumps(trust)


def test_the_preview_role_may_ask_what_the_program_asks_and_write_nothing() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "components").rglob("*.py"))
    assert set(re.findall(r"\baws(?:\.\w+)?\.(get_\w+)\(", sources)) == set(ASKED)
    statements = {each["Sid"]: each for each in policies()[1]["Statement"]}
    assert set(statements) == {"State", "SecretsOfTheState", "WhatTheProgramAsks"}
    granted = statements["WhatTheProgramAsks"]["Action"]
    assert {action for action in ASKED.values() if action} <= set(granted)
    assert "ec2:DescribeSnapshots" in granted
    assert statements["State"]["Action"] == ["s3:ListBucket", "s3:GetObject"]
    assert statements["SecretsOfTheState"]["Action"] == "kms:Decrypt"

    assert all(re.match(r"\w+:(Describe|Get|List)", action) for action in granted)


def test_the_drift_role_may_read_all_that_the_program_makes() -> None:
    reads = {
        action
        for row in rows()
        for action in row.actions
        if action_named(action).level in ("List", "Read")
    }
    assert "secretsmanager:GetSecretValue" in reads
    allowed = [*managed_actions("ReadOnlyAccess")]
    for statement in (*policies()[1]["Statement"], *policies()[2]["Statement"]):
        if statement["Effect"] == "Allow":
            named = statement["Action"]
            allowed += [named] if isinstance(named, str) else named
    refused = [each for each in reads if not any(covers(known, each) for known in allowed)]
    assert sorted(refused) == []
