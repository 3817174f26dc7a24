"""`python3 -m automation` of a clone starts in any Python, with nothing activated.

The Pythons here are this one without its packages, and a script in the place of `.venv`'s.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from automation.__main__ import PACKAGES
from langfuse_aws.automation.engine.folders import REPOSITORY

IMPORTED_AS = {"dnspython": "dns", "email-validator": "email_validator"}
WITHOUT_PACKAGES = (sys.executable, "-S")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The part of a clone that starts."""
    shutil.copytree(REPOSITORY / "automation", tmp_path / "automation")
    return tmp_path


def start(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Start it in a Python without packages; the exit code of a missing one is 1."""
    command = [*WITHOUT_PACKAGES, "-m", "automation", *arguments]
    environment = {"PATH": os.defpath}
    return subprocess.run(
        command, cwd=clone, env=environment, capture_output=True, text=True, check=False
    )


def in_python(
    script: str, *python: str, folder: Path = REPOSITORY
) -> "subprocess.CompletedProcess[str]":
    """Run a script in a folder."""
    command = [*(python or (sys.executable,)), "-c", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_python_without_the_packages_hands_over_to_that_of_venv(clone: Path) -> None:
    python = clone / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s|" "$PWD" "$@"\nexit 7\n')
    python.chmod(0o755)
    done = start(clone, "up", "--stack", "a b")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{clone}|-m|automation|up|--stack|a b|"


def test_without_venv_it_says_what_is_missing_and_what_makes_it(clone: Path) -> None:
    done = start(clone, "--help")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {sys.executable} lacks {', '.join(PACKAGES)}: run make demo, which makes .venv "
        "with them, or pip install -r requirements.txt.\n"
    )


def test_the_python_of_venv_does_not_hand_over_to_itself(clone: Path) -> None:
    (clone / ".venv").symlink_to(sys.prefix)
    assert start(clone).returncode == 1


WINDOWS = """
import signal, sys
sys.platform = "win32"
del signal.SIGHUP
"""
"""Makes a Python one of Windows, in what this program notices first."""
PULUMI = """
import shutil, sys, tempfile
from unittest.mock import MagicMock
for name in ("pulumi", "pulumi.automation", "pulumi.automation.events"):
    sys.modules[name] = MagicMock()
"""
"""Has the imports of packages that work on Windows."""
NOT_HERE = (
    "langfuse-aws runs on Linux, on macOS and in WSL, not on Windows itself. Install WSL "
    "(https://learn.microsoft.com/windows/wsl/install), and this program in it."
)


@pytest.mark.parametrize("module", ["automation.__main__", "langfuse_aws.automation.__main__"])
def test_windows_is_told_in_one_line_where_the_program_runs(module: str) -> None:
    done = in_python(f"{WINDOWS}from {module} import main\nmain()", *WITHOUT_PACKAGES)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {NOT_HERE}\n"


@pytest.mark.parametrize("module", ["automation.stack", "langfuse_aws.automation.stack"])
def test_a_program_on_windows_cannot_import_the_library(module: str) -> None:
    done = in_python(f"{PULUMI}{WINDOWS}import {module}", *WITHOUT_PACKAGES)
    assert done.stderr.splitlines()[-1] == f"ImportError: {NOT_HERE}"


def test_a_clone_that_lost_its_link_says_so(clone: Path) -> None:
    """Git for Windows writes a link as a file with its target, and so do many that unpack."""
    package = clone / "langfuse_aws"
    package.mkdir()
    shutil.copy2(REPOSITORY / "langfuse_aws/__init__.py", package)
    (package / "components").write_text("../components")
    told = (
        f"{package / 'components'}: is not the link to components/ that the repository has. "
        "Clone it on Linux, on macOS or in WSL, below the home folder there."
    )
    command = in_python("from automation.__main__ import main\nmain()", folder=clone)
    assert (command.returncode, command.stderr) == (1, f"error: {told}\n")
    program = in_python("from langfuse_aws.components import program", folder=clone)
    assert program.stderr.splitlines()[-1] == f"ImportError: {told}"


def test_what_is_looked_for_is_what_requirements_ask_for() -> None:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {Requirement(line).name for line in lines if not line.startswith("#")}
    names = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in wanted}
    assert names | {"email_validator"} == set(PACKAGES)  # pydantic[email]
