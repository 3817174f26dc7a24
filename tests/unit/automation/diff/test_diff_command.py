"""The command `diff` around the engine: commits, stacks, options, exit codes.

git is the real one; what the engine would find is given.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.diff import command as diff_command
from langfuse_aws.automation.diff.checkout import checked_out, merge_base
from langfuse_aws.automation.diff.comparison import Sources
from langfuse_aws.automation.errors import UserError
from langfuse_aws.cost.bill import IdleCost
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.review.difference import Difference, difference

runner = CliRunner()


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"Pulumi.{name}.yaml").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "x")
    git(folder, "config", "user.email", "x@example.com")
    commit(folder, dev="one", gone="one")
    return folder


# --- commits


def test_the_base_is_where_the_change_left_it(repository: Path) -> None:
    begin = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "--quiet", "-b", "change")
    commit(repository, dev="mine")
    git(repository, "checkout", "--quiet", "main")
    commit(repository, dev="others'")
    assert merge_base("main", "change", repository) == begin


def test_a_commit_is_checked_out_for_a_while_and_the_tree_stays_as_it_is(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    commit(repository, dev="two")
    (repository / "Pulumi.dev.yaml").write_text("not committed")
    with checked_out(first, repository) as folder:
        assert (folder / "Pulumi.dev.yaml").read_text() == "one"
    assert not folder.exists()
    assert (repository / "Pulumi.dev.yaml").read_text() == "not committed"
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_project_below_the_top_of_a_repository_is_found_in_the_checkout(tmp_path: Path) -> None:
    top, below = tmp_path, tmp_path / "infrastructure"
    below.mkdir()
    for arguments in (
        ["init", "--quiet"],
        ["config", "user.name", "x"],
        ["config", "user.email", "x@y"],
    ):
        git(top, *arguments)
    commit(below, dev="one")
    with checked_out("HEAD", below) as folder:
        assert (folder / "Pulumi.dev.yaml").read_text() == "one"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nonsense", "nonsense: is no commit here: fatal: "),
        ("lost", "lost: has no common ancestor"),
    ],
)
def test_a_base_that_is_not_there_is_one_line_with_the_remedy(
    reference: str, words: str, repository: Path
) -> None:
    git(repository, "checkout", "--quiet", "--orphan", "lost")
    commit(repository, dev="other")
    git(repository, "checkout", "--quiet", "main")
    with pytest.raises(UserError) as caught:
        merge_base(reference, "HEAD", repository)
    assert str(caught.value).startswith(words)
    assert "fetch-depth: 0" in str(caught.value)
    assert "no reason given" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_base_is_not_looked_for_outside_of_git(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        merge_base("main", "HEAD", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: is not in a git repository: fatal: ")
    assert "shallow" not in str(caught.value), "no history would help"
    assert "--dir" in str(caught.value)


def test_a_folder_outside_of_git_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="is not in a git repository: fatal: "),
        checked_out("HEAD", tmp_path),
    ):
        pass


# --- the command


def found(name: str) -> Difference:
    nothing = ResourceGraph(())
    same = difference(
        name, nothing, nothing, (), lambda _: False, (), lambda _: IdleCost(known_from="AWS")
    )
    return replace(same, cost=(10.0, 20.0))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Notes each stack with what its files say at both ends, in place of the engine."""
    calls: list[tuple[str, str, str]] = []

    def compare(name: str, sources: Sources) -> Difference:
        file = f"Pulumi.{name}.yaml"
        before, after = (
            (folder / file).read_text() if (folder / file).exists() else ""
            for folder in (sources.base, sources.head)
        )
        calls.append((name, before, after))
        return found(name)

    monkeypatch.setattr(diff_command, "compare", compare)
    return calls


def diff(repository: Path, *options: str) -> Result:
    return runner.invoke(app, ["diff", "--base", "HEAD~1", "--dir", str(repository), *options])


def test_every_stack_of_both_ends_is_compared_or_mentioned(
    repository: Path, compared: list[tuple[str, str, str]]
) -> None:
    (repository / "Pulumi.gone.yaml").unlink()
    commit(repository, dev="two", new="two")
    (repository / "Pulumi.dev.yaml").write_text("not committed")
    done = diff(repository)
    assert done.exit_code == 0
    assert sorted(compared) == [("dev", "one", "not committed"), ("new", "", "two")]
    assert "`new` is a new stack." in done.stdout
    assert "`gone` has no stack file any more. What is deployed stays until" in done.stdout


def test_a_head_is_compared_instead_of_the_working_tree(
    repository: Path, compared: list[tuple[str, str, str]]
) -> None:
    commit(repository, dev="two")
    (repository / "Pulumi.dev.yaml").write_text("not committed")
    assert diff(repository, "--head", "HEAD", "--stack", "dev").exit_code == 0
    assert compared == [("dev", "one", "two")]


@pytest.mark.usefixtures("compared")
def test_gates_decide_over_the_exit_code_and_the_report_says_so(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository, dev="two")
    file = tmp_path / "report.md"
    done = diff(repository, "--stack", "dev", "--fail-on", "cost>50%", "--output", str(file))
    assert done.exit_code == diff_command.STOPPED == 3
    assert "- `cost>50%` in `dev`" in file.read_text()
    assert done.stdout == file.read_text() + "\n"
    assert diff(repository, "--stack", "dev", "--fail-on", "cost>150%").exit_code == 0


@pytest.mark.usefixtures("compared")
def test_json_has_the_difference_and_the_gates(repository: Path) -> None:
    commit(repository, dev="two")
    done = diff(repository, "--stack", "dev", "--fail-on", "cost>5", "--json")
    assert done.exit_code == 3
    printed = json.loads(done.stdout)
    assert printed["stopped"] == [{"gate": "cost>5", "stack": "dev"}]
    assert printed["stacks"][0]["cost"] == [10.0, 20.0]
    assert (printed["new"], printed["gone"]) == ([], [])
    (repository / "Pulumi.gone.yaml").unlink()
    commit(repository, new="two")
    printed = json.loads(diff(repository, "--json").stdout)
    assert (printed["new"], printed["gone"]) == (["new"], ["gone"])


def test_a_folder_without_stacks_is_not_taken_for_one_without_changes(
    repository: Path, compared: list[tuple[str, str, str]]
) -> None:
    folder = repository / "docs"
    folder.mkdir()
    commit(repository, dev="two")
    done = runner.invoke(app, ["diff", "--base", "HEAD~1", "--dir", str(folder)])
    assert (done.exit_code, done.stdout, compared) == (2, "", [])
    assert done.stderr == (
        f"error: --dir: {folder} has no Pulumi.STACK.yaml, nor had it one before: there is nothing "
        "to compare.\n"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--stack", "pord"], "error: --stack pord: {folder} has Pulumi.dev.yaml, "),
        (["--fail-on", "nothing"], "error: --fail-on: nothing: is no gate. Gates are replace-data"),
    ],
)
def test_a_wrong_option_is_one_line(
    repository: Path, compared: list[tuple[str, str, str]], options: list[str], words: str
) -> None:
    commit(repository, dev="two")
    done = diff(repository, *options)
    assert done.exit_code == 2
    assert done.stderr.startswith(words.format(folder=repository))
    assert done.stderr.count("\n") == 1
    assert compared == []
