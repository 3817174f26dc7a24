"""One stack file of the repository, deployed by the `pulumi` command from a scratch workspace.

Which providers the engine uses, and so which AWS, is the environment's business.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from development import pulumi_cli
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import (
    OfflineStack,
    prepare,
    read_yaml,
    write_yaml,
)
from langfuse_aws.settings.versions import LANGFUSE, version_of

PARALLEL = "8"
"""Pulumi's own default is four times the cores."""

NEXT_RELEASE = f"{version_of(LANGFUSE)[0]}.{version_of(LANGFUSE)[1] + 1}.0"
"""A release of Langfuse after the default one, of the same major."""

# https://www.pulumi.com/docs/iac/concepts/options/protect/
PROTECTED_MESSAGE = "cannot be deleted"


@dataclass(frozen=True)
class Change:
    """A property that a preview would change."""

    type: str
    name: str
    property: str


@dataclass(frozen=True)
class Deployment:
    """A stack in a scratch workspace."""

    stack: OfflineStack
    providers: Mapping[str, str]
    """The environment in which the engine finds its providers."""
    parallel: str = PARALLEL
    """How many resources are worked on at once."""

    @staticmethod
    def of(
        name: str,
        scratch: Path,
        providers: Mapping[str, str],
        parallel: str = PARALLEL,
        project: Path = REPOSITORY,
    ) -> "Deployment":
        """Prepare the stack `name` of the repository, or of a copy of it."""
        deployment = Deployment(prepare(name, scratch, project), providers, parallel)
        deployment.run("stack", "init", name)
        for key, value in deployment.stack.placeholders.items():
            deployment.run("config", "set", "--secret", key, value, "--stack", name)
        return deployment

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `pulumi` command; its output is the message when it fails."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.stack.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"pulumi {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done

    def configure(self, path: str, value: str) -> None:
        """Set a key of the `langfuse:` namespace."""
        self.configure_all({path: value}, {})

    def configure_all(self, plain: Mapping[str, str], secret: Mapping[str, str]) -> None:
        """Set keys of the `langfuse:` namespace, as `pulumi config set-all --path` does.

        The command is run for secrets only, which it alone can write: it takes a third of a second.
        """
        file = self.stack.stack_file
        content = read_yaml(file)
        for path, value in plain.items():
            _assign(content.setdefault("config", {}), path, value)
        write_yaml(file, content)
        keys = [f"--secret=langfuse:{path}={value}" for path, value in secret.items()]
        if keys:
            self.run("config", "set-all", "--path", *keys, "--stack", self.stack.name)

    def up(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Deploy."""
        command = ("up", "--yes", "--skip-preview", "--parallel", self.parallel, *options)
        return self.run(*command, *self._stack(), check=check)

    def outputs(self) -> dict[str, Any]:
        """Read the outputs of what is deployed."""
        return cast("dict[str, Any]", json.loads(self.run("stack", "output", "--json").stdout))

    def changes(self, *command: str) -> set[Change]:
        """List what a preview of `up`, or of another command, would change."""
        return set(_changes(self.steps(*command)))

    def steps(self, *command: str) -> list[dict[str, Any]]:
        """List the steps of a preview, as Pulumi's JSON has them."""
        done = self.run(*(command or ("preview",)), "--json", *self._stack())
        return cast("list[dict[str, Any]]", json.loads(done.stdout)["steps"])

    def state(self) -> list[dict[str, Any]]:
        """List the resources in the stack's state, as `pulumi stack export` does, but at once."""
        stacks = self.stack.scratch / "backend" / ".pulumi" / "stacks"
        (file,) = stacks.glob(f"*/{self.stack.name}.json")
        kept = json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"]
        return cast("list[dict[str, Any]]", (kept and kept.get("resources")) or [])

    def of_type(self, token: str) -> list[dict[str, Any]]:
        """List the resources of a type in the state."""
        return [each for each in self.state() if each["type"] == token]

    def destroy(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Destroy, as a user does: with a preview first."""
        command = ("destroy", "--yes", "--parallel", self.parallel, *options)
        return self.run(*command, *self._stack(), check=check)

    def _stack(self) -> tuple[str, str]:
        return "--stack", self.stack.name

    @cached_property
    def environment(self) -> dict[str, str]:
        """What `pulumi` needs in its environment."""
        path = pulumi_cli.search_path(pulumi_cli.ensure())
        return self.stack.environment({**os.environ, **self.providers, "PATH": path})


def _assign(config: dict[str, Any], path: str, value: str) -> None:
    """Set `langfuse:KEY.KEY[INDEX]`. Below the first key, Pulumi takes numbers for numbers."""
    first, *rest = re.findall(r"[^.\[\]]+", path)
    parts = [f"langfuse:{first}", *(int(part) if part.isdigit() else part for part in rest)]
    parsed: Any = value
    if rest and re.fullmatch(r"true|false|0|-?[1-9][0-9]*", value):
        parsed = json.loads(value)
    inside: Any = config
    for part, next_part in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(part, int) and part == len(inside):
            inside.append(None)
        if next_part is None:
            inside[part] = parsed
            return
        if not isinstance(part, int):
            inside.setdefault(part, None)
        if inside[part] is None:
            inside[part] = [] if isinstance(next_part, int) else {}
        inside = inside[part]


def _changes(steps: list[dict[str, Any]]) -> list[Change]:
    return [
        Change(urn.split("::")[2].split("$")[-1], urn.split("::")[3], path)
        for step in steps
        if step["op"] not in ("same", "read", "refresh")
        for urn in [step["urn"]]
        for path in (step.get("detailedDiff") or {step["op"]: None})
    ]
