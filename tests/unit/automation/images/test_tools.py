"""How images are copied: what skopeo is told, and that no password is where others see it.

It is a script here; tests/registry runs the real one.
"""

import json
import stat
import threading
from pathlib import Path

import pytest

from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images.registry import Login
from langfuse_aws.automation.images.tools import Copier, ToolError, command, find_skopeo, login_file

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
TOKEN = Login("AWS", "token-4711")
DIGEST = f"sha256:{'a' * 64}"
SOURCE = f"docker.io/clickhouse/clickhouse-server@{DIGEST}"
COPY = f"{ECR}/langfuse-dev/clickhouse-server:25.12"


def skopeo(folder: Path, script: str) -> None:
    path = folder / "skopeo"
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


def copier(logins: Path) -> Copier:
    return Copier(logins, Redaction([TOKEN.password, TOKEN.encoded]))


def test_without_skopeo_one_line_says_where_to_get_it(programs: Path) -> None:
    with pytest.raises(UserError, match=r"^images: skopeo, .* not on PATH\. Install it: apt-get"):
        find_skopeo()
    skopeo(programs, "")
    find_skopeo()


def test_a_whole_index_is_copied_as_it_is(tmp_path: Path) -> None:
    assert command(SOURCE, COPY, tmp_path / "a.json") == [
        *("skopeo", "copy", "--all", "--preserve-digests", "--retry-times", "3"),
        *("--dest-authfile", f"{tmp_path}/a.json"),
        *(f"docker://{SOURCE}", f"docker://{COPY}"),
    ]


def test_plain_http_is_for_registries_of_this_machine_alone(tmp_path: Path) -> None:
    here = "127.0.0.1:5000/a@sha256:b"
    assert "--dest-tls-verify=false" not in command(here, COPY, tmp_path)
    assert "--src-tls-verify=false" in command(here, COPY, tmp_path)
    assert "--dest-tls-verify=false" in command(SOURCE, "localhost:5000/a:1", tmp_path)


def test_the_login_is_in_a_file_of_this_user_alone_which_goes(scratch: Path) -> None:
    with login_file(ECR, TOKEN) as file:
        assert file.parent.parent == scratch
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == {"auths": {ECR: {"auth": TOKEN.encoded}}}
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("scratch")
def test_without_a_login_the_destination_is_asked_as_by_everybody() -> None:
    with login_file("127.0.0.1:5000", None) as file:
        assert json.loads(file.read_text()) == {"auths": {}}


def test_no_password_is_on_a_command_line_or_in_the_environment(
    programs: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    skopeo(programs, f'echo "$0 $@" > {seen}; /usr/bin/env >> {seen}')
    with login_file(ECR, TOKEN) as file:
        copier(file).copy(SOURCE, COPY)
    told = seen.read_text()
    assert SOURCE in told
    assert TOKEN.password not in told
    assert TOKEN.encoded not in told


def test_a_tool_that_fails_is_quoted_without_the_password(programs: Path, tmp_path: Path) -> None:
    lines = f"echo first; echo {TOKEN.password} was >&2; echo >&2; echo refused >&2; exit 3"
    skopeo(programs, lines)
    with pytest.raises(ToolError) as raised:
        copier(tmp_path).copy(SOURCE, COPY)
    assert str(raised.value) == "skopeo ended with exit code 3: [secret] was refused"


def test_only_the_end_of_a_long_complaint_is_quoted(programs: Path, tmp_path: Path) -> None:
    skopeo(programs, "for each in 1 2 3 4 5; do echo $each >&2; done; exit 1")
    with pytest.raises(ToolError, match=r"^skopeo ended with exit code 1: 3 4 5$"):
        copier(tmp_path).copy(SOURCE, COPY)


def test_stopping_ends_what_runs_with_its_children_and_begins_nothing_more(
    programs: Path, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    skopeo(programs, f"/bin/sleep 60 & echo > {began}; wait")
    running = copier(tmp_path)
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
        "skopeo was killed by signal 15.",
        "stopped before it began.",
    ]
