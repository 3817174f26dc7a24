"""`upgrade --offline` in processes of its own, with the real engine on the in-memory AWS.

It proves that the release is read off a real state, that what a preview shows is not deployed by
itself, that one line of the stack file changes and its comments stay, that a second run has nothing
left to do, and that no way leads back. What AWS and registries do in an upgrade is not tried here.
"""

import os
import subprocess
import sys
from difflib import ndiff
from pathlib import Path

import pytest

from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.image_lock import copy_of_the_repository

pytestmark = pytest.mark.running

PINNED = f"""\
  # We stay on this one until every SDK has moved.
  langfuse:release: {LANGFUSE_3} # pinned
"""


def test_a_stack_goes_from_3_to_4_and_its_file_keeps_its_comments(
    tmp_path: Path, engine_path: str
) -> None:
    copy = copy_of_the_repository(tmp_path / "langfuse")
    file = copy / "Pulumi.dev.yaml"
    file.write_text(file.read_text() + PINNED)
    before = file.read_text()

    def run(code: int, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "automation", *arguments, "--stack", "dev", "--offline"],
            cwd=copy,
            env={**os.environ, "PATH": engine_path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    run(0, "up", "--yes")
    planned = run(0, "upgrade", LANGFUSE, "--dry-run")
    assert f"Stack dev runs Langfuse {LANGFUSE_3}; its file names {LANGFUSE_3}." in planned
    assert "Known trap of 4.0.0: The migrations drop tables" in planned
    assert "there is no terminal to ask at" in run(1, "upgrade", LANGFUSE)
    assert file.read_text() == before, "nobody has said yes"

    upgraded = run(0, "upgrade", LANGFUSE, "--yes")
    preview, _, up = upgraded.partition("Step 3 of 3")
    for name in ("migration", "web", "worker"):
        line = f"aws:ecs:TaskDefinition langfuse-dev-{name}"
        assert line in preview
        assert line in up
    compared = ndiff(before.splitlines(), file.read_text().splitlines())
    assert [line for line in compared if line[0] in "+-"] == [
        f"-   langfuse:release: {LANGFUSE_3} # pinned",
        f"+   langfuse:release: {LANGFUSE} # pinned",
    ]

    again = run(0, "upgrade", LANGFUSE, "--yes")
    assert "It is there already: what is left is deployed, and tested." in again
    assert "(0 changes)" in again
    assert "an older one does not start on them" in run(1, "upgrade", LANGFUSE_3, "--yes")
