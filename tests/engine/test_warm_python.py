"""The warm Python against a Python of its own: the same program, run by both.

It proves that a program cannot tell them apart by what it is given, that it is read from disk each
time, and that its end reaches whoever started it. The other tests of this folder use it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.warm_python import PIP_LIST, SOCKET

REPORT = """\
import json, os, sys
sys.stderr.write("to stderr")
print(json.dumps({
    "arguments": sys.argv,
    "input": sys.stdin.read(),
    "folder": os.getcwd(),
    "environment": dict(os.environ),
    "path": sys.path,
    "executable": sys.executable,
    "name": __name__,
    "own": sorted({"components", "langfuse_aws"} & {name.split(".")[0] for name in sys.modules}),
}))
sys.exit(int(sys.argv[1]))
"""
WAIT = """\
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: sys.exit(100 + number))
print(os.getpid(), "pulumi_aws.ec2" in sys.modules, flush=True)
time.sleep(60)
"""


@pytest.fixture
def executor(tmp_path: Path) -> Path:
    """A program in the place of the language host's."""
    file = tmp_path / "pulumi-language-python-exec"
    file.write_text(REPORT, encoding="utf-8")
    return file


def run(
    arguments: Sequence[str | Path], folder: Path, server: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a Python as the language host does; without `server`, with the one there is."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "MARK": "é", **({} if server is None else {SOCKET: server})},
        input="typed",
        timeout=600,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_is_given_what_a_python_of_its_own_gives_it(executor: Path) -> None:
    warm, cold = (run([executor, "7", "ü"], executor.parent, server) for server in (None, ""))
    assert (warm.returncode, warm.stderr) == (cold.returncode, cold.stderr) == (7, "to stderr")
    seen, expected = json.loads(warm.stdout), json.loads(cold.stdout)
    del seen["environment"][SOCKET], expected["environment"][SOCKET]
    assert seen == expected
    assert seen["input"] == "typed"
    assert seen["own"] == [], "what is tested is read anew"


def test_each_run_reads_the_program_again(executor: Path) -> None:
    run([executor, "0"], executor.parent)
    executor.write_text("raise SystemExit(3)", encoding="utf-8")
    assert run([executor, "0"], executor.parent).returncode == 3


def test_a_program_that_fails_says_so(executor: Path) -> None:
    executor.write_text("raise ValueError('wrong')", encoding="utf-8")
    done = run([executor], executor.parent)
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: wrong\n")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 102), (signal.SIGTERM, 115), (signal.SIGKILL, -9)]
)
def test_a_program_gets_the_signals_of_its_client_and_does_not_outlive_it(
    executor: Path, number: signal.Signals, status: int
) -> None:
    executor.write_text(WAIT, encoding="utf-8")
    with subprocess.Popen([sys.executable, executor], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout
        child, imported = client.stdout.readline().split()
        assert (int(child) != client.pid, imported) == (True, "True"), "the server's child"
        client.send_signal(number)
        client.communicate(timeout=600)  # the pipe is closed when both have ended
        assert client.returncode == status


def test_without_a_server_the_program_runs_all_the_same(executor: Path, tmp_path: Path) -> None:
    done = run([executor, "5"], executor.parent, str(tmp_path / "nobody"))
    assert done.returncode == 5
    assert json.loads(done.stdout)["input"] == "typed"


def test_any_other_python_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("import sys; print('pulumi' in sys.modules, end='')", encoding="utf-8")
    assert run([other], tmp_path).stdout == "False"


def test_the_list_of_packages_is_the_true_one(tmp_path: Path) -> None:
    warm, cold = (run(PIP_LIST, tmp_path, server).stdout for server in (None, ""))
    assert json.loads(warm) == json.loads(cold)
