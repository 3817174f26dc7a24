"""What a release refuses before it builds anything, and what it publishes.

Runs steps of release.yml in bash, with the real `development.release_notes` in a Python without
packages. What builds the archives is tested by tests/package; GitHub has published nothing yet.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from langfuse_aws import __version__
from langfuse_aws.settings.installation import REPOSITORY_URL
from tests.workflow import GITHUB, ROOT, calls_in, jobs, run_shell, step_of

REPOSITORY: Final = "https://github.com/acme/langfuse"


def take_notes(folder: Path, tag: str, repository: str) -> "subprocess.CompletedProcess[str]":
    """Run the step that decides whether there is a release, before anything is installed."""
    return run_shell(
        step_of("release.yml", "Take the release's section of the changelog"),
        folder,
        {"python": f'exec {sys.executable} -S "$@"'},
        {"TAG": tag, "REPOSITORY": repository, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("tag", "repository", "said"),
    [
        ("v0.0.0", REPOSITORY_URL, "error: v0.0.0: langfuse_aws/__init__.py says "),
        (f"v{__version__}", REPOSITORY, "error: langfuse_aws/settings/installation.py: "),
    ],
)
def test_what_does_not_agree_is_refused_before_anything_is_built(
    tmp_path: Path, tag: str, repository: str, said: str
) -> None:
    done = take_notes(tmp_path, tag, repository)
    assert done.returncode == 1
    assert done.stderr.startswith(said)


def test_the_archives_wait_as_long_as_a_reviewer_may() -> None:
    """A job waits 30 days for its environment's reviewers.

    https://docs.github.com/actions/managing-workflow-runs/reviewing-deployments
    """
    build, publish = jobs(GITHUB / "workflows/release.yml").values()
    assert "environment" in publish
    (days,) = [
        step["with"]["retention-days"]
        for step in build["steps"]
        if "actions/upload-artifact@" in step.get("uses", "")
    ]
    assert days > 30


def publish(folder: Path, damaged: bool) -> "subprocess.CompletedProcess[str]":
    """Run the step that publishes, on archives in `dist` whose checksums were written before."""
    dist = folder / "dist"
    dist.mkdir()
    for name in ("a.whl", "a.tar.gz"):
        (dist / name).write_text(name)
    sums = subprocess.run(
        ["sha256sum", "--", "a.whl", "a.tar.gz"], cwd=dist, capture_output=True, check=True
    ).stdout
    (dist / "SHA256SUMS").write_bytes(sums)
    if damaged:
        (dist / "a.whl").write_text("b")
    script = step_of("release.yml", "Publish")
    return run_shell(f"cd dist\n{script}", folder, {"gh": "exit 0"}, {"TAG": "v1.2.3"})


def test_the_archives_are_published_under_the_tag_with_their_checksums(tmp_path: Path) -> None:
    assert publish(tmp_path, damaged=False).returncode == 0
    assert calls_in(tmp_path) == [
        "gh release create v1.2.3 --verify-tag --title v1.2.3 --notes-file notes.md "
        "SHA256SUMS ./a.whl ./a.tar.gz"
    ]


def test_an_archive_that_is_not_what_was_built_is_not_published(tmp_path: Path) -> None:
    assert publish(tmp_path, damaged=True).returncode == 1
    assert calls_in(tmp_path) == []
