"""Finds the Pulumi command line: on PATH, or where `make demo` has put one.

It installs nothing; in a clone `development.pulumi_cli` does. It needs nothing but the standard
library.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, int, int]

MINIMUM: Version = (3, 250, 0)
"""The oldest `pulumi` on PATH that is used as it is; Pulumi.yaml requires it too. The program needs
resource hooks and stashes, and this release is the oldest they were tried with."""
INSTALLED = "3.250.0"
"""The version that `development.pulumi_cli` installs."""

CLI = "pulumi"
LANGUAGE_HOST = "pulumi-language-python"
LANGUAGE_EXECUTOR = "pulumi-language-python-exec"
CACHED_FILES = (CLI, LANGUAGE_HOST, LANGUAGE_EXECUTOR)

VERSION_SECONDS = 120
PULUMI_SITE = "https://www.pulumi.com/docs/install/"
QUOTED_LINES = 4


class UnusableError(Exception):
    """A place has no usable CLI; the message says why."""


class NoLanguageHostError(UnusableError):
    """A `pulumi` is new enough, and nothing beside it or on PATH runs Python programs."""

    def __init__(self, cli: "PulumiCli") -> None:
        """Take the CLI."""
        super().__init__(f"{cli.program} has no {LANGUAGE_HOST} beside it, and PATH has none")
        self.cli = cli


@dataclass(frozen=True)
class PulumiCli:
    """A `pulumi` that has told its version."""

    folder: Path
    version: Version

    @property
    def program(self) -> Path:
        """The command itself."""
        return self.folder / CLI


def parse_version(text: str) -> Version | None:
    """Read the first `major.minor[.patch]` of a command's answer, or None if it has none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def format_version(version: Version) -> str:
    """Write a version as people do."""
    return ".".join(str(part) for part in version)


def cache_folder() -> Path:
    """Where a CLI is that this project has installed."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = configured if configured.is_absolute() else Path.home() / ".cache"
    return root / "langfuse-aws" / f"pulumi-v{INSTALLED}"


def find() -> PulumiCli:
    """Find the one to use: the one on PATH, or the cache's if that one lacks something.

    Raises UnusableError.
    """
    try:
        return on_path()
    except UnusableError as error:
        try:
            return cached()
        except UnusableError:
            # A language host may still be among Pulumi's plugins, which the engine knows.
            if isinstance(error, NoLanguageHostError):
                return error.cli
            raise error from None


def on_path() -> PulumiCli:
    """The CLI on PATH. Raises UnusableError if it is too old, or cannot run Python programs."""
    found = shutil.which(CLI)
    if not found:
        raise UnusableError("not found on PATH")
    cli = asked(Path(found).parent)
    if cli.version < MINIMUM or cli.version[0] != MINIMUM[0]:
        raise UnusableError(
            f"{found} is {format_version(cli.version)}; {format_version(MINIMUM)} or newer, below "
            f"{MINIMUM[0] + 1}.0, is needed"
        )
    if not (_is_program(cli.folder / LANGUAGE_HOST) or shutil.which(LANGUAGE_HOST)):
        raise NoLanguageHostError(cli)
    return cli


def cached() -> PulumiCli:
    """The CLI in the cache. Raises UnusableError."""
    folder = cache_folder()
    if not folder.is_dir():
        raise UnusableError("empty")
    return complete(folder)


def complete(folder: Path) -> PulumiCli:
    """The CLI of a folder, which must have all that runs Python programs. Raises UnusableError."""
    missing = [name for name in CACHED_FILES if not _is_program(folder / name)]
    if missing:
        raise UnusableError(f"{folder} lacks {', '.join(missing)}")
    return asked(folder)


def asked(folder: Path) -> PulumiCli:
    """The CLI of a folder, asked for its version. Raises UnusableError."""
    program = folder / CLI
    try:
        answer = subprocess.run(  # noqa: S603
            [str(program), "version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            check=True,
        ).stdout
    except subprocess.CalledProcessError as error:
        said = last_lines(error.stderr or error.stdout)
        raise UnusableError(f"`{program} version` failed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnusableError(f"`{program} version` failed: {error}") from error
    version = parse_version(answer)
    if version is None:
        raise UnusableError(f"`{program} version` answered {answer.strip()!r}, not a version")
    return PulumiCli(folder, version)


def last_lines(text: str) -> str:
    """Quote the end of what a command said."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n     ".join(lines[-QUOTED_LINES:]) or "it said nothing"


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
