"""What `new` writes deploys: by a package, where there is no clone, and by a clone.

Nothing is activated. The wheel is installed into a Python of its own; the packages that it asks for
are those of the tests. The AWS is in memory.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from development import pulumi_cli
from tests.installed import ROOT, Installed, build

pytestmark = pytest.mark.running

Run = Callable[..., str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A Python that has the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = build(folder).glob("*.whl")
    return Installed.of(wheel, folder / "python")


@pytest.fixture
def path() -> str:
    """A PATH that has `pulumi`, and no Python of ours."""
    return os.pathsep.join([str(pulumi_cli.ensure()), os.defpath])


@pytest.fixture
def run(installed: Installed, tmp_path: Path, path: str) -> Run:
    """Run the command in the project's folder."""

    def command(*arguments: str) -> str:
        done = installed.command(*arguments, folder=tmp_path, environment={"PATH": path})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return command


def test_a_written_project_is_previewed_deployed_and_destroyed(run: Run, tmp_path: Path) -> None:
    run("new", "--stack", "team-a", "--size", "dev", "--region", "eu-west-1")
    stack = ("--stack", "team-a", "--offline")
    previewed = run("preview", *stack)
    (planned,) = re.findall(r"^resources by kind of change: (\d+) create\b", previewed, re.M)
    assert int(planned) > 150
    done = run("up", *stack, "--yes")
    assert f"resources by kind of change: {planned} create" in done
    assert re.search(r"^url: https://\w+\.execute-api\.eu-west-1\.amazonaws\.com$", done, re.M)
    assert {path.name for path in tmp_path.iterdir() if path.suffix == ".yaml"} == {
        "Pulumi.yaml",
        "Pulumi.team-a.yaml",
    }
    assert f"{planned} delete" in run("destroy", *stack, "--yes")


def test_what_a_clone_says_to_try_works(tmp_path: Path, path: str) -> None:
    clone = {**os.environ, "PATH": path}

    def command(*words: str) -> str:
        started = [sys.executable, "-m", "automation", *words]
        done = subprocess.run(
            started, cwd=ROOT, env=clone, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = command("new", str(tmp_path / "own"), "--stack", "team-a", "--size", "dev")
    (tried,) = re.findall(r"^  python3 -m automation (up .+ --offline)$", said, re.MULTILINE)
    assert re.search(r"^url: https://", command(*shlex.split(tried), "--yes"), re.MULTILINE)


def test_the_library_deploys_without_a_project(
    installed: Installed, tmp_path: Path, path: str
) -> None:
    script = """
from langfuse_aws.automation.stack import LangfuseStack
with LangfuseStack("team-b", {"size": "dev", "aws:region": "eu-west-1"}, offline=True) as stack:
    print(len(stack.planned().of_type("langfuse:index:LangfuseWeb")))
"""
    assert installed.python_says(script, tmp_path, path).strip() == "1"
