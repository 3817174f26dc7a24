"""What the workflows of `.github` may do: rights, credentials, triggers, pins.

actionlint and zizmor (`make lint`) know the language and its common holes. Here is what only this
project knows. It does not prove that a workflow succeeds: GitHub has not run them.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from langfuse_aws.automation.engine.pulumi_cli import MINIMUM, format_version
from tests.workflow import (
    ACTIONS,
    GITHUB,
    OF_A_PROJECT,
    ROOT,
    WORKFLOWS,
    all_scripts,
    jobs,
    load,
    steps,
)

ENTRIES: Final = {"ci", "comment", "deploy", "drift", "preview", "preview-aws", "release"}
WITH_CREDENTIALS: Final = {"deploy", "drift", "preview-aws"}

RELEASE: Final = r" # (v\d+\.\d+\.\d+)$"
FILES: Final = (*WORKFLOWS, OF_A_PROJECT, *ACTIONS)
PINNED: Final = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")

workflows = pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
Job = dict[str, Any]


def all_jobs() -> Iterator[tuple[str, Job]]:
    for path in WORKFLOWS:
        for job in jobs(path).values():
            yield path.stem, job


def actions(path: Path) -> list[str]:
    """Every use of an action in a file."""
    return [step["uses"] for step in steps(path) if "uses" in step]


def test_these_are_the_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} == ENTRIES
    assert [path.parent.name for path in ACTIONS] == ["set-up"]


def test_every_other_workflow_runs_on_the_newest_python_that_ci_tries() -> None:
    rows = jobs(GITHUB / "workflows/ci.yml")["test"]["strategy"]["matrix"]["include"]
    named = {
        step["with"]["python-version"]
        for path in FILES
        for step in steps(path)
        if "python-version" in step.get("with", {})
    }
    assert named == {rows[-1]["python"], "${{ matrix.python }}"}


@workflows
def test_a_workflow_gives_no_right_and_its_job_only_these(workflow: Path) -> None:
    assert load(workflow)["permissions"] == {}
    rights = {
        "ci": [{"contents": "read"}],
        "comment": [{"actions": "read", "pull-requests": "write"}],
        "deploy": [{"contents": "read", "id-token": "write"}],
        "drift": [{"contents": "read", "id-token": "write", "issues": "write"}],
        "preview": [{"contents": "read"}],
        "preview-aws": [{"contents": "read", "id-token": "write"}],
        "release": [
            {"contents": "read"},
            {"attestations": "write", "contents": "write", "id-token": "write"},
        ],
    }
    assert [job["permissions"] for job in jobs(workflow).values()] == rights[workflow.stem]


@workflows
def test_a_job_ends_by_itself(workflow: Path) -> None:
    for name, job in jobs(workflow).items():
        assert job["timeout-minutes"] <= 120, name


def test_no_workflow_runs_a_strangers_code_with_a_token() -> None:
    triggers = {path.stem: set(load(path)[True]) for path in WORKFLOWS}
    assert triggers == {
        "ci": {"pull_request", "push"},
        "comment": {"workflow_run"},
        "deploy": {"push", "workflow_dispatch"},
        "drift": {"schedule", "workflow_dispatch"},
        "preview": {"pull_request"},
        "preview-aws": {"pull_request"},
        "release": {"push"},
    }


def test_the_workflow_that_may_comment_has_no_code_but_its_own() -> None:
    path = GITHUB / "workflows/comment.yml"
    assert load(path)[True]["workflow_run"] == {"workflows": ["Preview"], "types": ["completed"]}
    assert load(GITHUB / "workflows/preview.yml")["name"] == "Preview"
    assert [step["uses"].partition("@")[0] for step in steps(path)] == [
        "actions/download-artifact",
        "actions/github-script",
    ]
    assert not any("run" in step for step in steps(path))
    (job,) = jobs(path).values()
    assert job["if"] == (
        "github.event.workflow_run.event == 'pull_request' && "
        """contains(fromJSON('["success", "failure"]'), github.event.workflow_run.conclusion)"""
    )


@pytest.mark.parametrize("path", FILES, ids=[path.parent.name + path.stem for path in FILES])
def test_every_action_is_pinned_by_a_commit_with_its_release_behind_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    foreign = [uses for uses in actions(path) if not uses.startswith("./")]
    assert foreign
    for uses in foreign:
        assert PINNED.fullmatch(uses), uses
        named = re.findall(re.escape(uses) + RELEASE, text, re.MULTILINE)
        assert len(named) == foreign.count(uses), f"{uses} lacks its release"


def test_an_action_has_the_same_pin_everywhere() -> None:
    used = {uses for path in FILES for uses in actions(path) if not uses.startswith("./")}
    assert len({uses.partition("@")[0] for uses in used}) == len(used)


def test_every_action_of_this_repository_exists() -> None:
    own = {uses for path in FILES for uses in actions(path) if uses.startswith("./")}
    assert [(ROOT / uses / "action.yml").resolve() for uses in own] == ACTIONS


def test_a_checkout_leaves_no_token_behind() -> None:
    for path in WORKFLOWS:
        for step in steps(path):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, path.stem


def test_scripts_get_what_they_need_by_their_environment() -> None:
    assert [script for script in all_scripts() if "${{" in script] == []


def test_only_a_job_in_an_environment_has_credentials() -> None:
    for name, job in all_jobs():
        if name == "release":
            continue
        trusted = name in WITH_CREDENTIALS
        assert (job["permissions"].get("id-token") == "write") == trusted, name
        assert ("environment" in job) == trusted, name
        assert ("${{ secrets." in json.dumps(job)) == trusted, name
        assert ("vars." in json.dumps(job)) == trusted, name


def test_a_job_with_credentials_runs_only_where_they_are_set_up() -> None:
    roles = {"deploy": "DEPLOY", "drift": "DRIFT", "preview-aws": "PREVIEW"}
    for name, job in all_jobs():
        if name in WITH_CREDENTIALS:
            role = f"vars.AWS_{roles[name]}_ROLE_ARN"
            assert f"{role} != '' && vars.PULUMI_BACKEND_URL != ''" in job["if"]
            assert f"${{{{ {role} }}}}" in json.dumps(job["steps"])


def test_a_fork_gets_no_preview_with_credentials() -> None:
    (job,) = jobs(GITHUB / "workflows/preview-aws.yml").values()
    assert job["if"].startswith(
        "github.event.pull_request.head.repo.full_name == github.repository && "
    )


@pytest.mark.parametrize("name", ["deploy", "drift"])
def test_only_main_reaches_a_stack(name: str) -> None:
    (job,) = jobs(GITHUB / f"workflows/{name}.yml").values()
    assert job["if"].startswith("github.ref == 'refs/heads/main' && ")


def test_downloads_are_not_kept_for_jobs_with_credentials() -> None:
    for name, job in all_jobs():
        cached = [
            step
            for step in job["steps"]
            if "actions/cache" in step.get("uses", "") or "cache" in step.get("with", {})
        ]
        assert bool(cached) == (name in {"ci", "preview"}), name


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("ci", "github.event.pull_request.number || github.sha"),
        ("preview", "github.ref"),
        ("preview-aws", "github.ref"),
    ],
)
def test_a_newer_commit_of_a_pull_request_stops_the_older_run(name: str, of: str) -> None:
    group = f"{name}-${{{{ {of} }}}}"
    concurrency = load(GITHUB / f"workflows/{name}.yml")["concurrency"]
    assert concurrency == {"group": group, "cancel-in-progress": True}


def test_what_publishes_a_release_runs_nothing_of_the_repository() -> None:
    path = GITHUB / "workflows/release.yml"
    build, publish = jobs(path).values()
    assert load(path)[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    assert "environment" not in build
    assert (publish["environment"], publish["needs"]) == ("release", "build")
    assert [step["uses"].partition("@")[0] for step in publish["steps"] if "uses" in step] == [
        "actions/download-artifact",
        "actions/attest",
    ]
    (script,) = [step["run"] for step in publish["steps"] if "run" in step]
    assert [line.split()[0] for line in script.replace("\\\n", " ").splitlines()] == [
        "sha256sum",
        "gh",
    ]
    assert "secrets." not in json.dumps([build, publish])


def test_a_projects_workflow_takes_a_pulumi_that_the_command_takes() -> None:
    """Without a bound the action keeps any Pulumi 3 that the runner has already."""
    (step,) = [
        step for step in steps(OF_A_PROJECT) if step.get("uses", "").startswith("pulumi/actions@")
    ]
    assert step["with"] == {"pulumi-version": f"^{format_version(MINIMUM)}"}
