"""What a pull request's preview leaves for its comment and its summary, stopped or not.

Runs the steps of preview.yml and of preview-aws.yml in bash with a `python3` and a `pulumi` that
only say how they were called. It does not prove what they find.
"""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.workflow import calls_in, run_script, run_shell, script_of, step_of

NUMBER: Final = {"NUMBER": "7"}
DIFF: Final = """
while [ "$#" -gt 0 ]; do [ "$1" = --output ] && echo "## dev" > "$2"; shift; done
exit {code}
"""


def compared(folder: Path, code: int) -> int:
    """Compare, with a `diff` that writes its Markdown and ends with a code."""
    runner = {"RUNNER_TEMP": str(folder)}
    programs = {"python3": DIFF.format(code=code)}
    return run_shell(step_of("preview.yml", "Compare"), folder, programs, runner).returncode


def kept(folder: Path) -> tuple[Path, str]:
    """Keep what is there; gives the folder of the artifact, and the summary."""
    summary = folder / "summary"
    environment = {"RUNNER_TEMP": str(folder), "GITHUB_STEP_SUMMARY": str(summary), **NUMBER}
    step = step_of("preview.yml", "Keep the Markdown, of a stopped change too")
    (folder / "later").mkdir()
    assert run_shell(step, folder / "later", {}, environment).returncode == 0
    return folder / "review", summary.read_text() if summary.exists() else ""


@pytest.mark.parametrize("code", [0, 3])
def test_a_change_that_a_gate_stops_is_shown_too(tmp_path: Path, code: int) -> None:
    assert compared(tmp_path, code) == code
    (call,) = calls_in(tmp_path)
    assert "--fail-on replace-data,unprotect,public-ingress,cost>10%" in call
    review, summary = kept(tmp_path)
    assert (review / "diff.md").read_text() == "## dev\n"
    assert summary == "## dev\n"


def test_the_comment_takes_the_number_that_the_preview_leaves(tmp_path: Path) -> None:
    review, summary = kept(tmp_path)
    assert [path.name for path in review.iterdir()] == ["number"]
    assert summary == ""
    run = {"head_repository": {"id": 1}, "head_branch": "more", "head_sha": "a"}
    head = {"repo": {"id": 1}, "ref": "more", "sha": "a"}
    posted = run_script(
        script_of("comment.yml"),
        tmp_path,
        {"repo": {}, "payload": {"workflow_run": run}},
        {"pulls.get": {"state": "open", "head": head}},
        {"REVIEW": str(review)},
    )
    assert posted.error is None
    assert posted.of("notice") == ["the run left no Markdown"]


def test_a_summary_is_no_longer_than_github_takes(tmp_path: Path) -> None:
    """1 MiB a step.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    (tmp_path / "review").mkdir()
    (tmp_path / "review/diff.md").write_text("x" * 2_000_000)
    assert len(kept(tmp_path)[1]) == 1_000_000


def preview(folder: Path, code: int, lines: int = 1) -> "subprocess.CompletedProcess[str]":
    """Preview prod on AWS, with a `pulumi` that prints lines and ends with a code."""
    return run_shell(
        step_of("preview-aws.yml", "Preview"),
        folder,
        {"pulumi": f"yes 'a line' | head -n {lines}; echo why >&2; exit {code}"},
        {"STACK": "prod", "GITHUB_STEP_SUMMARY": str(folder / "summary")},
    )


@pytest.mark.parametrize("code", [0, 255])
def test_a_preview_on_aws_is_shown_and_fails_as_pulumi_does(tmp_path: Path, code: int) -> None:
    done = preview(tmp_path, code)
    assert (done.returncode, done.stdout) == (code, "a line\nwhy\n")
    shown = "### Preview of prod\n````text\na line\nwhy\n\n````\n"
    assert (tmp_path / "summary").read_text() == shown


def test_a_long_preview_on_aws_is_cut_in_the_summary_alone(tmp_path: Path) -> None:
    done = preview(tmp_path, 0, lines=200_000)
    assert len(done.stdout) > 1_000_000
    assert (tmp_path / "summary").stat().st_size < 1_000_000
