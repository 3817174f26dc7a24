"""`--help` loads no SDK, no settings and no engine: what is needed is imported by who runs."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.cli import deploy
from langfuse_aws.automation.engine.folders import REPOSITORY

HEAVY = ("boto3", "botocore", "pulumi", "pulumi_aws", "httpx", "grpc", "yaml", "settings.model")
"""Typer itself loads pydantic for a command's options."""
SCRIPT = """
import json, runpy, sys
sys.argv = ["automation", *sys.argv[1:]]
try:
    runpy.run_module("automation", run_name="__main__")
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]))
"""


@cache
def helped(*arguments: str) -> tuple[int, list[str], str]:
    """The exit code of a command's help, the modules that it has loaded, and its text."""
    command = [sys.executable, "-c", SCRIPT, *arguments, "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    text, _, last = done.stdout.rstrip().rpartition("\n")
    code, modules = json.loads(last)
    return code, modules, text


def commands() -> list[tuple[str, ...]]:
    """Every command, groups included."""
    found: list[tuple[str, ...]] = [()]
    every: dict[str, Any] = vars(get_command(app))["commands"]
    for name, command in every.items():
        found.append((name,))
        found += [(name, each) for each in getattr(command, "commands", {})]
    return found


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_help_loads_no_sdk_and_says_what_the_command_does(arguments: tuple[str, ...]) -> None:
    code, modules, text = helped(*arguments)
    assert code == 0
    assert [each for each in modules if each.endswith(HEAVY)] == []
    assert "Usage: python3 -m automation" in text
    assert "--help" in text


def test_the_help_names_every_command_in_the_order_in_which_they_are_needed() -> None:
    named = [name for name, *rest in (each for each in commands() if each) if not rest]
    assert named[:6] == ["new", "validate", "preview", "up", "refresh", "destroy"]
    _, _, text = helped()
    assert all(f" {name} " in text for name in named)


def test_a_relative_folder_is_one_of_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path] = []

    def preview(*, folder: Path, **_: object) -> None:
        given.append(folder)

    monkeypatch.setattr(deploy, "preview", preview)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["preview", "--stack", "dev", "--dir", ".", "--offline"])
    assert (result.exit_code, given) == (0, [tmp_path]), "state is in it, by an absolute URL"
