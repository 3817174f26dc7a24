"""Tells the story of docs/story.md: runs its commands, and compares what they print.

In memory are the registries and a Langfuse that answers; which AWS the engine finds is the
environment's business.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pytest
import yaml

from automation.offline_workspace import REPOSITORY

PAGE: Final = REPOSITORY / "docs/story.md"
STACK: Final = "story"
URL: Final = "https://langfuse.example.com"

Platform = Literal["fargate", "appRunner"]
_BLOCK: Final = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Step(NamedTuple):
    """A command, and what the page says that it prints."""

    command: str
    printed: str


def steps() -> list[Step]:
    """The commands of the page, in order."""
    blocks = [text for kind, text in _BLOCK.findall(PAGE.read_text("utf-8")) if kind == "console"]
    found = [block.removeprefix("$ ").partition("\n") for block in blocks]
    return [Step(command, printed) for command, _, printed in found]


def configuration(platform: Platform) -> dict[str, Any]:
    """The stack file of the page."""
    blocks = [text for kind, text in _BLOCK.findall(PAGE.read_text("utf-8")) if kind == "yaml"]
    fargate, app_runner = (yaml.safe_load(block)["config"] for block in blocks)
    return {"config": fargate if platform == "fargate" else {**fargate, **app_runner}}


def says(page: str, printed: str) -> bool:
    """Whether a command printed what the page says."""
    pattern = re.escape(page.strip()).replace(r"…\n", "…").replace(r"\n…", "…")
    return re.fullmatch(pattern.replace("…", r"[\s\S]*"), printed.strip()) is not None


@dataclass
class Teller:
    """Runs the page's commands as its reader does, in a clone of the repository."""

    scratch: Path
    origin: Path
    """The repository to clone."""
    platform: Platform
    environment: Mapping[str, str]
    """What the reader's shell has."""
    mirror: Callable[[Path], str]
    """Runs the mirror's command in a folder; gives what it prints."""
    keys: Callable[[], dict[str, str]]
    """Tells the reader's LANGFUSE_ variables once the stack is up."""
    langfuse: str
    """URL of what answers in Langfuse's place."""
    told: list[str] = field(default_factory=list[str])
    """Commands that were run."""

    @property
    def folder(self) -> Path:
        """The clone."""
        return self.scratch / "langfuse"

    def tell(self) -> None:
        """Run every command, and compare."""
        for step in steps():
            printed = self._run(step.command)
            self.told.append(step.command)
            assert says(step.printed, printed), (
                f"$ {step.command}\nprints\n{printed}\nand the page says\n{step.printed}"
            )

    def _run(self, command: str) -> str:
        if command.startswith("git clone"):
            printed = self._shell(command, self.scratch, {"REPOSITORY": str(self.origin)})
            file = self.folder / f"Pulumi.{STACK}.yaml"
            file.write_text(yaml.safe_dump(configuration(self.platform)), encoding="utf-8")
            return printed
        if " images mirror " in command:
            return self.mirror(self.folder)
        if "hello.py" in command:
            printed = self._shell(command, self.folder, self.keys())
            return printed.replace(self.langfuse, URL)
        if " smoke " in command:
            asked = command.replace(f"--stack {STACK}", f"--url {self.langfuse}")
            return self._shell(asked, self.folder, self.keys()).replace(self.langfuse, URL)
        return self._shell(command, self.folder, {})

    def _shell(self, command: str, folder: Path, more: Mapping[str, str]) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, **self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout
