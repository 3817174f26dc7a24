"""Runs checkov, where it is installed, over a graph. It is no dependency of the project."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from langfuse_aws.automation.errors import UserError
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.policy.terraform_plan import TerraformPlan, terraform_plan


@dataclass(frozen=True)
class Failed:
    """A rule that a resource fails."""

    rule: str
    what: str
    resource: Resource


@dataclass(frozen=True)
class Scan:
    """What checkov found: how many checks passed, and those that failed."""

    version: str
    passed: int
    failed: tuple[Failed, ...]


def program() -> str | None:
    """Where checkov is, if it is on PATH."""
    return shutil.which("checkov")


def scan(graph: ResourceGraph, checkov: str) -> Scan:
    """Let checkov read the graph as a Terraform plan; it asks no network. Raises UserError."""
    plan = terraform_plan(graph)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        file.write_text(json.dumps(plan.document), encoding="utf-8")
        done = subprocess.run(  # noqa: S603
            [
                checkov,
                f"--file={file}",
                "--framework=terraform_plan",
                "--output=json",
                "--compact",
                "--skip-download",
                "--soft-fail",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
    try:
        return read(json.loads(done.stdout), plan)
    except (ValueError, KeyError, TypeError) as error:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(
            f"checkov: {checkov} ended with {done.returncode} and no report that can be read "
            f"({type(error).__name__}): {said or 'it said nothing'}. Version 3.3 is known to work."
        ) from None


def read(report: dict[str, Any], plan: TerraformPlan) -> Scan:
    """Read checkov's report in JSON."""
    failed = cast("list[dict[str, Any]]", report["results"]["failed_checks"])
    return Scan(
        version=report["summary"]["checkov_version"],
        passed=report["summary"]["passed"],
        failed=tuple(
            Failed(each["check_id"], each["check_name"], plan.addresses[each["resource"]])
            for each in failed
        ),
    )
