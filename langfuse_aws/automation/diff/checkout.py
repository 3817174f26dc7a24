"""Checks out another commit beside the working tree, for as long as a block lasts."""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from langfuse_aws.automation.plan import UserError


def merge_base(reference: str, head: str, folder: Path) -> str:
    """The commit at which `head` left `reference`: what the head's own changes begin at."""
    for each in (reference, head):
        _git(folder, f"{each}: is no commit here", "rev-parse", "--verify", f"{each}^{{commit}}")
    problem = f"{reference}: has no common ancestor with {head} here"
    return _git(folder, problem, "merge-base", reference, head)


@contextmanager
def checked_out(commit: str, folder: Path) -> Generator[Path]:
    """A checkout of the commit; gives what `folder` is in it."""
    problem = f"{folder}: is not in a git repository"
    inside = _git(folder, problem, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory(prefix="langfuse-diff-") as scratch:
        tree = Path(scratch) / "tree"
        _git(
            folder, f"{commit}: cannot be checked out", "worktree", "add", "--detach", tree, commit
        )
        try:
            yield tree / inside
        finally:
            _git(folder, "the checkout stays", "worktree", "remove", "--force", tree)


def _git(folder: Path, problem: str, *arguments: str | Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", folder, *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError("git: not found on PATH. Install it.") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise UserError(
            f"{problem}: {said[0]}. In a shallow clone, fetch the history first: "
            "git fetch --unshallow, or fetch-depth: 0 in actions/checkout."
        )
    return done.stdout.strip()
