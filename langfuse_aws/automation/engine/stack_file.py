"""A stack's file, `Pulumi.STACK.yaml`, read without Pulumi's CLI, backend and passphrase.

Secrets stay encrypted. Values that come from Pulumi ESC (`environment:`) are not seen.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import read_any_yaml
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings import provider_keys, regions
from langfuse_aws.settings.configuration import checked
from langfuse_aws.settings.loading import SettingsError, load_without_secrets, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.secret_keys import SECRET_KEYS

PROFILE_KEY = "aws:profile"
ESC = "environment"
"""Of a stack file: the environments of Pulumi ESC that it takes further values from."""
_LEGACY = f"{NAMESPACE}:config:"
"""Pulumi takes `langfuse:config:size` for `langfuse:size`."""


class InvalidSettingsError(UserError, SettingsError):
    """The settings are wrong; `problems` has a line for each mistake."""

    def __init__(self, name: str, problems: list[str]) -> None:
        """Take the stack's name and the lines."""
        UserError.__init__(self, f"stack {name}: " + " ".join(problems))
        self.name = name
        self.problems = problems

    @property
    def messages(self) -> Sequence[str]:
        """A line for each mistake."""
        return [f"stack {self.name}: {problem}" for problem in self.problems]


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
    """Read the file of a stack. UserError if there is none, InvalidSettingsError if it is wrong.

    The stack need not exist in any backend, and its secrets may still be missing.
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
    content = _mapping(read_any_yaml(path), path)
    config = _config_of(content, path)
    hidden = _hidden(config)
    if hidden:
        raise UserError(
            f"{path}: {', '.join(hidden)}: is encrypted, and no key is asked for here. Set it "
            "without --secret."
        )
    project = _mapping(read_any_yaml(folder / "Pulumi.yaml"), folder / "Pulumi.yaml")
    return StackFile(
        name=name,
        prefix=resource_prefix(str(project.get("name")), name),
        region=config.get(regions.KEY),
        profile=config.get(PROFILE_KEY),
        settings=_settings(name, config, secrets_later=True, partly=bool(content.get(ESC))),
    )


def check_stack_file(
    name: str, path: Path, project: Path, given: Collection[str] = frozenset()
) -> None:
    """Check a file as the program would, without an engine. Raises InvalidSettingsError.

    `given` are secret keys that the file needs not have. Nothing is said where only the engine
    knows all values, or where the program is another one, such as that of another commit.
    """
    described = project / "Pulumi.yaml"
    if not described.is_file() or not path.is_file():
        return
    own = _mapping(read_any_yaml(described), described)
    program = (project / str(own.get("main", "."))).resolve()
    another = program != REPOSITORY and (program / "__main__.py").is_file()
    if another or own.get("config"):
        return
    content = _mapping(read_any_yaml(path) or {}, path)
    config = _config_of(content, path)
    if not content.get(ESC) and not _hidden(_checked_part(config)):
        _settings(name, config, given=given)


def _settings(
    name: str,
    config: Mapping[str, Any],
    *,
    given: Collection[str] = frozenset(),
    secrets_later: bool = False,
    partly: bool = False,
) -> Settings:
    """The settings; secrets that only their owner can decrypt are taken for right.

    `secrets_later`: they may still be missing. `partly`: there are further values, which are not
    known here.
    """
    there = [key for key in SECRET_KEYS if f"{NAMESPACE}:{key}" in config]
    unread = {key for key in there if _encrypted(config[f"{NAMESPACE}:{key}"])}.union(given)
    plain = {
        key: _as_pulumi_hands_it(value)
        for key, value in _checked_part(config).items()
        if key.removeprefix(f"{NAMESPACE}:") not in unread
    }
    ours = of_namespace(plain)
    stand_ins = {
        f"{NAMESPACE}:{key}": text
        for key in unread
        if (text := SECRET_KEYS[key].standing_in("x", ours)) is not None
    }
    in_the_clear = [key for key in there if key not in unread]
    problems: list[str] = []
    try:
        if partly:
            return load_without_secrets(ours)
        sealed = "secretEnvironment" in unread
        return checked({**plain, **stand_ins}, in_the_clear, sealed=sealed)
    except SettingsError as error:
        problems = error.problems
    if secrets_later:
        # Of what is not written, nothing else can be wrong.
        missing = tuple(f"{NAMESPACE}:{key}" for key in SECRET_KEYS if key not in there)
        problems = [line for line in problems if not line.startswith(missing)]
        if not problems:
            return load_without_secrets(ours)
    raise InvalidSettingsError(name, problems)


def _config_of(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    config = _mapping(content.get("config") or {}, path)
    return {
        f"{NAMESPACE}:{key.removeprefix(_LEGACY)}" if key.startswith(_LEGACY) else key: value
        for key, value in config.items()
    }


def _checked_part(config: Mapping[str, Any]) -> dict[str, Any]:
    keys = (regions.KEY, provider_keys.TAGS_KEY)
    return {
        key: value
        for key, value in config.items()
        if key.startswith(f"{NAMESPACE}:") or key in keys
    }


def _hidden(config: Mapping[str, Any]) -> list[str]:
    """Keys that are encrypted, though they are not secret ones."""
    secret = {f"{NAMESPACE}:{key}" for key in SECRET_KEYS}
    return [key for key, value in config.items() if key not in secret and _encrypted(value)]


def _as_pulumi_hands_it(value: Any) -> Any:
    """A number or a truth value as the text that a program gets."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


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
