"""Tells the story of docs/story.md: runs its commands, and compares what they print.

In memory are the registries and a Langfuse that answers; which AWS the engine finds is the
environment's business.
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import yaml

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.settings.versions import GRAFANA_DIGEST
from tests.image_lock import copy_of_the_repository
from tests.story_mirror import INDEXES
from tests.unit.langfuse_stand_in import LangfuseStandIn

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
    """Whether a command printed what the page says; a line of `…` is any number of lines.

    What a command waits for it says after two seconds, so on a busy machine only.
    """
    printed = re.sub(r"^waiting: .*\n", "", printed, flags=re.MULTILINE)
    parts = re.sub(r"^…\n|\n…\Z", "…", page.strip(), flags=re.MULTILINE).split("…")
    pattern = r"[\s\S]*".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, printed.strip()) is not None


def origin(folder: Path) -> Path:
    """A repository to clone, which knows the digest of the Grafana that is in memory."""
    copy_of_the_repository(folder)
    versions = folder / "langfuse_aws/settings/versions.py"
    text = versions.read_text(encoding="utf-8")
    assert text.count(GRAFANA_DIGEST) == 1
    versions.write_text(text.replace(GRAFANA_DIGEST, INDEXES["grafana"]), encoding="utf-8")
    author = ("-c", "user.name=A founder", "-c", "user.email=founder@example.com")
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder


@dataclass(frozen=True)
class Teller:
    """Runs the page's commands as its reader does, in a clone of the repository."""

    scratch: Path
    platform: Platform
    environment: Mapping[str, str]
    """What the reader's shell has."""
    langfuse: LangfuseStandIn

    @property
    def folder(self) -> Path:
        """The clone."""
        return self.scratch / "langfuse"

    def tell(self) -> None:
        """Run every command, and compare."""
        repository = origin(self.scratch / "origin")
        for step in steps():
            if step.command.startswith("git clone"):
                printed = self.run(step.command, self.scratch, {"REPOSITORY": str(repository)})
                file = self.folder / f"Pulumi.{STACK}.yaml"
                file.write_text(yaml.safe_dump(configuration(self.platform)), encoding="utf-8")
            else:
                printed = self._in_the_clone(step.command)
            assert says(step.printed, printed), (
                f"$ {step.command}\nprints\n{printed}\nand the page says\n{step.printed}"
            )

    def _in_the_clone(self, command: str) -> str:
        if " images mirror " in command:
            command = command.replace("automation", "tests.story_mirror", 1)
        if "hello.py" not in command and " smoke " not in command:
            return self.run(command, self.folder)
        url = self.langfuse.url
        asked = command.replace(f"--stack {STACK}", f"--url {url}")
        keys = {**self._keys(), "LANGFUSE_BASE_URL": url, "LANGFUSE_HOST": url}
        return self.run(asked, self.folder, keys).replace(url, URL)

    def _keys(self) -> dict[str, str]:
        """The keys that Langfuse was told to make, which the one that answers now knows too."""
        exported = self.run(f"pulumi stack export --show-secrets --stack {STACK}", self.folder)
        (version,) = [
            each["outputs"]["secretString"]
            for each in json.loads(exported)["deployment"]["resources"]
            if each["urn"].endswith(f"SecretVersion::langfuse-{STACK}-bootstrap")
        ]
        stored: dict[str, str] = json.loads(json.loads(version["plaintext"]))
        keys = f"{stored['public_key']}:{stored['secret_key']}"
        self.langfuse.token = base64.b64encode(keys.encode()).decode()
        return {
            "LANGFUSE_PUBLIC_KEY": stored["public_key"],
            "LANGFUSE_SECRET_KEY": stored["secret_key"],
        }

    def run(self, command: str, folder: Path, more: Mapping[str, str] | None = None) -> str:
        """Run a command of the shell, and give what it printed."""
        path = os.pathsep.join([str(Path(sys.executable).parent), self.environment["PATH"]])
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, **self.environment, **(more or {}), "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout
