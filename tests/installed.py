"""The package as others install it: archives of the working tree, and a Python that has the wheel.

Nothing is fetched: the builder and the packages that the wheel asks for are those of the Python
that runs the tests.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.command_lines import Ran, run_lines

ROOT: Final = Path(__file__).parents[1]
PROGRAMS: Final = Path(sys.executable).parent
BUILT_FROM: Final = (
    "components",
    "langfuse_aws",
    "pyproject.toml",
    "requirements.txt",
    "README.md",
)
"""What the archives are made of, and what is beside it in the repository is not in them."""


def build(folder: Path) -> Path:
    """Build a source archive, and the wheel of that; gives the folder with both."""
    source, archives = folder / "source", folder / "archives"
    source.mkdir(parents=True)
    for name in (*BUILT_FROM, "LICENSE", "automation", "Pulumi.yaml"):
        path = ROOT / name
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(path, source / name)
    # As `make package` does, without its cache.
    options = ["--no-build-isolation", "--offline", "--no-cache", "--python", sys.executable]
    run([PROGRAMS / "uv", "build", "--quiet", *options, "--out-dir", archives, source], folder)
    return archives


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, and the packages of the tests' own Python."""

    folder: Path

    @classmethod
    def of(cls, wheel: Path, folder: Path) -> "Installed":
        """Install a wheel."""
        venv.create(folder, symlinks=True)
        found = cls(folder)
        run(
            [PROGRAMS / "uv", "pip", "install", "--quiet", "--offline", "--no-cache", "--no-deps",
             "--python", found.python, wheel],
            folder,
        )  # fmt: skip
        packages = sysconfig.get_path("purelib")
        own = next(found.folder.glob("lib/python*/site-packages"))
        (own / "packages.pth").write_text(packages)
        return found

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    def python_says(self, script: str, folder: Path, path: str = os.defpath) -> str:
        """What a script prints, which must succeed."""
        done = subprocess.run(
            [self.python, "-c", script],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(
        self, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run `langfuse-aws` in a folder, with nothing activated."""
        return subprocess.run(
            [self.folder / "bin/langfuse-aws", *arguments],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def commands(self, *lines: str, folder: Path) -> list[Ran]:
        """Run `langfuse-aws` with the words of each line, one after the other in one Python."""
        environment = {"PATH": os.defpath, "HOME": str(folder)}
        program = self.folder / "bin/langfuse-aws"
        return run_lines(
            self.python, program, [line.split() for line in lines], folder, environment
        )


def run(command: "list[str | Path]", folder: Path) -> str:
    """Run something that must succeed."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
