"""A stack's file, `Pulumi.STACK.yaml`, read without Pulumi's CLI, backend and passphrase.

Secrets stay encrypted. Values that come from Pulumi ESC (`environment:`) are not seen.
"""

import difflib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from langfuse_aws.automation.engine.offline_workspace import (
    check_project,
    check_there,
    file_of,
    files_in,
    is_seal,
    mapping,
    namespaced,
    own_name,
    read_project,
    read_yaml,
    stacks,
)
from langfuse_aws.automation.engine.stack_yaml import lines_of_keys, place
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings import configuration, provider_keys, regions
from langfuse_aws.settings.installation import CLONE, PROJECT
from langfuse_aws.settings.loading import SettingsError, load_without_secrets, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sealed import SEALED
from langfuse_aws.settings.secret_keys import ENVIRONMENT_KEY, SECRET_KEYS

ESC = "environment"
"""Of a stack file: the environments of Pulumi ESC that it takes further values from."""
CALL = "langfuse_aws.components.program"
"""What the `__main__.py` of a project imports that deploys by this package."""
_SIZE = f"{NAMESPACE}:size"
_CHECKED = (f"{NAMESPACE}:", provider_keys.NAMESPACE)


class Mistake(NamedTuple):
    """One of a stack's, and where it is."""

    key: str
    message: str
    """Begins with the key."""
    line: int | None
    """Of the file, from 1; None: it is about what is not there."""


class InvalidSettingsError(UserError, SettingsError):
    """The settings are wrong; `problems` has a line for each mistake."""

    def __init__(self, name: str, problems: list[str], file: Path | None = None) -> None:
        """Take the stack's name, the lines, and the file that they are about, if there is one."""
        UserError.__init__(self, f"stack {name}: " + " ".join(problems))
        self.name = name
        self.problems = problems
        self.file = file
        lines = lines_of_keys(file) if file else {}
        places = [place(problem, lines) for problem in problems]
        found = [
            Mistake(key, text, line) for (key, line), text in zip(places, problems, strict=True)
        ]
        self.mistakes = sorted(found, key=lambda each: each.line or 0)
        """The same, each with its key and its line, in the order of the lines."""

    @property
    def messages(self) -> Sequence[str]:
        """A line for each mistake."""
        if self.file is None:
            return [f"stack {self.name}: {each.message}" for each in self.mistakes]
        return [
            f"{self.file.name}:{f'{each.line}:' if each.line else ''} {each.message}"
            for each in self.mistakes
        ]


@dataclass(frozen=True)
class StackFile:
    """What a stack is going to be."""

    name: str
    """Without organization and project."""
    prefix: str
    """What the names of its resources begin with."""
    region: str | None
    """`aws:region`; None: the environment says it."""
    provider: Mapping[str, Any]
    """The keys of the AWS provider, as they are written: `aws:profile`, `aws:assumeRoles`, …"""
    settings: Settings
    folder: Path = PROJECT
    """Of Pulumi.yaml."""

    @property
    def profile(self) -> str | None:
        """`aws:profile`; None: the environment says it."""
        return self.provider.get(regions.PROFILE_KEY)


@dataclass(frozen=True)
class _Written:
    """A stack file as it is written."""

    name: str
    path: Path
    config: Mapping[str, Any]
    """By key, with its namespace."""
    spellings: Mapping[str, Sequence[str]]
    """The keys as they stand there."""
    astray: Sequence[str]
    """Keys of ours that stand beside `config`."""
    misspelt: Sequence[str]
    """Keys that were meant for `config`, where there is none."""
    partly: bool
    """Whether the engine knows further values: of Pulumi ESC, or of the project's own `config`."""

    @property
    def sealed(self) -> list[str]:
        """Keys that are encrypted, though they are not secret ones."""
        secret = {f"{NAMESPACE}:{key}" for key in SECRET_KEYS} | provider_keys.SECRETS
        return [key for key, value in self.config.items() if key not in secret and _sealed(value)]

    @property
    def as_handed_over(self) -> dict[str, Any]:
        """The keys as the program gets them."""
        return {key: _as_pulumi_hands_it(_with_seals(value)) for key, value in self.config.items()}

    def secrets_in_the_clear(self, given: Collection[str]) -> list[str]:
        """The secret keys that are not stored as secrets, but for those that are `given`."""
        names = {f"{NAMESPACE}:{key}": key for key in SECRET_KEYS}
        names |= {key: key for key in sorted(provider_keys.SECRETS)}
        return [
            name
            for key, name in names.items()
            if name not in given and not _sealed(self.config.get(key, {"secure": ""}))
        ]


def read_stack_file(stack: str | None, folder: Path) -> StackFile:
    """Read the file of a stack. UserError if there is none, InvalidSettingsError if it is wrong.

    The stack need not exist in any backend, and its secrets may still be missing.
    """
    if not stacks(folder):
        check_project(folder)
    if stack is None:
        raise CommandLineError(f"--stack: is missing. {files_in(folder)}; name one of these.")
    name, path = own_name(stack), file_of(stack, folder)
    check_there(stack, path, folder)
    project = read_project(folder)
    written = _read(name, path, project)
    if written.sealed:
        raise UserError(
            f"{path}: {', '.join(written.sealed)}: is encrypted, and no key is asked for here. Set "
            "it without --secret."
        )
    return StackFile(
        name=name,
        prefix=resource_prefix(project["name"], name),
        region=written.config.get(regions.KEY),
        provider={
            key: each
            for key, each in written.config.items()
            if key.startswith(provider_keys.NAMESPACE)
        },
        settings=_settings(written, secrets_later=True),
        folder=folder,
    )


def check_stack_file(
    name: str,
    path: Path,
    project: Path,
    given: Collection[str] = frozenset(),
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Check a file as the program would, without an engine. Raises InvalidSettingsError.

    `given` are secret keys that the file needs not have. Nothing is said where the program is
    another one, such as that of another commit.
    """
    if not (project / "Pulumi.yaml").is_file() or not path.is_file():
        return
    own = read_project(project)
    program = (project / str(own.get("main", "."))).resolve()
    if not _is_another(program):
        _check(_read(name, path, own), given, environment)


def check_alone(stack: str, folder: Path) -> bool:
    """Check a stack's file, whatever the program is. False: the engine knows further values.

    Raises UserError if there is none, InvalidSettingsError if it is wrong.
    """
    name, path = own_name(stack), file_of(stack, folder)
    check_there(stack, path, folder)
    written = _read(name, path, read_project(folder))
    _check(written)
    return not written.partly


def _read(name: str, path: Path, project: Mapping[str, Any]) -> _Written:
    content = read_yaml(path)
    namespace = project["name"]
    spellings: dict[str, list[str]] = {}
    config: dict[str, Any] = {}
    for key, value in mapping(content.get("config"), path).items():
        full = namespaced(key, namespace)
        spellings.setdefault(full, []).append(key)
        config[full] = value
    return _Written(
        name,
        path,
        config,
        spellings=spellings,
        astray=[key for key in content if key.startswith(_CHECKED)],
        misspelt=[] if "config" in content else [key for key in content if _meant_for_config(key)],
        partly=bool(content.get(ESC) or project.get("config")),
    )


def _check(
    written: _Written,
    given: Collection[str] = frozenset(),
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Raise InvalidSettingsError if there is a mistake in what is known of it."""
    if not (written.partly or _SIZE in written.sealed):
        _settings(written, given=given, environment=environment)
        return
    if problems := [*_astray(written), *_without_settings(written, given)]:
        raise InvalidSettingsError(written.name, problems, written.path)


def _is_another(program: Path) -> bool:
    """Whether a program is not this one, nor one that runs this one's code from its package."""
    main = program / "__main__.py"
    if program == CLONE or not main.is_file():
        return False
    with_its_own_code = (program / "langfuse_aws").exists()
    return with_its_own_code or CALL not in main.read_text(encoding="utf-8", errors="replace")


def _settings(
    written: _Written,
    *,
    given: Collection[str] = frozenset(),
    environment: Mapping[str, str] = os.environ,
    secrets_later: bool = False,
) -> Settings:
    """The settings; what only its owner can decrypt is taken for right.

    `secrets_later`: secrets may still be missing.
    """
    there = [key for key in SECRET_KEYS if f"{NAMESPACE}:{key}" in written.config]
    in_the_clear = written.secrets_in_the_clear(given)
    unread = {key for key in there if is_seal(written.config[f"{NAMESPACE}:{key}"])}
    unread |= SECRET_KEYS.keys() & set(given)
    plain = {
        key: value
        for key, value in written.as_handed_over.items()
        if key.removeprefix(f"{NAMESPACE}:") not in unread
    }
    ours = of_namespace(plain)
    stand_ins = {
        f"{NAMESPACE}:{key}": text
        for key in unread
        if (text := SECRET_KEYS[key].standing_in("x", ours)) is not None
    }
    problems = _astray(written)
    try:
        if written.partly:
            problems += _without_settings(written, given)
            found = load_without_secrets(ours)
        else:
            found = configuration.checked(
                {**plain, **stand_ins},
                in_the_clear,
                environment,
                sealed_environment=ENVIRONMENT_KEY in {*there, *given}.difference(in_the_clear),
            )
        if not problems:
            return found
    except SettingsError as error:
        problems += error.problems
    if secrets_later:
        # Of what is not written, nothing else can be wrong.
        missing = tuple(f"{NAMESPACE}:{key}" for key in SECRET_KEYS if key not in there)
        problems = [line for line in problems if not line.startswith(missing)]
        if not problems:
            return load_without_secrets(ours)
    raise InvalidSettingsError(written.name, problems, written.path)


def _astray(written: _Written) -> list[str]:
    return [
        *(f"{key}: is no key of a stack file. Write config." for key in written.misspelt),
        *(
            f"{key}: stands beside config, where Pulumi does not read it. Move it below config."
            for key in written.astray
        ),
        *(
            f"{key}: is no key: Pulumi's are NAMESPACE:NAME. Correct it."
            for key in written.config
            if key.count(":") > 1
        ),
        *(
            f"{key}: is there as {' and as '.join(keys)}, and Pulumi takes any of them. Remove all "
            "but one."
            for key, keys in written.spellings.items()
            if len(keys) > 1
        ),
    ]


def _meant_for_config(key: str) -> bool:
    return bool(difflib.get_close_matches(key.casefold(), ["config"], cutoff=0.8))


def _without_settings(written: _Written, given: Collection[str]) -> list[str]:
    return configuration.without_settings(
        written.as_handed_over, written.secrets_in_the_clear(given)
    )


def _as_pulumi_hands_it(value: Any) -> Any:
    """A number or a truth value as the text that a program gets; null is an empty one."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def _with_seals(value: Any) -> Any:
    """A value with SEALED for each part that is one of Pulumi's secrets."""
    if is_seal(value):
        return SEALED
    if isinstance(value, Mapping):
        parts = cast("Mapping[str, Any]", value)
        return {key: _with_seals(part) for key, part in parts.items()}
    if isinstance(value, list):
        return [_with_seals(part) for part in cast("list[Any]", value)]
    return value


def _sealed(value: Any) -> bool:
    """Whether a value, or a part of it, is one of Pulumi's secrets."""
    if is_seal(value):
        return True
    if isinstance(value, Mapping):
        return any(_sealed(part) for part in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return any(_sealed(part) for part in cast("list[Any]", value))
    return False
