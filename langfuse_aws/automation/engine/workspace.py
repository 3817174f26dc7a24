"""Where `pulumi` finds a stack's project, settings and state, and what it needs to know there."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from langfuse_aws.automation.engine.offline_workspace import (
    FOREIGN_SETTINGS,
    SECRETS_PROVIDER,
    check_there,
    file_of,
    prepare,
    read_yaml,
    write_project,
    write_yaml,
)
from langfuse_aws.automation.errors import UserError
from langfuse_aws.offline.serving import shared_providers
from langfuse_aws.settings.installation import CLONE


@dataclass(frozen=True)
class Place:
    """A folder in which `pulumi` runs, and its environment."""

    folder: Path
    stack_file: Path
    """The file that `pulumi` reads the settings from."""
    environment: Mapping[str, str]
    secrets_provider: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict[str, str])
    """For each key that only the stack's owner can decrypt and the program needs, what it takes."""
    replaced_secrets: tuple[str, ...] = ()
    """These keys, and others that only the owner can decrypt."""


class Workspace(auto.LocalWorkspace):
    """A local workspace that leaves alone which stack its user has selected."""

    def select_stack(self, stack_name: str) -> None:
        """Check that the stack exists. Raises auto.StackNotFoundError."""
        self._run_pulumi_cmd_sync(["stack", "--stack", stack_name, "--show-name"])

    def create_stack(self, stack_name: str) -> None:
        """Create it."""
        provider = ["--secrets-provider", self.secrets_provider] if self.secrets_provider else []
        self._run_pulumi_cmd_sync(["stack", "init", stack_name, "--no-select", *provider])


def offline_place(
    name: str,
    scratch: Path,
    project: Path,
    stack_file: Path | None,
    config: Mapping[str, Any] | None,
) -> Place:
    """Prepare for an AWS that exists in memory only. State and settings stay in `scratch`."""
    stack = prepare(name, scratch, project, stack_file=stack_file, config=config)
    environment = stack.environment({**search_paths(), **shared_providers()})
    return Place(
        stack.folder,
        stack.stack_file,
        environment,
        SECRETS_PROVIDER,
        stack.placeholders,
        stack.replaced_secrets,
    )


def place(
    name: str,
    folder: Path,
    project: Path,
    stack_file: Path | None,
    config: Mapping[str, Any] | None,
) -> Place:
    """Prepare for AWS. `folder` is used only for settings that are not in the project's folder."""
    environment = search_paths()
    own = file_of(name, project).resolve()
    if config is not None:
        write_project(folder, project)
        copy = folder / own.name
        earlier = read_yaml(copy) if copy.exists() else {}
        kept = {key: earlier[key] for key in FOREIGN_SETTINGS if key in earlier}
        write_yaml(copy, {**kept, "config": dict(config)})
        return Place(folder, copy, environment)
    given = (stack_file or own).resolve()
    if given.name != own.name:
        raise UserError(f"{given}: the file of stack {name} must be called {own.name}.")
    check_there(name, given, project)
    read_yaml(given)
    if given != own:
        # Pulumi joins this path to the project's folder, also if it is absolute, and knows that one
        # without links. On macOS every temporary folder is behind one.
        settings = os.path.relpath(given.parent, folder.resolve())
        write_project(folder, project, stackConfigDir=settings)
        return Place(folder, given, environment)
    return Place(project, given, environment)


def search_paths() -> dict[str, str]:
    """What `pulumi` finds a program's Python by, and that what it imports.

    The project of a user's own imports this program, which in a clone nothing has installed.
    """
    python_path = [os.environ.get("PYTHONPATH"), CLONE and str(CLONE)]
    found = os.pathsep.join(filter(None, python_path))
    return {"PATH": search_path(), **({"PYTHONPATH": found} if found else {})}


def search_path() -> str:
    """PATH with this interpreter's folder first.

    A language host that was built from source takes the `python3` that it finds there.
    """
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
