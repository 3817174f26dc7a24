"""Finds a usable Pulumi command line, and installs one when the machine has none.

`python -m development.pulumi_cli` prints the folder that holds `pulumi`; everything else it has to
say goes to stderr. Routes, in order, one attempt each:

1. `pulumi` on PATH, if it is new enough and has its Python language host;
2. this project's cache, `~/.cache/langfuse-aws/pulumi-v…`;
3. Pulumi's official installer, through the Automation API, into that cache;
4. a build from source with Go, into that cache, for networks that only reach a Go module mirror.

It does not touch an existing installation, `~/.pulumi`, or the user's PATH, and it knows Linux and
macOS only. It needs nothing but the standard library; route 3 imports `pulumi` in a child process.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NoReturn

Version = tuple[int, int, int]

MINIMUM: Version = (3, 200, 0)
"""The oldest `pulumi` on PATH that is used as it is."""
INSTALLED = "3.250.0"
"""The version that the installer fetches and the build makes."""
MINIMUM_GO: Version = (1, 25, 0)

PULUMI_MODULE = "github.com/pulumi/pulumi/pkg/v3"
PULUMI_COMMAND = f"{PULUMI_MODULE}/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
LANGUAGE_HOST_COMMAND = f"{SDK_MODULE}/python/cmd/pulumi-language-python"
# Since sdk 3.80.0 the language host is a module of its own, which was never published: module
# mirrors do not have it. This release is the last whose sdk module contains it.
LANGUAGE_HOST_SDK = "3.79.0"
# Pulumi's own go.mod replaces this module, and a replacement does not reach those who depend on it.
CLIPBOARD_REPLACEMENT = (
    "github.com/atotto/clipboard => "
    "github.com/tgummerer/clipboard v0.0.0-20241001131231-d02d263e614e"
)

CLI = "pulumi"
LANGUAGE_HOST = "pulumi-language-python"
LANGUAGE_EXECUTOR = "pulumi-language-python-exec"
CACHED_FILES = (CLI, LANGUAGE_HOST, LANGUAGE_EXECUTOR)

VERSION_SECONDS = 30
CONNECT_SECONDS = 15
DOWNLOAD_SECONDS = 300
MODULES_SECONDS = 900
BUILD_SECONDS = 1800
HEARTBEAT_SECONDS = 30
QUOTED_LINES = 4

INSTALLER_SITE = "https://get.pulumi.com"
PULUMI_SITE = "https://www.pulumi.com/docs/install/"
GO_SITE = "https://go.dev/dl/"
REPOSITORY = Path(__file__).resolve().parent.parent


class RouteError(Exception):
    """One route did not lead to a usable CLI; the message says what failed."""


class PulumiUnavailableError(Exception):
    """No route led to a usable CLI; the message lists every one, and says what to do."""


def parse_version(text: str) -> Version | None:
    """Read the first `major.minor[.patch]` of a command's answer, or None if it has none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def format_version(version: Version) -> str:
    """Write a version as people do."""
    return ".".join(str(part) for part in version)


def cache_folder() -> Path:
    """Where this project keeps the CLI that it installed."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = configured if configured.is_absolute() else Path.home() / ".cache"
    return root / "langfuse-aws" / f"pulumi-v{INSTALLED}"


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
        f"the cache {cache_folder()}", _cached, tried
    )
    if found:
        return found
    try:
        with _locked():
            return _install(tried)
    except OSError as error:
        tried.append(f"writing to the cache {cache_folder().parent}: {error}")
        _give_up(tried, "Set XDG_CACHE_HOME to a folder that you can write to")


def main() -> int:
    """Print the folder of a usable `pulumi`."""
    parser = argparse.ArgumentParser(
        prog="python -m development.pulumi_cli",
        description="Print the folder of a usable pulumi; install one if there is none.",
    )
    parser.add_argument("--download-into", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.download_into:
        return _download_into(arguments.download_into)
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
    except RouteError as error:
        tried.append(f"{name}: {error}")
        return None


def _give_up(tried: Sequence[str], remedy: str) -> NoReturn:
    routes = "\n".join(f"  {number}. {route}" for number, route in enumerate(tried, start=1))
    raise PulumiUnavailableError(
        "no usable Pulumi CLI here, and none could be installed. Tried, in this order:\n"
        f"{routes}\n{remedy}, and run this again."
    )


def _on_path() -> Path:
    found = shutil.which(CLI)
    if not found:
        raise RouteError("not found")
    folder = Path(found).parent
    try:
        version = _pulumi_version(folder)
        wanted = f"{format_version(MINIMUM)} or newer, below {MINIMUM[0] + 1}.0, is needed"
        if version < MINIMUM or version[0] != MINIMUM[0]:
            raise RouteError(f"{found} is {format_version(version)}; {wanted}")
        if not (_is_program(folder / LANGUAGE_HOST) or shutil.which(LANGUAGE_HOST)):
            raise RouteError(f"{found} has no {LANGUAGE_HOST} beside it, and PATH has none")
    except RouteError as error:
        _say(f"not using the pulumi on PATH: {error}")
        raise
    return folder


def _cached() -> Path:
    folder = cache_folder()
    if not folder.is_dir():
        raise RouteError("empty")
    _check_complete(folder)
    return folder


def _check_complete(folder: Path) -> None:
    missing = [name for name in CACHED_FILES if not _is_program(folder / name)]
    if missing:
        raise RouteError(f"{folder} lacks {', '.join(missing)}")
    _pulumi_version(folder)


def _pulumi_version(folder: Path) -> Version:
    try:
        answer = subprocess.run(
            [str(folder / CLI), "version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            check=True,
        ).stdout
    except subprocess.CalledProcessError as error:
        said = _last_lines(error.stderr or error.stdout)
        raise RouteError(f"`{folder / CLI} version` failed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RouteError(f"`{folder / CLI} version` failed: {error}") from error
    version = parse_version(answer)
    if version is None:
        raise RouteError(f"`{folder / CLI} version` answered {answer.strip()!r}, not a version")
    return version


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


@contextlib.contextmanager
def _locked() -> Generator[None]:
    target = cache_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another run is installing Pulumi; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(tried: list[str]) -> Path:
    with contextlib.suppress(RouteError):
        return _cached()  # another run installed it while this one waited for the lock
    target = cache_folder()
    prefix = f".{target.name}-"
    for abandoned in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    routes = (
        (f"the official installer ({INSTALLER_SITE})", _downloaded),
        ("a build from source with Go", _built),
    )
    for name, route in routes:
        with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as scratch:
            found = _attempt(name, lambda r=route, s=scratch: _put_in_cache(r(Path(s))), tried)
        if found:
            _say(f"Pulumi {INSTALLED} is installed in {found}")
            return found
        _say(tried[-1])
    _give_up(
        tried,
        f"Install Pulumi {format_version(MINIMUM)} or newer from {PULUMI_SITE}, "
        f"or Go {_go_minimum()} or newer from {GO_SITE}",
    )


def _put_in_cache(staged: Path) -> Path:
    """Move a complete folder into place in one step: the cache never holds half a CLI."""
    _check_complete(staged)
    target = cache_folder()
    if target.exists():
        target.rename(staged.parent / "replaced")
    staged.rename(target)
    return target


def _downloaded(scratch: Path) -> Path:
    _say(f"no usable pulumi here: downloading Pulumi {INSTALLED} from {INSTALLER_SITE}")
    root = scratch / "official"
    command = [sys.executable, "-m", "development.pulumi_cli", "--download-into", str(root)]
    _run(command, folder=REPOSITORY, limit=DOWNLOAD_SECONDS, doing="downloading Pulumi")
    return root / "bin"


def _download_into(root: str) -> int:
    """Run Pulumi's installer: its own process, because the API has no time limit of its own."""
    import socket

    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        from pulumi.automation import PulumiCommand
        from semver import VersionInfo

        PulumiCommand.install(root=root, version=VersionInfo.parse(INSTALLED))
    except subprocess.CalledProcessError as error:
        output = error.output
        said = output.decode(errors="replace") if isinstance(output, bytes) else str(output)
        print(f"the installer failed: {_last_lines(said)}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _built(scratch: Path) -> Path:
    go = _usable_go(scratch)
    _say(f"building Pulumi {INSTALLED} from source with Go: about four minutes, once per machine")
    staged = scratch / "built"
    staged.mkdir()

    cli = _go_module(
        scratch / "cli",
        imports=PULUMI_COMMAND,
        requires={PULUMI_MODULE: INSTALLED, SDK_MODULE: INSTALLED},
        replace=CLIPBOARD_REPLACEMENT,
    )
    _go_tidy(go, cli, "fetching the sources of the CLI")
    version_flag = f"-X {SDK_MODULE}/go/common/version.Version=v{INSTALLED}"
    _go_build(go, cli, PULUMI_COMMAND, staged / CLI, f"-s -w {version_flag}")
    sdk = _run(
        [go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE],
        folder=cli,
        limit=MODULES_SECONDS,
        doing="finding the sources of the SDK",
    ).strip()

    host = _go_module(
        scratch / "host", imports=LANGUAGE_HOST_COMMAND, requires={SDK_MODULE: LANGUAGE_HOST_SDK}
    )
    _go_tidy(go, host, "fetching the sources of the language host")
    _go_build(go, host, LANGUAGE_HOST_COMMAND, staged / LANGUAGE_HOST, "-s -w")

    executor = Path(sdk) / "python" / "cmd" / LANGUAGE_EXECUTOR
    try:
        shutil.copyfile(executor, staged / LANGUAGE_EXECUTOR)
    except OSError as error:
        raise RouteError(f"copying {executor} failed: {error}") from error
    (staged / LANGUAGE_EXECUTOR).chmod(0o755)
    return staged


def _usable_go(scratch: Path) -> str:
    go = shutil.which("go")
    if not go:
        raise RouteError(f"Go is not on PATH; {_go_minimum()} or newer is needed")
    answer = _run([go, "version"], folder=scratch, limit=VERSION_SECONDS, doing="asking Go")
    version = parse_version(answer)
    if version is None:
        raise RouteError(f"`{go} version` answered {answer.strip()!r}, not a version")
    if version < MINIMUM_GO:
        raise RouteError(f"{go} is {format_version(version)}; {_go_minimum()} or newer is needed")
    return go


def _go_minimum() -> str:
    return f"{MINIMUM_GO[0]}.{MINIMUM_GO[1]}"


def _go_module(
    folder: Path, *, imports: str, requires: dict[str, str], replace: str | None = None
) -> Path:
    folder.mkdir()
    lines = ["module build", f"go {_go_minimum()}"]
    lines += [f"require {module} v{version}" for module, version in requires.items()]
    lines += [f"replace {replace}"] if replace else []
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    (folder / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{imports}"\n')
    return folder


def _go_tidy(go: str, folder: Path, doing: str) -> None:
    _run([go, "mod", "tidy"], folder=folder, limit=MODULES_SECONDS, doing=doing)


def _go_build(go: str, folder: Path, package: str, output: Path, flags: str) -> None:
    _run(
        [go, "build", "-trimpath", "-ldflags", flags, "-o", str(output), package],
        folder=folder,
        limit=BUILD_SECONDS,
        doing=f"building {output.name}",
    )


def _run(command: Sequence[str], *, folder: Path, limit: float, doing: str) -> str:
    """Return what a command printed, or raise RouteError with the last lines of its complaint."""
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise RouteError(f"{doing} failed: {error}") from error
    try:
        while True:
            left = limit - (time.monotonic() - started)
            try:
                output, complaint = process.communicate(
                    timeout=min(HEARTBEAT_SECONDS, max(left, 0))
                )
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - started >= limit:
                    raise RouteError(f"{doing} took longer than {limit:.0f} s") from None
                _say(f"still {doing}: {time.monotonic() - started:.0f} s")
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        raise RouteError(f"{doing} failed: {_last_lines(complaint or output)}")
    return output


def _last_lines(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n     ".join(lines[-QUOTED_LINES:]) or "it said nothing"


def _say(message: str) -> None:
    print(f"pulumi: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
