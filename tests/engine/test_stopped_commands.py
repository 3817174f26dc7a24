"""The first Ctrl-C ends a command with 130 and leaves nothing; what a command waits for is said.

Commands are processes of their own. A script stands in for `pulumi`: it never ends by itself, has a
child in a process group of its own, as the engine's plugins are, and takes no notice of SIGINT. The
real engine is in tests/engine/test_stopping.py.
"""

import io
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from langfuse_aws.automation.engine import waiting
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.waiting import waits

PULUMI = """#!{python} -SE
import os, pathlib, signal, subprocess, sys, time
if sys.argv[1] == "version":
    print("3.272.0")
    sys.exit()
signal.signal(signal.SIGINT, signal.SIG_IGN)
wait = [sys.executable, "-SEc", "import time; time.sleep(600)"]
child = subprocess.Popen(wait, process_group=0) if sys.version_info >= (3, 11) else (
    subprocess.Popen(wait, preexec_fn=os.setpgrp))
pids = pathlib.Path({folder!r}) / f"pids-{{os.getpid()}}"
pids.with_suffix(".new").write_text(f"{{os.getpid()}} {{child.pid}}")
pids.with_suffix(".new").rename(pids)
time.sleep(600)
"""
pytestmark = pytest.mark.running

SECONDS = 60
"""How long what must happen may take on a busy machine; what must not happen takes 600."""


@pytest.fixture(autouse=True)
def with_terminal() -> Iterator[None]:
    """What a test starts inherits whether the end of the terminal is ignored, as by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, temporary = tmp_path / "bin", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    script = folder / "pulumi"
    script.write_text(PULUMI.format(python=sys.executable, folder=str(folder)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///nonexistent")
    return folder


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "automation", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.01)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    try:
        printed, complaints = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, printed, complaints


def running(pid: int) -> bool:
    listed = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(listed, capture_output=True, text=True, check=False).stdout.strip()
    return state not in ("", "Z") and not state.startswith("Z")


def begun(folder: Path) -> list[int]:
    return [int(pid) for each in folder.glob("pids-*[0-9]") for pid in each.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_all_that_it_has_started(number: int, pulumi: Path) -> None:
    process = start("graph", "--stack", "dev")
    until(lambda: begun(pulumi))
    process.send_signal(number)
    code, printed, complaints = ended(process)
    assert (code, printed) == (130, "")
    assert f"error: stopped by {signal.Signals(number).name}." in complaints
    assert "Traceback" not in complaints
    assert [pid for pid in begun(pulumi) if running(pid)] == []
    assert [path for path in (pulumi.parent / "tmp").iterdir() if "langfuse" in path.name] == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("outputs --stack dev", "stopped by SIGINT."),
        ("outputs --stack dev --json", "stopped by SIGINT."),
        ("preview --stack dev", "preview of stack dev: stopped; nothing was changed."),
        ("preview --stack dev --json", "preview of stack dev: stopped; nothing was changed."),
        ("preview --stack dev --offline", "preview of stack dev: stopped; nothing was changed."),
        ("up --stack dev --yes", "stopped by SIGINT."),
        ("destroy --stack dev --yes", "stopped by SIGINT."),
        ("cost --deployed", "stopped by SIGINT."),
        ("restore postgres --stack dev --snapshot x", "stopped by SIGINT."),
        ("smoke --stack dev", "stopped by SIGINT."),
        ("status --stack dev", "stopped by SIGINT."),
        ("logs worker --stack dev --follow", "stopped by SIGINT."),
    ],
)
def test_every_command_says_that_it_was_stopped(command: str, words: str, pulumi: Path) -> None:
    process = start(*command.split())
    until(lambda: begun(pulumi))
    process.send_signal(signal.SIGINT)
    code, printed, complaints = ended(process)
    assert code == 130, complaints
    assert words in (printed if "--json" in command else complaints)
    assert [pid for pid in begun(pulumi) if running(pid)] == []


@pytest.fixture
def silence() -> Iterator[str]:
    """An address at which everything is taken and nothing answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("pulumi")
def test_what_waits_in_threads_is_ended_too(silence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", silence)
    for proxy in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(proxy, silence)
    process = start("preflight", "--stack", "dev")
    assert process.stderr
    assert "waiting: asking AWS" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    code, _, complaints = ended(process)
    assert (code, complaints) == (130, "error: stopped by SIGINT.\n")


def repository(folder: Path) -> Path:
    """A repository of two commits with a stack in it, and a program that nobody gets to."""
    (folder / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    (folder / "__main__.py").touch()
    for size in ("dev", "prod"):
        text = f"config: {{'langfuse:size': {size}, 'aws:region': eu-west-1}}\n"
        (folder / "Pulumi.dev.yaml").write_text(text)
        for command in (
            "init -q",
            "add .",
            f"-c user.name=a -c user.email=a@b.c commit -qm {size}",
        ):
            subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


def test_diff_ends_its_engines_and_leaves_no_checkout(pulumi: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    process = start("diff", "--base", "HEAD~1", "--dir", str(repository(folder)))
    until(lambda: begun(pulumi))
    process.send_signal(signal.SIGINT)
    code, printed, complaints = ended(process)
    assert (code, printed) == (130, "")
    assert complaints.endswith("error: stopped by SIGINT.\n")
    assert [pid for pid in begun(pulumi) if running(pid)] == []
    assert [path for path in (pulumi.parent / "tmp").iterdir() if "langfuse" in path.name] == []
    listed = ["git", "worktree", "list", "--porcelain"]
    trees = subprocess.run(listed, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert trees.count("worktree ") == 1


# --- what is waited for


def test_a_wait_in_a_pipe_is_a_line_on_stderr_and_none_for_tools(pulumi: Path) -> None:
    for command, lines in (
        ("graph --stack dev", True),
        ("outputs --stack dev", True),
        ("preview --stack dev", True),
        ("outputs --stack dev --json", False),
    ):
        process = start(*command.split())
        assert process.stderr
        if lines:
            assert process.stderr.readline().startswith("waiting: ")
        else:
            until(lambda: begun(pulumi))
        process.send_signal(signal.SIGINT)
        code, printed, complaints = ended(process)
        assert code == 130
        assert "waiting: " not in printed
        assert lines or complaints == ""
        for each in pulumi.glob("pids-*"):
            each.unlink()


def test_on_a_terminal_a_wait_is_shown_and_ctrl_c_ends_it(pulumi: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "automation", "graph", "--stack", "dev"],
        cwd=REPOSITORY,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while b"an offline preview of stack dev" not in shown:
        shown += os.read(ours, 4096)
    until(lambda: begun(pulumi))
    os.write(ours, b"\x03")
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # the terminal's other end is closed
        pass
    assert process.wait(SECONDS) == 130
    assert b"stopped by SIGINT." in shown
    assert [pid for pid in begun(pulumi) if running(pid)] == []


def _take_terminal() -> None:
    """Make standard input this session's terminal, so that Ctrl-C reaches who is in front."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_what_lasts_is_told_again_and_what_is_over_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(waiting, "error_console", Console(file=written, width=80))
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.001)
    monkeypatch.setattr(waiting, "AGAIN_SECONDS", 0.001)
    with waits("the engine") as update:
        until(lambda: written.getvalue().count("waiting: the engine (0:00)\n") > 1)
        update("a database")
        until(lambda: "waiting: a database (0:00)\n" in written.getvalue())
    assert threading.active_count() == len(threading.enumerate())
    told = written.getvalue()
    with waits.silent(True), waits("nobody") as update:
        update("is told")
    assert written.getvalue() == told
    assert re.fullmatch(r"(waiting: (the engine|a database) \(0:00\)\n)+", told)
