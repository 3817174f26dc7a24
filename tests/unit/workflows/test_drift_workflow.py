"""One issue per stack while AWS differs from its state, and none when it does not.

Runs the script of drift.yml in Node with a GitHub that records, and its step in bash with a
`pulumi` that only exits. It does not prove what a refresh finds in AWS.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.workflow import ScriptRun, calls_in, run_script, run_shell, script_of, step_of

REPOSITORY: Final = {"owner": "langfuse", "repo": "aws"}
CONTEXT: Final = {"repo": REPOSITORY, "serverUrl": "https://github.com", "runId": 5}
RUN: Final = "[this run](https://github.com/langfuse/aws/actions/runs/5)"
BOT: Final = {"login": "github-actions[bot]"}
FENCE: Final = "````"


def report(folder: Path, drifted: str, issues: list[dict[str, Any]]) -> ScriptRun:
    """Run the script for the stack prod."""
    (folder / "drift.txt").write_text(f"~ group: 443 {FENCE}\n", encoding="utf-8")
    answers = {"issues.listForRepo": issues}
    environment = {"STACK": "prod", "DRIFTED": drifted}
    return run_script(script_of("drift.yml"), folder, CONTEXT, answers, environment)


def issue(**changed: Any) -> dict[str, Any]:
    """The issue that an earlier run opened."""
    return {"number": 9, "title": "Drift: prod", "user": BOT, **changed}


OTHERS: Final = [issue(title="Drift: dev"), issue(user={"login": "mallory"})]


def changes(run: ScriptRun) -> list[tuple[str, Any]]:
    """What the script changed."""
    assert run.error is None
    return [call for call in run.calls if call[0] != "issues.listForRepo"]


def test_drift_opens_an_issue_with_what_the_refresh_found(tmp_path: Path) -> None:
    ((name, made),) = changes(report(tmp_path, "true", OTHERS))
    assert name == "issues.create"
    assert made["title"] == "Drift: prod"
    assert RUN in made["body"]
    assert made["body"].endswith(f"\n{FENCE}text\n~ group: 443 \n\n{FENCE}")


def test_drift_that_has_an_issue_renews_its_text(tmp_path: Path) -> None:
    ((name, made),) = changes(report(tmp_path, "true", [*OTHERS, issue()]))
    assert name == "issues.update"
    assert made["issue_number"] == 9
    assert "state" not in made
    assert "~ group: 443" in made["body"]


def test_drift_that_is_gone_closes_the_issue(tmp_path: Path) -> None:
    (said, closed) = changes(report(tmp_path, "false", [*OTHERS, issue()]))
    assert said[0] == "issues.createComment"
    assert said[1]["body"] == f"Gone, says {RUN}."
    assert closed == ("issues.update", {**REPOSITORY, "issue_number": 9, "state": "closed"})


def test_without_drift_and_issue_nothing_is_written(tmp_path: Path) -> None:
    assert changes(report(tmp_path, "false", OTHERS)) == []


@pytest.mark.parametrize(
    ("pulumi", "step", "output"),
    [
        (0, 0, "drifted=false\n"),
        (7, 0, "drifted=true\n"),
        (1, 1, "drifted=false\n"),
        (255, 255, "drifted=false\n"),
    ],
)
def test_only_pulumis_exit_code_for_unexpected_changes_is_drift(
    tmp_path: Path, pulumi: int, step: int, output: str
) -> None:
    outputs = tmp_path / "outputs"
    done = run_shell(
        step_of("drift.yml", "Compare AWS with the state"),
        tmp_path,
        {"pulumi": f"exit {pulumi}"},
        {"STACK": "prod", "GITHUB_OUTPUT": str(outputs)},
    )
    assert done.returncode == step
    assert outputs.read_text(encoding="utf-8") == output
    (call,) = calls_in(tmp_path)
    assert call.startswith("pulumi refresh --preview-only --expect-no-changes --stack prod ")
