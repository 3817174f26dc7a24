"""Finds a usable Pulumi command line, and installs one when the machine has none.

`python -m development.pulumi_cli` prints the folder that holds `pulumi`; everything else it has to
say goes to stderr. Routes, in order, one attempt each:

1. `pulumi` on PATH, if it is new enough and has its Python language host;
2. this project's cache, `~/.cache/langfuse-aws/pulumi-v…`;
3. Pulumi's official installer, through the Automation API, into that cache;
4. a build from source with Go, into that cache, for networks that only reach a Go module mirror.

Routes 1 and 2 are `langfuse_aws.automation.engine.pulumi_cli`, which every command takes; what
routes 3 and 4 do is in `development.pulumi_cli_install`. It does not
touch an existing installation, `~/.pulumi`, or the user's PATH, and it knows Linux and macOS only.
It needs nothing but the standard library; route 3 imports `pulumi` in a child process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from development.pulumi_cli_install import (
    INSTALLER_SITE,
    MINIMUM_GO,
    RouteError,
    built,
    downloaded,
    go_minimum,
    locked,
    put_in_place,
    run,
    say,
    scratch_folder,
)
from langfuse_aws.automation.engine.pulumi_cli import (
    CLI,
    INSTALLED,
    MINIMUM,
    PULUMI_SITE,
    VERSION_SECONDS,
    UnusableError,
    cache_folder,
    cached,
    complete,
    format_version,
    on_path,
    parse_version,
)

GO_SITE = "https://go.dev/dl/"


class PulumiUnavailableError(Exception):
    """No route led to a usable CLI; the message lists every one, and says what to do."""


def search_path(folder: Path) -> str:
    """Return the PATH for commands that run Pulumi programs.

    This interpreter's folder comes first: a language host that was built from source takes the
    `python3` it finds on PATH, and does not read `virtualenv` in Pulumi.yaml.
    """
    return os.pathsep.join(
        [str(Path(sys.executable).parent), str(folder), os.environ.get("PATH", os.defpath)]
    )


def ensure() -> Path:
    """Return the folder of a usable `pulumi`, installing it into the cache if need be."""
    tried: list[str] = []
    found = _attempt("`pulumi` on PATH", _on_path, tried) or _attempt(
        f"the cache {cache_folder()}", lambda: cached().folder, tried
    )
    if found:
        return found
    try:
        with locked(cache_folder()):
            return _install(tried)
    except OSError as error:
        tried.append(f"writing to the cache {cache_folder().parent}: {error}")
        _give_up(tried, "Set XDG_CACHE_HOME to a folder that you can write to")


def main() -> int:
    """Print the folder of a usable `pulumi`."""
    argparse.ArgumentParser(
        prog="python -m development.pulumi_cli",
        description="Print the folder of a usable pulumi; install one if there is none.",
    ).parse_args()
    try:
        print(ensure())
    except PulumiUnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was installed", file=sys.stderr)
        return 130
    return 0


def _attempt(name: str, route: Callable[[], Path], tried: list[str]) -> Path | None:
    try:
        return route()
    except UnusableError as error:
        tried.append(f"{name}: {error}")
        return None


def _give_up(tried: Sequence[str], remedy: str) -> NoReturn:
    routes = "\n".join(f"  {number}. {route}" for number, route in enumerate(tried, start=1))
    raise PulumiUnavailableError(
        "no usable Pulumi CLI here, and none could be installed. Tried, in this order:\n"
        f"{routes}\n{remedy}, and run this again."
    )


def _on_path() -> Path:
    try:
        return on_path().folder
    except UnusableError as error:
        if shutil.which(CLI):
            say(f"not using the pulumi on PATH: {error}")
        raise


def _usable_go(scratch: Path) -> str:
    go = shutil.which("go")
    if not go:
        raise RouteError(f"Go is not on PATH; {go_minimum()} or newer is needed")
    answer = run([go, "version"], folder=scratch, limit=VERSION_SECONDS, doing="asking Go")
    version = parse_version(answer)
    if version is None:
        raise RouteError(f"`{go} version` answered {answer.strip()!r}, not a version")
    if version < MINIMUM_GO:
        raise RouteError(f"{go} is {format_version(version)}; {go_minimum()} or newer is needed")
    return go


def _install(tried: list[str]) -> Path:
    with contextlib.suppress(UnusableError):
        return cached().folder  # another run installed it while this one waited for the lock
    target = cache_folder()
    routes: tuple[tuple[str, Callable[[Path], Path]], ...] = (
        (f"the official installer ({INSTALLER_SITE})", downloaded),
        ("a build from source with Go", lambda scratch: built(scratch, _usable_go(scratch))),
    )
    for name, route in routes:
        with scratch_folder(target) as scratch:
            found = _attempt(
                name,
                lambda r=route, s=scratch: put_in_place(r(s), target, complete),
                tried,
            )
        if found:
            say(f"Pulumi {INSTALLED} is installed in {found}")
            return found
        say(tried[-1])
    _give_up(
        tried,
        f"Install Pulumi {format_version(MINIMUM)} or newer from {PULUMI_SITE}, "
        f"or Go {go_minimum()} or newer from {GO_SITE}",
    )


if __name__ == "__main__":
    sys.exit(main())
