"""Where this program is: in a clone of its repository, or among the packages of a Python.

It needs nothing but the standard library, and Python 3.9 must be able to read it.
"""

from pathlib import Path
from typing import Final

_AROUND: Final = Path(__file__).resolve().parents[2]

CLONE: Final = _AROUND if (_AROUND / "automation/__main__.py").is_file() else None
"""The clone; None: the program is installed."""

COMMAND: Final = "python3 -m automation" if CLONE else "langfuse-aws"
"""How its command line is called, for remedies."""

PROJECT: Final = CLONE or Path()
"""The folder of Pulumi.yaml where none is named: the clone, or, of a program that is installed, the
folder that a command is started in."""

REPOSITORY_URL: Final = "https://github.com/OWNER/langfuse-aws"
"""The repository's page; whoever publishes it writes its owner here."""

NOT_ON_WINDOWS: Final = (
    "langfuse-aws runs on Linux, on macOS and in WSL, not on Windows itself. Install WSL "
    "(https://learn.microsoft.com/windows/wsl/install), and this program in it."
)
"""Windows has no signal that lets an engine finish, nor sessions of processes."""
