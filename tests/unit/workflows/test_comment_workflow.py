"""The comment on a pull request: what a stranger's artifact can and cannot make it do.

Runs the script of comment.yml in Node, on an artifact in a folder and a GitHub that records. It
does not prove that GitHub starts the workflow, nor what GitHub's own limits and rights are.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.workflow import ScriptRun, run_script, script_of

BASE: Final = 1
FORK: Final = 2
SHA: Final = "a1b2c3d4e5f6"
REPOSITORY: Final = {"owner": "langfuse", "repo": "aws"}
MARK: Final = "<!-- preview.yml -->"
BOT: Final = "github-actions[bot]"


def pull(**changed: Any) -> dict[str, Any]:
    """Pull request 7, from the branch `more` of a fork."""
    head = {"sha": SHA, "ref": "more", "repo": {"id": FORK}} | changed.pop("head", {})
    return {"state": "open", "base": {"repo": {"id": BASE}}, "head": head, **changed}


def post(
    folder: Path,
    number: str | None = "7",
    diff: str | None = "## No change\n",
    of: dict[str, Any] | None = None,
    comments: list[dict[str, Any]] | None = None,
) -> ScriptRun:
    """Run the script for a run of preview.yml on the branch `more` of the fork."""
    for name, text in (("number", number), ("diff.md", diff)):
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    run = {
        "head_sha": SHA,
        "head_branch": "more",
        "head_repository": {"id": FORK},
        "html_url": "https://github.com/langfuse/aws/actions/runs/1",
    }
    return run_script(
        script_of("comment.yml"),
        folder,
        {"repo": REPOSITORY, "payload": {"workflow_run": run}},
        {"pulls.get": of or pull(), "issues.listComments": comments or []},
        {"REVIEW": str(folder)},
    )


def written(run: ScriptRun) -> list[str]:
    """The names of the calls that change something."""
    return [name for name, _ in run.calls if "create" in name or "update" in name]


def comment(run: ScriptRun) -> str:
    """The text of the only comment that was made."""
    assert run.error is None
    (made,) = run.of("issues.createComment")
    assert made["issue_number"] == 7
    return made["body"]


def test_the_difference_becomes_a_comment_that_says_where_it_is_from(tmp_path: Path) -> None:
    body = comment(post(tmp_path))
    assert body.startswith(f"{MARK}\n<sub>Made by a1b2c3d with [this run](https://github.com/")
    assert "It comes from a fork: read the code before you believe this." in body
    assert body.endswith("\n\n## No change\n")


def test_a_pull_request_of_this_repository_is_not_called_a_fork(tmp_path: Path) -> None:
    own = pull(base={"repo": {"id": FORK}})
    assert "fork" not in comment(post(tmp_path, of=own))


def test_the_comment_that_is_there_is_updated(tmp_path: Path) -> None:
    comments = [
        {"id": 1, "user": {"login": "mallory"}, "body": f"{MARK} mine"},
        {"id": 2, "user": {"login": BOT}, "body": f"another's, with {MARK} in it"},
        {"id": 3, "user": None, "body": None},
        {"id": 4, "user": {"login": BOT}, "body": f"{MARK}\nas it was"},
    ]
    run = post(tmp_path, comments=comments)
    (updated,) = run.of("issues.updateComment")
    assert updated["comment_id"] == 4
    assert updated["body"].startswith(MARK)
    assert written(run) == ["issues.updateComment"]


@pytest.mark.parametrize("number", ["", "0", "-7", "7 8", "7\n", "7/../8", "\u0661", "seven", None])
def test_what_is_no_number_is_refused_before_github_is_asked(
    tmp_path: Path, number: str | None
) -> None:
    run = post(tmp_path, number=number)
    assert run.error == "the artifact names no pull request"
    assert run.calls == []


@pytest.mark.parametrize(
    "head", [{"repo": {"id": BASE}}, {"repo": None}, {"ref": "main"}], ids=["repo", "gone", "ref"]
)
def test_the_number_of_anothers_pull_request_is_refused(
    tmp_path: Path, head: dict[str, Any]
) -> None:
    run = post(tmp_path, of=pull(head=head))
    assert run.error == "the artifact names #7, which the run was not for"
    assert written(run) == []


@pytest.mark.parametrize("changed", [{"state": "closed"}, {"head": {"sha": "b" * 12}}])
def test_a_result_that_is_out_of_date_is_left(tmp_path: Path, changed: dict[str, Any]) -> None:
    run = post(tmp_path, of=pull(**changed))
    assert run.of("notice") == [f"#7 is closed, or has a newer commit than {SHA}"]
    assert run.error is None
    assert written(run) == []


@pytest.mark.parametrize("diff", [None, " \n"])
def test_without_markdown_nothing_is_posted(tmp_path: Path, diff: str | None) -> None:
    run = post(tmp_path, diff=diff)
    assert run.of("notice") == ["the run left no Markdown"]
    assert written(run) == []


def test_a_link_to_a_file_of_the_runner_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden", encoding="utf-8")
    (tmp_path / "diff.md").symlink_to(tmp_path / "secret")
    run = post(tmp_path, diff=None)
    assert run.of("notice") == ["the run left no Markdown"]


def test_a_file_over_a_megabyte_is_not_read(tmp_path: Path) -> None:
    run = post(tmp_path, diff="x" * 1_000_001)
    assert run.error == "diff.md has 1000001 bytes, over 1000000"
    assert written(run) == []


def test_a_long_difference_is_cut_at_a_line_and_says_so(tmp_path: Path) -> None:
    body = comment(post(tmp_path, diff="a line of text\n" * 10_000))
    assert len(body) < 65_536
    assert "**Cut: all of it is in the summary of the run.**" in body
    assert body.endswith("\na line of text")


def test_one_long_line_is_cut_too(tmp_path: Path) -> None:
    assert 60_000 < len(comment(post(tmp_path, diff="x" * 100_000))) < 65_536


def test_nobody_is_called_by_the_text(tmp_path: Path) -> None:
    body = comment(post(tmp_path, diff="thanks @octocat, @org/team\n"))
    assert "@octocat" not in body
    assert "@\u200boctocat, @\u200borg/team" in body
