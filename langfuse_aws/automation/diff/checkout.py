"""Checks out another commit beside the working tree, for as long as a block lasts."""

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from langfuse_aws.automation.errors import UserError

_FETCH: Final = (
    "In a shallow clone, fetch the history first: git fetch --unshallow, or fetch-depth: 0 in "
    "actions/checkout."
)


def merge_base(reference: str, head: str, folder: Path) -> str:
    """The commit at which `head` left `reference`: what the head's own changes begin at."""
    _prefix(folder)
    for each in (reference, head):
        problem = f"{each}: is no commit here"
        _git(folder, problem, "rev-parse", "--verify", f"{each}^{{commit}}", remedy=_FETCH)
    problem = f"{reference}: has no common ancestor with {head} here"
    return _git(folder, problem, "merge-base", reference, head, remedy=_FETCH)


@contextmanager
def checked_out(commit: str, folder: Path) -> Generator[Path]:
    """A checkout of the commit; gives what `folder` is in it."""
    inside = _prefix(folder)
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


def _prefix(folder: Path) -> str:
    """Where a folder is in its repository."""
    problem = f"{folder}: is not in a git repository"
    remedy = "Start the command in a clone of the project's repository, or name one with --dir."
    return _git(folder, problem, "rev-parse", "--show-prefix", remedy=remedy)


def _remove(folder: Path, tree: Path) -> None:
    """Remove a checkout, whole or half made."""
    shutil.rmtree(tree, ignore_errors=True)
    _git(folder, "the checkout stays registered", "worktree", "prune")


def _git(folder: Path, problem: str, *arguments: str | Path, remedy: str = "") -> str:
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
        said = [f": {line}" for line in complaint.strip().splitlines()[:1]]
        raise UserError(f"{problem}{''.join(said)}. {remedy}")
    return printed.strip()
