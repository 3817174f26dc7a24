"""Commands take the Pulumi CLI on PATH, or else the one that `make demo` has put into the cache.

The CLIs are scripts that tell a version and what PATH they see.
"""

import os
from pathlib import Path

import pytest

from langfuse_aws.automation.engine.operation import Command
from langfuse_aws.automation.engine.pulumi_cli import CACHED_FILES, cache_folder
from langfuse_aws.automation.errors import UserError

COMPLETE = CACHED_FILES
ALONE = CACHED_FILES[:1]


def put(folder: Path, version: str, files: tuple[str, ...] = COMPLETE) -> Path:
    """Write a CLI that prints its name, and the PATH that it was given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).write_text(
            f'#!/bin/sh\n[ "$1" = version ] && {{ echo v{version}; exit; }}\n'
            f'echo "{version} $PATH"\n'
        )
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; the cache is empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def ran(path: Path) -> list[str]:
    """What a `pulumi` says that is started with a PATH: its version, and the PATH it has."""
    done = Command().run(["about"], "/", {"PATH": str(path)})
    version, _, seen = done.stdout.strip().partition(" ")
    return [version, *seen.split(os.pathsep)]


def test_the_cache_is_looked_into_where_path_has_none_and_its_folder_joins_path(
    programs: Path,
) -> None:
    cache = put(cache_folder(), "3.250.0")
    assert ran(programs) == ["3.250.0", str(cache), str(programs)]


def test_the_one_on_path_comes_first_and_path_stays_as_it_is(programs: Path) -> None:
    put(cache_folder(), "3.250.0")
    put(programs, "3.272.0")
    assert ran(programs) == ["3.272.0", str(programs)]


@pytest.mark.parametrize(("version", "files"), [("3.249.9", COMPLETE), ("3.272.0", ALONE)])
def test_the_cache_stands_in_for_one_that_is_too_old_or_cannot_run_python(
    programs: Path, version: str, files: tuple[str, ...]
) -> None:
    put(programs, version, files)
    cache = put(cache_folder(), "3.250.0")
    assert ran(programs) == ["3.250.0", str(cache), str(programs)]


def test_a_language_host_may_be_where_only_the_engine_finds_it(programs: Path) -> None:
    put(programs, "3.272.0", ALONE)
    assert ran(programs) == ["3.272.0", str(programs)]


def test_half_a_cache_is_none(programs: Path) -> None:
    put(cache_folder(), "3.250.0", ALONE)
    with pytest.raises(UserError, match="pulumi: not found on PATH"):
        Command()
    assert list(programs.iterdir()) == []


@pytest.mark.parametrize("version", ["3.249.9", "4.0.0"])
def test_another_version_is_refused_with_the_bound_and_the_remedy(
    programs: Path, version: str
) -> None:
    put(programs, version)
    with pytest.raises(UserError) as caught:
        Command()
    assert str(caught.value) == (
        f"pulumi: {programs}/pulumi is {version}; 3.250.0 or newer, below 4.0, is needed. "
        "Install it: https://www.pulumi.com/docs/install/."
    )
