"""The tools that copy images: what they are told, and that no password is where others see it.

The tools are scripts here; tests/registry runs the real ones.
"""

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.images.registry import Login
from langfuse_aws.automation.images.registry_login import Logins
from langfuse_aws.automation.images.tools import TOOLS, Copier, ToolError, credentials, find_tool
from langfuse_aws.automation.plan import UserError
from tests.unit.registry_stand_in import LOGIN

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TOKEN = Login("AWS", "token-4711")
DIGEST = f"sha256:{'a' * 64}"
SOURCE = f"docker.io/clickhouse/clickhouse-server@{DIGEST}"
COPY = f"{ECR}/langfuse-dev/clickhouse-server:25.12"
SKOPEO, CRANE, DOCKER = TOOLS


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def copier(tool: Any, folder: Path) -> Copier:
    return Copier(tool, folder, Redaction([TOKEN.password, TOKEN.encoded]))


def test_the_first_tool_that_is_there_is_taken(programs: Path) -> None:
    program(programs, "docker", 'test "$1 $2" = "buildx version"')
    assert find_tool() is DOCKER
    program(programs, "crane", "")
    assert find_tool() is CRANE
    program(programs, "skopeo", "")
    assert find_tool() is SKOPEO


def test_docker_without_buildx_copies_nothing(programs: Path) -> None:
    program(programs, "docker", "exit 1")
    with pytest.raises(UserError, match=r"^images: nothing on PATH can copy an image"):
        find_tool()


def test_each_tool_copies_a_whole_index_as_it_is(tmp_path: Path) -> None:
    assert SKOPEO.arguments(SOURCE, COPY, tmp_path) == [
        *("skopeo", "copy", "--all", "--preserve-digests", "--retry-times", "3"),
        *("--src-authfile", f"{tmp_path}/sources.json"),
        *("--dest-authfile", f"{tmp_path}/destination.json"),
        *(f"docker://{SOURCE}", f"docker://{COPY}"),
    ]
    assert CRANE.arguments(SOURCE, COPY, tmp_path) == ["crane", "copy", SOURCE, COPY]
    assert DOCKER.arguments(SOURCE, COPY, tmp_path) == [
        *("docker", "buildx", "imagetools", "create", "--tag", COPY, SOURCE)
    ]


def test_skopeo_takes_plain_http_of_this_machine_alone(tmp_path: Path) -> None:
    here = "127.0.0.1:5000/a@sha256:b"
    assert "--dest-tls-verify=false" not in SKOPEO.arguments(here, COPY, tmp_path)
    assert "--src-tls-verify=false" in SKOPEO.arguments(here, COPY, tmp_path)
    assert "--dest-tls-verify=false" in SKOPEO.arguments(SOURCE, "localhost:5000/a:1", tmp_path)


def test_the_logins_are_in_files_of_this_user_alone_which_go(tmp_path: Path, scratch: Path) -> None:
    plugins = tmp_path / "cli-plugins"
    plugins.mkdir()
    logins = Logins({"auths": {"ghcr.io": {"auth": LOGIN.encoded}}, "credsStore": "k"}, plugins)
    with credentials(logins, ["ghcr.io", "docker.io", "ghcr.io"], ECR, TOKEN) as folder:
        assert folder.parent == scratch
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = {each.name: each for each in folder.iterdir() if not each.is_symlink()}
        assert {stat.S_IMODE(each.stat().st_mode) for each in files.values()} == {0o600}
        found = {name: json.loads(each.read_text()) for name, each in files.items()}
        assert (folder / "cli-plugins").resolve() == plugins
    ecr = {ECR: {"auth": TOKEN.encoded}}
    ghcr = {"ghcr.io": {"auth": LOGIN.encoded}}
    assert found == {
        "sources.json": {"auths": ghcr},
        "destination.json": {"auths": ecr},
        "config.json": {"auths": {**ghcr, **ecr}, "credsStore": "k", "credHelpers": {ECR: ""}},
    }
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("scratch")
def test_without_a_login_the_destination_is_asked_as_by_everybody() -> None:
    with credentials(Logins(), ["ghcr.io"], "127.0.0.1:5000", None) as folder:
        assert json.loads((folder / "destination.json").read_text()) == {"auths": {}}


@pytest.mark.parametrize("tool", TOOLS, ids=[tool.name for tool in TOOLS])
def test_no_password_is_on_a_command_line_or_in_the_environment(
    tool: Any, programs: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    program(programs, tool.name, f'echo "$0 $@" > {seen}; /usr/bin/env >> {seen}')
    with credentials(Logins(), [], ECR, TOKEN) as folder:
        copier(tool, folder).copy(SOURCE, COPY)
        told = seen.read_text()
        config = f"DOCKER_CONFIG={folder}\n" in told and f"BUILDX_CONFIG={folder}/buildx\n" in told
    assert SOURCE in told
    assert TOKEN.password not in told
    assert TOKEN.encoded not in told
    assert config is (tool is not SKOPEO)


def test_a_tool_that_fails_is_quoted_without_the_password(programs: Path, tmp_path: Path) -> None:
    lines = f"echo first; echo {TOKEN.password} was >&2; echo >&2; echo refused >&2; exit 3"
    program(programs, "crane", lines)
    with pytest.raises(ToolError) as raised:
        copier(CRANE, tmp_path).copy(SOURCE, COPY)
    assert str(raised.value) == "crane ended with exit code 3: [secret] was refused"


def test_only_the_end_of_a_long_complaint_is_quoted(programs: Path, tmp_path: Path) -> None:
    program(programs, "crane", "for each in 1 2 3 4 5; do echo $each >&2; done; exit 1")
    with pytest.raises(ToolError, match=r"^crane ended with exit code 1: 3 4 5$"):
        copier(CRANE, tmp_path).copy(SOURCE, COPY)


def test_stopping_ends_what_runs_with_its_children_and_begins_nothing_more(
    programs: Path, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    program(programs, "crane", f"/bin/sleep 60 & echo > {began}; wait")
    running = copier(CRANE, tmp_path)
    failures: list[ToolError] = []

    def copy() -> None:
        try:
            running.copy(SOURCE, COPY)
        except ToolError as error:
            failures.append(error)

    thread = threading.Thread(target=copy)
    thread.start()
    while not began.exists():
        thread.join(0.01)
    running.stop()
    thread.join(5)
    assert not thread.is_alive(), "the sleep held its standard error open"
    copy()
    assert [str(each) for each in failures] == [
        "crane was killed by signal 15.",
        "stopped before it began.",
    ]
