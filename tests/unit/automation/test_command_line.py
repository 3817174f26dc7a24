"""`--help` loads no SDK, no settings and no engine: what is needed is imported by who runs."""

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
from tests.command_lines import Ran, run_lines

HEAVY = ("boto3", "botocore", "pulumi", "pulumi_aws", "httpx", "grpc", "yaml", "settings.model")
"""Typer itself loads pydantic for a command's options."""


def commands() -> list[tuple[str, ...]]:
    """Every command, groups included."""
    found: list[tuple[str, ...]] = [()]
    every: dict[str, Any] = vars(get_command(app))["commands"]
    for name, command in every.items():
        found.append((name,))
        found += [(name, each) for each in getattr(command, "commands", {})]
    return found


@cache
def helped() -> dict[tuple[str, ...], Ran]:
    """What the help of each command does."""
    lines = [(*each, "--help") for each in commands()]
    ran = run_lines(Path(sys.executable), "automation", lines, REPOSITORY)
    return dict(zip(commands(), ran, strict=True))


def test_the_help_of_no_command_loads_an_sdk() -> None:
    loaded = {
        each: heavy
        for each, ran in helped().items()
        if (heavy := [name for name in ran.loaded if name.endswith(HEAVY)])
    }
    assert loaded == {}, "by the first command that does"


def test_the_help_of_every_command_says_what_it_does() -> None:
    for each, ran in helped().items():
        assert (ran.exit_code, ran.stderr) == (0, ""), each
        assert f"Usage: {' '.join(('python3 -m automation', *each))} " in ran.stdout, each
        assert "--help" in ran.stdout, each


def test_the_help_names_every_command_in_the_order_in_which_they_are_needed() -> None:
    named = [name for name, *rest in (each for each in commands() if each) if not rest]
    assert named[:6] == ["new", "validate", "preview", "up", "refresh", "destroy"]
    text = helped()[()].stdout
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
