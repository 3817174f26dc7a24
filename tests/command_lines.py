"""Runs command lines one after the other in one new Python, which imports what they share once.

What a process alone can show, as its signals, streams and folder, is not what this is for.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SCRIPT: Final = """
import contextlib, io, json, runpy, sys
program, *lines = sys.argv[1:]
start = runpy.run_path if "/" in program else runpy.run_module
known = set()
for line in lines:
    sys.argv = [program, *json.loads(line)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            start(program, run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code
    loaded = set(sys.modules) - known
    known |= loaded
    print(json.dumps([code, out.getvalue(), err.getvalue(), sorted(loaded)]), file=sys.__stdout__)
"""


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    exit_code: int
    stdout: str
    stderr: str
    loaded: Sequence[str]
    """The modules that the lines before had not loaded."""


def run_lines(
    python: Path,
    program: str | Path,
    lines: Sequence[Sequence[str]],
    folder: Path,
    environment: Mapping[str, str] = os.environ,
) -> list[Ran]:
    """Run a script by its absolute path, or a module by its name, with the arguments of each line.

    An exception that is no SystemExit fails the test.
    """
    done = subprocess.run(
        [python, "-c", SCRIPT, str(program), *map(json.dumps, lines)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Ran(*json.loads(line)) for line in done.stdout.splitlines()]
