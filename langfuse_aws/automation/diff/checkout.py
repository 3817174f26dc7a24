"""Checks out another commit beside the working tree, for as long as a block lasts."""

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from langfuse_aws.automation.errors import UserError


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
    with tempfile.TemporaryDirectory(
        prefix="langfuse-diff-", ignore_cleanup_errors=True
    ) as scratch:
        tree = Path(scratch) / "tree"
        problem = f"{commit}: cannot be checked out"
        remove = partial(_remove, folder, tree)
        atexit.register(remove)
        try:
            _git(folder, problem, "worktree", "add", "--detach", tree, commit)
            yield tree / inside
        finally:
            atexit.unregister(remove)
            remove()


def _remove(folder: Path, tree: Path) -> None:
    """Remove a checkout, whole or half made."""
    shutil.rmtree(tree, ignore_errors=True)
    _git(folder, "the checkout stays registered", "worktree", "prune")


def _git(folder: Path, problem: str, *arguments: str | Path) -> str:
    try:
        # A Ctrl-C at a terminal is this process's alone, which lets git clean up after itself.
        with subprocess.Popen(  # noqa: S603
            ["git", "-C", folder, *arguments],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                printed, complaint = process.communicate()
            except BaseException:
                process.terminate()
                raise
    except FileNotFoundError as error:
        raise UserError("git: not found on PATH. Install it.") from error
    if process.returncode:
        said = complaint.strip().splitlines() or ["no reason given"]
        raise UserError(
            f"{problem}: {said[0]}. In a shallow clone, fetch the history first: "
            "git fetch --unshallow, or fetch-depth: 0 in actions/checkout."
        )
    return printed.strip()
