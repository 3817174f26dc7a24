"""Ctrl-C in the midst of a comparison: no process of the real engine is left, and no folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from langfuse_aws.automation.engine.folders import REPOSITORY

SECONDS = 120
PROGRAM = """
import time
from pathlib import Path

import pulumi_aws as aws

aws.cloudwatch.LogGroup("group")
Path({begun!r}).touch()
time.sleep(600)
"""


def of_the_command(temporary: Path) -> Iterator[str]:
    """Every process that has this folder for its temporary files."""
    for each in Path("/proc").iterdir():
        try:
            if f"TMPDIR={temporary}".encode() in (each / "environ").read_bytes().split(b"\0"):
                yield (each / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # another's, or gone
            continue


def test_ctrl_c_ends_a_diff_with_its_engines_plugins_and_programs(
    tmp_path: Path, engine_path: str
) -> None:
    temporary, begun, folder = tmp_path / "tmp", tmp_path / "begun", tmp_path / "repository"
    temporary.mkdir()
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text("config:\n  aws:region: us-east-1\n")
    (folder / "__main__.py").write_text(PROGRAM.format(begun=str(begun)))
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm a"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "automation", "diff", "--base", "HEAD", "--dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": engine_path, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + SECONDS
    while not begun.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    assert any("pulumi" in each for each in of_the_command(temporary))
    assert process.stderr
    first = process.stderr.readline()  # tells what is waited for, after two seconds
    process.send_signal(signal.SIGINT)
    printed, complaints = process.communicate(timeout=SECONDS)
    assert (process.returncode, printed) == (130, "")
    told = [first, *complaints.splitlines()]
    assert told[0].startswith("waiting: stack dev, offline: the base is deployed")
    assert told[-1] == "error: stopped by SIGINT."
    assert list(of_the_command(temporary)) == []
    assert [each.name for each in temporary.iterdir() if "langfuse" in each.name] == []
    listed = ["git", "worktree", "list", "--porcelain"]
    trees = subprocess.run(listed, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert trees.count("worktree ") == 1
