"""A scratch Pulumi workspace in which this repository's program runs without an account.

`prepare` writes a project file that points at the program where it is, and a copy of the stack's
settings, because Pulumi writes into both; the repository's own files are only read. State, plugins
and the engine's home live in the same scratch folder. What the stack file encrypts for somebody
else cannot be read here: it becomes a placeholder, or is left out where the program wants a secret.
Only `pulumi` can write a secret, so whoever runs it sets the secrets that were left out. This
starts no provider and no engine.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.stack_yaml import Loader
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.settings import provider_keys
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.loading import parsed
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.secret_keys import SECRET_KEYS

SECRETS_PROVIDER = "passphrase"
PASSPHRASE = "offline"  # noqa: S105  protects nothing but the values of in-memory resources
PLACEHOLDER = "offline-placeholder"
STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""https://www.pulumi.com/docs/iac/concepts/stacks/#create-stack"""
STACK_NAME_BOUND = (
    "has letters, digits, -, _ and . only, a letter or digit first, and 100 characters at the most"
)
SALT = "encryptionsalt"
NO_PLACEHOLDER = provider_keys.SECRETS.union(provider_keys.ACCOUNT_KEYS)
"""What names and proves an account: AWS in memory asks for none."""
FOREIGN_SETTINGS = ("secretsprovider", "encryptedkey", "environment", SALT)
"""What ties a stack file to somebody's key or account, which is neither here nor needed."""


class OfflineStackError(UserError):
    """The scratch workspace cannot be made; the message says what to change."""


class NoStackFileError(OfflineStackError, CommandLineError):
    """A stack was named that has no settings file."""


class NoProjectError(OfflineStackError, CommandLineError):
    """A folder was taken for a project that is none."""


class NotYamlError(OfflineStackError):
    """A file is not YAML; the message shows the place in lines of their own."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """Take the message, and the line of the file, from 1, where it is known."""
        super().__init__(message)
        self.line = line

    @property
    def messages(self) -> Sequence[str]:
        """The message as it is."""
        return [str(self)]


@dataclass(frozen=True)
class OfflineStack:
    """One stack in its scratch workspace."""

    name: str
    scratch: Path
    replaced_secrets: tuple[str, ...] = ()
    """The settings that were encrypted for somebody else: a placeholder here, or left out."""
    placeholders: Mapping[str, str] = field(default_factory=dict[str, str])
    """The settings that were left out and are needed, and what to set them to, as secrets."""

    @property
    def folder(self) -> Path:
        """Where `pulumi` runs."""
        return self.scratch / "work"

    @property
    def stack_file(self) -> Path:
        """The copy of the stack's settings."""
        return file_of(self.name, self.folder)

    def environment(self, providers: Mapping[str, str]) -> dict[str, str]:
        """Return what `pulumi` needs in its environment to use this workspace alone."""
        home = self.scratch / "home"
        home.mkdir(parents=True, exist_ok=True)
        # pulumi keeps a verbose log of each command in a folder of this name, encrypted, unless it
        # cannot make one; no option says so, and a quarter of a preview's work is the log's:
        # https://github.com/pulumi/pulumi/blob/v3.250.0/pkg/logging/encrypted.go (StartLogging)
        (home / "logs").touch()
        return {
            **providers,
            "PULUMI_HOME": str(home),
            **alone(self.scratch / "backend"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


def alone(backend: Path) -> dict[str, str]:
    """Return what `pulumi` needs in its environment to keep its state in a folder, which is made.

    Whatever backend its user is logged in to is not asked.
    """
    backend.mkdir(parents=True, exist_ok=True)
    return {
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_CONFIG_PASSPHRASE_FILE": "",
    }


def own_name(stack: str) -> str:
    """A stack's name without its organization and project, which its file and AWS know it by."""
    return stack.rsplit("/", 1)[-1]


def file_of(stack: str, folder: Path) -> Path:
    """Where a project in a folder has the settings of a stack."""
    return folder / f"Pulumi.{own_name(stack)}.yaml"


def stacks(repository: Path = REPOSITORY) -> list[str]:
    """Name the stacks that have a settings file."""
    files = (path.name for path in repository.glob("Pulumi.*.yaml"))
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files)


def prepare(
    name: str,
    scratch: Path,
    repository: Path = REPOSITORY,
    *,
    stack_file: Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> OfflineStack:
    """Write the workspace of a stack, keeping the state that an earlier run left there.

    The settings are those of `config`, or of `stack_file`, or of the repository's own file.
    """
    stack = OfflineStack(name, scratch)
    stack.folder.mkdir(parents=True, exist_ok=True)
    settings_file = stack_file or file_of(name, repository)
    if config is None:
        check_there(name, settings_file, repository)
        given = read_yaml(settings_file)
    else:
        given = {"config": dict(config)}
    write_project(stack.folder, repository, without=("backend",))
    copy = stack.stack_file
    settings, replaced = _settings(given, read_yaml(copy) if copy.exists() else {}, settings_file)
    write_yaml(copy, settings)
    own = {_bare(key): parsed(value) for key, value in settings["config"].items()}
    secrets = {key: SECRET_KEYS[bare] for key in replaced if (bare := _bare(key)) in SECRET_KEYS}
    placeholders = {
        key: text
        for key, secret in secrets.items()
        if (text := secret.standing_in(PLACEHOLDER, own)) is not None
    }
    return OfflineStack(
        name,
        scratch,
        tuple(replaced),
        placeholders=placeholders,
    )


def check_name(stack: str) -> None:
    """Raise UserError for what Pulumi takes for no name of a stack."""
    if not STACK_NAME.fullmatch(own := own_name(stack)):
        raise UserError(f"stack {json.dumps(own)}: is no name of a stack: it {STACK_NAME_BOUND}.")


def check_there(name: str, settings_file: Path, repository: Path) -> None:
    """Raise NoStackFileError unless there is the file of a stack."""
    if settings_file.is_file():
        return
    if not stacks(repository):
        check_project(repository)
    if settings_file.parent.resolve() != repository.resolve():
        raise NoStackFileError(f"stack {name}: {settings_file} does not exist.")
    if not STACK_NAME.fullmatch(own := own_name(name)):
        raise NoStackFileError(
            f'--stack "{own}": is no name of a stack: it {STACK_NAME_BOUND}. '
            f"{files_in(repository)}; name one of these."
        )
    raise NoStackFileError(
        f"--stack {name}: {files_in(repository)}, and no {settings_file.name}. pulumi stack init "
        f"{name}, then pulumi config set {NAMESPACE}:size dev --stack {name} makes it."
    )


def files_in(folder: Path) -> str:
    """Say which stack files a folder has."""
    files = ", ".join(f"Pulumi.{name}.yaml" for name in stacks(folder))
    return f"{folder} has {files or 'no Pulumi.STACK.yaml'}"


def check_project(folder: Path) -> None:
    """Raise NoProjectError unless a folder is a project."""
    if not (folder / "Pulumi.yaml").is_file():
        raise NoProjectError(
            f"{folder}: has no Pulumi.yaml. Start the command in a project's folder, or name one "
            f"with --dir; {COMMAND} new makes one."
        )


def read_project(folder: Path) -> dict[str, Any]:
    """What a project's Pulumi.yaml has. Raises OfflineStackError."""
    file = folder / "Pulumi.yaml"
    project = read_yaml(file)
    name = project.get("name")
    if not (isinstance(name, str) and name):
        raise OfflineStackError(
            f"{file}: has no name, which is the project's. Add one, such as name: {NAMESPACE}."
        )
    return project


def write_project(folder: Path, repository: Path, without: Sequence[str] = (), **more: str) -> None:
    """Write a project file that points at the program of `repository`, with `more` keys."""
    project = read_project(repository)
    kept = {key: value for key, value in project.items() if key not in without}
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    write_yaml(
        folder / "Pulumi.yaml", {**kept, "runtime": runtime, "main": str(repository), **more}
    )


def _settings(
    settings: dict[str, Any], earlier: dict[str, Any], path: Path
) -> tuple[dict[str, Any], list[str]]:
    replaced: list[str] = []
    kept = {key: value for key, value in settings.items() if key not in FOREIGN_SETTINGS}
    config = mapping(kept.get("config"), path)
    kept["config"] = readable = dict[str, Any]()
    for key, value in config.items():
        if (
            _bare(key) in SECRET_KEYS or namespaced(key, NAMESPACE) in NO_PLACEHOLDER
        ) and _has_secret(value):
            replaced.append(key)  # the program refuses a placeholder there
        else:
            readable[key] = _readable(value, key, replaced)
    if SALT in earlier:
        kept[SALT] = earlier[SALT]  # the state's secrets are encrypted with it
    return kept, replaced


def namespaced(key: str, project: str) -> str:
    """A key of `config` as Pulumi hands it to the program of a project.

    Pulumi takes `langfuse:config:size` for `langfuse:size`, and so in every namespace.
    """
    namespace, legacy, name = key.partition(":config:")
    if legacy and ":" not in namespace + name:
        return f"{namespace}:{name}"
    return key if ":" in key else f"{project}:{key}"


def _bare(key: str) -> str:
    return namespaced(key, NAMESPACE).removeprefix(f"{NAMESPACE}:")


def _has_secret(value: Any) -> bool:
    found: list[str] = []
    _readable(value, "", found)
    return bool(found)


def is_seal(value: Any) -> bool:
    """Whether a value is one of Pulumi's secrets: no other key beside `secure`, which is text."""
    if not isinstance(value, Mapping):
        return False
    parts = cast("Mapping[str, Any]", value)
    return set(parts) == {"secure"} and isinstance(parts["secure"], str)


def _readable(value: Any, path: str, replaced: list[str]) -> Any:
    if isinstance(value, dict):
        branch = cast("dict[str, Any]", value)
        if is_seal(branch):
            replaced.append(path)
            return PLACEHOLDER
        return {key: _readable(item, f"{path}.{key}", replaced) for key, item in branch.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_readable(item, f"{path}[{index}]", replaced) for index, item in enumerate(items)]
    return value


def read_stack(path: Path, project: Path) -> dict[str, Any]:
    """A stack's file, with the keys of `config` as the program gets them. Raises OfflineStackError.

    `project` is the folder of Pulumi.yaml, whose name is the namespace of keys that have none.
    """
    namespace = str(read_project(project)["name"])
    content = read_yaml(path)
    given = mapping(content.get("config"), path)
    return {**content, "config": {namespaced(key, namespace): each for key, each in given.items()}}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping. Raises OfflineStackError."""
    return mapping(read_any_yaml(path), path)


def mapping(value: Any, path: Path) -> dict[str, Any]:
    """What a file, or a part of it, must be; an empty one has no keys. Raises OfflineStackError."""
    if value is not None and not isinstance(value, dict):
        raise OfflineStackError(f"{path}: is not what Pulumi writes: keys and values are missing.")
    return {str(key): part for key, part in cast("dict[Any, Any]", value or {}).items()}


def read_any_yaml(path: Path) -> Any:
    """Read a file, which may hold anything. Raises OfflineStackError."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 -- a SafeLoader
    except OSError as error:
        raise OfflineStackError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OfflineStackError(f"{path}: is not UTF-8 text. Write it anew.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        snippet = mark.get_snippet(indent=2) if mark else None
        raise NotYamlError(
            f"{path}: is not YAML: {where}{error.problem}. Correct it"
            + (f":\n{snippet}" if snippet else "."),
            mark.line + 1 if mark else None,
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        endless = isinstance(error, RecursionError)
        why = "it has parts within parts without end" if endless else error
        raise NotYamlError(f"{path}: is not YAML: {why}. Correct it.") from None


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write a mapping."""
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
