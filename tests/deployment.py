"""One stack file of the repository, deployed by the `pulumi` command from a scratch workspace.

Which providers the engine uses, and so which AWS, is the environment's business.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from development import pulumi_cli
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import OfflineStack, prepare
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
        self.run("config", "set", "--path", f"langfuse:{path}", value, "--stack", self.stack.name)

    def configure_all(self, plain: Mapping[str, str], secret: Mapping[str, str]) -> None:
        """Set several keys of the `langfuse:` namespace with one command."""
        keys = [f"--plaintext=langfuse:{path}={value}" for path, value in plain.items()]
        keys += [f"--secret=langfuse:{path}={value}" for path, value in secret.items()]
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
        """List the resources in the stack's state."""
        exported = json.loads(self.run("stack", "export", *self._stack()).stdout)
        return cast("list[dict[str, Any]]", exported["deployment"].get("resources") or [])

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


def _changes(steps: list[dict[str, Any]]) -> list[Change]:
    return [
        Change(urn.split("::")[2].split("$")[-1], urn.split("::")[3], path)
        for step in steps
        if step["op"] not in ("same", "read", "refresh")
        for urn in [step["urn"]]
        for path in (step.get("detailedDiff") or {step["op"]: None})
    ]
