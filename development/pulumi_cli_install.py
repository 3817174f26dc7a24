"""Puts a Pulumi command line into a folder: with Pulumi's installer, or by a build with Go.

The folder appears in one step, and two runs do not fill it at once. It does not choose the folder
or the route, nor judge a CLI or a Go: `development.pulumi_cli` does. That one runs as `__main__`,
so nothing here imports it: a second copy of it would have exceptions of its own.

`python -m development.pulumi_cli_install FOLDER` is the child process of the official installer.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from langfuse_aws.automation.engine.pulumi_cli import (
    CLI,
    INSTALLED,
    LANGUAGE_EXECUTOR,
    LANGUAGE_HOST,
    UnusableError,
    last_lines,
)

MINIMUM_GO = (1, 25, 0)

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

CONNECT_SECONDS = 15
DOWNLOAD_SECONDS = 300
MODULES_SECONDS = 900
HEARTBEAT_SECONDS = 30
LOCK_SECONDS = 1

INSTALLER_SITE = "https://get.pulumi.com"
REPOSITORY = Path(__file__).resolve().parent.parent


class RouteError(UnusableError):
    """One route did not lead to a usable CLI; the message says what failed."""


@contextlib.contextmanager
def locked(target: Path) -> Generator[None]:
    """Wait until no other run fills `target`, and keep others waiting."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        started = time.monotonic()
        for attempt in itertools.count():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt * LOCK_SECONDS % HEARTBEAT_SECONDS == 0:
                    waited = f"{time.monotonic() - started:.0f} s"
                    say(f"another run is installing {target.name}; waiting for it: {waited}")
                time.sleep(LOCK_SECONDS)
        yield


@contextlib.contextmanager
def scratch_folder(target: Path) -> Generator[Path]:
    """Lend a folder beside `target`, from which `put_in_place` can move; needs the lock."""
    prefix = f".{target.name}-"
    for abandoned in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as folder:
        yield Path(folder)


def put_in_place(staged: Path, target: Path, check: Callable[[Path], object]) -> Path:
    """Move a folder that passes `check` to `target` in one step: it never holds half a CLI."""
    check(staged)
    if target.exists():
        target.rename(staged.parent / "replaced")
    staged.rename(target)
    return target


def downloaded(scratch: Path) -> Path:
    """Let Pulumi's installer fetch the CLI; return its folder below `scratch`."""
    say(f"no usable pulumi here: downloading Pulumi {INSTALLED} from {INSTALLER_SITE}")
    root = scratch / "official"
    command = [sys.executable, "-m", "development.pulumi_cli_install", str(root)]
    run(command, folder=REPOSITORY, limit=DOWNLOAD_SECONDS, doing="downloading Pulumi")
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
        print(f"the installer failed: {last_lines(said)}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def built(scratch: Path, go: str) -> Path:
    """Build the CLI from source with `go`; return its folder below `scratch`."""
    say(
        f"building Pulumi {INSTALLED} from source with Go: four to seven minutes, more beside "
        "other work, once per machine"
    )
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
    sdk = run(
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


def go_minimum() -> str:
    """Write the oldest Go that builds the CLI, as people do."""
    return f"{MINIMUM_GO[0]}.{MINIMUM_GO[1]}"


def _go_module(
    folder: Path, *, imports: str, requires: dict[str, str], replace: str | None = None
) -> Path:
    folder.mkdir()
    lines = ["module build", f"go {go_minimum()}"]
    lines += [f"require {module} v{version}" for module, version in requires.items()]
    lines += [f"replace {replace}"] if replace else []
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    (folder / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{imports}"\n')
    return folder


def _go_tidy(go: str, folder: Path, doing: str) -> None:
    run([go, "mod", "tidy"], folder=folder, limit=MODULES_SECONDS, doing=doing)


def _go_build(go: str, folder: Path, package: str, output: Path, flags: str) -> None:
    run(
        [go, "build", "-trimpath", "-ldflags", flags, "-o", str(output), package],
        folder=folder,
        limit=math.inf,  # it fetches nothing, so it ends; how long that takes is the machine's load
        doing=f"building {output.name}",
    )


def run(command: Sequence[str], *, folder: Path, limit: float, doing: str) -> str:
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
                say(f"still {doing}: {time.monotonic() - started:.0f} s")
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        raise RouteError(f"{doing} failed: {last_lines(complaint or output)}")
    return output


def say(message: str) -> None:
    """Tell the person at the terminal what goes on; stdout is for the result."""
    print(f"pulumi: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(_download_into(sys.argv[1]))
