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


def test_what_is_looked_for_is_what_requirements_ask_for() -> None:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {Requirement(line).name for line in lines if not line.startswith("#")}
    names = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in wanted}
    assert names | {"email_validator"} == set(PACKAGES)  # pydantic[email]
