"""A stack's file, `Pulumi.STACK.yaml`, read without Pulumi's CLI, backend and passphrase.

Secrets stay encrypted. Values that come from Pulumi ESC (`environment:`) are not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from langfuse_aws.automation.engine.offline_workspace import read_any_yaml
from langfuse_aws.automation.plan import CommandLineError, UserError
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings.loading import load_without_secrets, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.secret_keys import SECRET_KEYS

REGION_KEY = "aws:region"
PROFILE_KEY = "aws:profile"


@dataclass(frozen=True)
class StackFile:
    """What a stack is going to be."""

    name: str
    """Without organization and project."""
    prefix: str
    """What the names of its resources begin with."""
    region: str | None
    """`aws:region`; None: the environment says it."""
    profile: str | None
    """`aws:profile`; None: the environment says it."""
    settings: Settings


def read_stack_file(stack: str | None, folder: Path) -> StackFile:
    """Read the file of a stack. UserError if there is none, SettingsError if its values are wrong.

    The stack need not exist in any backend.
    """
    files = [file.name for file in sorted(folder.glob("Pulumi.*.yaml"))]
    there = f"{folder} has {', '.join(files) or 'no Pulumi.STACK.yaml'}"
    if stack is None:
        raise CommandLineError(f"--stack: is missing. {there}; name one of these.")
    name = stack.rsplit("/", 1)[-1]
    if f"Pulumi.{name}.yaml" not in files:
        raise CommandLineError(
            f"--stack {stack}: {there}, and no Pulumi.{name}.yaml. pulumi stack init {stack}, then "
            f"pulumi config set {NAMESPACE}:size dev --stack {stack} makes it."
        )
    path = folder / f"Pulumi.{name}.yaml"
    config = _mapping(_mapping(read_any_yaml(path), path).get("config") or {}, path)
    hidden = [
        key
        for key, value in config.items()
        if key not in {f"{NAMESPACE}:{secret}" for secret in SECRET_KEYS} and _encrypted(value)
    ]
    if hidden:
        raise UserError(
            f"{path}: {', '.join(hidden)}: is encrypted, and no key is asked for here. Set it "
            "without --secret."
        )
    project = _mapping(read_any_yaml(folder / "Pulumi.yaml"), folder / "Pulumi.yaml")
    return StackFile(
        name=name,
        prefix=resource_prefix(str(project.get("name")), name),
        region=config.get(REGION_KEY),
        profile=config.get(PROFILE_KEY),
        settings=load_without_secrets(of_namespace(config)),
    )


def _mapping(value: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{path}: is not what Pulumi writes: keys and values are missing.")
    return cast("Mapping[str, Any]", value)


def _encrypted(value: Any) -> bool:
    """Whether a value, or a part of it, is one of Pulumi's secrets."""
    if isinstance(value, Mapping):
        parts = cast("Mapping[str, Any]", value)
        return "secure" in parts or any(_encrypted(part) for part in parts.values())
    if isinstance(value, list):
        return any(_encrypted(part) for part in cast("list[Any]", value))
    return False
