"""Runs a boot script for real, by bash, in a temporary folder, with stubs for the machine."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BASH: Final = "/bin/bash"


@dataclass(frozen=True)
class Boot:
    """What a run of a boot script left behind."""

    code: int
    log: str
    calls: list[str]
    """Commands in order, with their arguments, as if the folder were the root."""
    root: Path

    def file(self, path: str) -> str:
        """A file, as if the folder were the root."""
        text = (self.root / path.lstrip("/")).read_text(encoding="utf-8")
        return text.replace(str(self.root), "")

    def named(self, command: str) -> list[str]:
        """Calls of one command."""
        return [call for call in self.calls if call.split()[0] == command]


def noted(stubs: Mapping[str, str]) -> dict[str, str]:
    """Stubs that note their calls first."""
    return {name: f'echo "{name} $*" >> "$CALLS"\n{body}' for name, body in stubs.items()}


def functions(root: Path, stubs: Mapping[str, str]) -> str:
    """Write stubs as functions, for BASH_ENV: files would take a new bash for every call."""
    file = root / "functions"
    # In a trap, a `return` without a number gives the status of what came before the trap.
    text = (f"{name}() {{ (\n{body}\n) || return $?; }}\n" for name, body in stubs.items())
    file.write_text("".join(text))
    return str(file)


def run(root: Path, script: str, stubs: Mapping[str, str]) -> Boot:
    """Run a script in `root`, whose folder `tools` has the programs that are there.

    A stub finds the folder in $ROOT, where calls are noted in $CALLS, and two real programs in
    $CHMOD and $MKDIR.
    """
    calls = root / "calls"
    calls.touch()
    done = subprocess.run(
        [BASH, "-c", script],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=root,
        env={
            "BASH_ENV": functions(root, stubs),
            "CALLS": str(calls),
            "CHMOD": shutil.which("chmod") or "/bin/chmod",
            "MKDIR": shutil.which("mkdir") or "/bin/mkdir",
            "PATH": str(root / "tools"),
            "ROOT": str(root),
        },
        timeout=20,
        umask=0o077,
    )
    return Boot(
        code=done.returncode,
        log=done.stdout,
        calls=calls.read_text(encoding="utf-8").replace(str(root), "").splitlines(),
        root=root,
    )
