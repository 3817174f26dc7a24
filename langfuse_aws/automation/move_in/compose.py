"""Reads a source that docker compose runs: its file, the file that overrides it, and `.env`.

Names that only its own network knows, such as `postgres:5432`, become the ports that it publishes:
what is not published cannot be read from outside.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from langfuse_aws.automation.errors import CommandLineError
from langfuse_aws.automation.move_in.containers import (
    HOST,
    WEB,
    WORKER,
    Lack,
    Reading,
    addresses,
    release_of,
)
from langfuse_aws.automation.move_in.documents import read_documents
from langfuse_aws.automation.move_in.variables import interpolate, read_env_file

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file"""
PUBLISHED: Final = re.compile(
    r"(?:(?P<address>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<outside>\d+):(?P<inside>\d+)(?:/tcp)?"
)
ANYWHERE: Final = ("", "0.0.0.0", "[::]")  # noqa: S104 -- what is compared with

Tree = Mapping[str, Any]


def read_compose(path: Path, around: Mapping[str, str]) -> Reading:
    """Give the variables of its web and worker.

    `around` is the environment of this process, whose values win over those of `.env`. Raises
    UserError; no message has a value in it.
    """
    file = _file(path)
    env_file = file.parent / ".env"
    variables = {**(read_env_file(env_file, around) if env_file.is_file() else {}), **around}
    services = _services(file, variables)
    found: dict[str, str] = {}
    release = None
    for pattern in (WORKER, WEB):  # web has what the worker has, and more
        for service in services.values():
            image = str(service.get("image", ""))
            if pattern.fullmatch(image):
                found |= _environment(service, file.parent, variables)
                release = release_of(image) or release
    if not found:
        raise CommandLineError(
            f"{file}: has no service with an image of Langfuse and an environment. Name the file "
            "that runs web and worker, or give a file of their variables."
        )
    return _from_outside(found, services, file, release)


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    found = [path / name for name in NAMES if (path / name).is_file()]
    if not found:
        raise CommandLineError(f"{path}: has none of {', '.join(NAMES)}. Name the file.")
    return found[0]


def _services(file: Path, variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    override = file.with_name(f"{file.stem}.override{file.suffix}")
    merged: dict[str, dict[str, Any]] = {}
    for each in (file, *([override] if override.is_file() else [])):
        tree = _interpolated(_tree(each), variables, each)
        for name, service in cast("Mapping[str, Tree]", tree.get("services") or {}).items():
            before = merged.get(name, {})
            merged[name] = {
                **before,
                **service,
                "environment": {
                    **_pairs(before.get("environment"), variables),
                    **_pairs(service.get("environment"), variables),
                },
                "ports": [*before.get("ports", []), *(service.get("ports") or [])],
            }
    return merged


def _tree(file: Path) -> Tree:
    documents = read_documents(file)
    tree = documents[0] if len(documents) == 1 else None
    if not is_compose(tree):
        raise CommandLineError(f"{file}: has no services, so it is no file of docker compose.")
    return cast("Tree", tree)


def is_compose(tree: Any) -> bool:
    """Whether it looks like a file of docker compose."""
    return isinstance(tree, dict) and isinstance(cast("Tree", tree).get("services"), dict)


def _interpolated(value: Any, variables: Mapping[str, str], file: Path) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _interpolated(each, variables, file) for key, each in cast("Tree", value).items()
        }
    if isinstance(value, list):
        return [_interpolated(each, variables, file) for each in cast("list[Any]", value)]
    if isinstance(value, str):
        try:
            return interpolate(value, variables)
        except ValueError as error:
            raise CommandLineError(f"{file}: {error}.") from None
    return value


def _pairs(environment: Any, variables: Mapping[str, str]) -> dict[str, str]:
    """Both forms, a mapping and a list of NAME=VALUE; a name alone is of the surroundings."""
    if isinstance(environment, Mapping):
        pairs = cast("Mapping[str, Any]", environment).items()
    else:
        split = (str(each).partition("=") for each in cast("Sequence[Any]", environment or ()))
        pairs = ((name, value if equals else None) for name, equals, value in split)
    return {
        name: _text(variables.get(name, "") if value is None else value) for name, value in pairs
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _environment(service: Tree, folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    given: Any = service.get("env_file") or []
    files = cast("list[Any]", given if isinstance(given, list) else [given])
    found: dict[str, str] = {}
    for each in files:
        options = cast("Tree", each) if isinstance(each, Mapping) else {"path": each}
        path = folder / str(options["path"])
        if path.is_file() or options.get("required", True):
            found |= read_env_file(path, variables)
    return {**found, **service["environment"]}


def _from_outside(
    environment: Mapping[str, str], services: Mapping[str, Tree], file: Path, release: str | None
) -> Reading:
    lacking: dict[str, Lack] = {}
    result = dict(environment)
    for name, host, wanted in addresses(environment):
        if host not in services:
            continue
        outside = next(_published(services[host].get("ports") or [], wanted), None)
        if outside is None:
            lacking[name] = Lack(
                str(file),
                f"on service {host}, which publishes no port for {wanted}. Add "
                f'ports: ["127.0.0.1:{wanted}:{wanted}"] to it, and docker compose up -d {host}',
                unreachable=True,
            )
        elif name == HOST:
            result[name] = outside
        else:
            inside = re.compile(rf"(^\w+://(?:[^@/]*@)?){re.escape(host)}(?::\d+)?", re.IGNORECASE)
            result[name] = inside.sub(lambda found, at=outside: found[1] + at, environment[name])
    return Reading(result, release, lacking)


def _published(ports: Sequence[Any], wanted: int) -> Iterator[str]:
    for each in ports:
        if isinstance(each, Mapping):
            long = cast("Tree", each)
            address, outside, inside = (
                long.get("host_ip", ""),
                long.get("published"),
                long["target"],
            )
        elif found := PUBLISHED.fullmatch(str(each)):
            address, outside, inside = found["address"] or "", found["outside"], found["inside"]
        else:
            continue
        if outside and int(inside) == wanted:
            yield f"{'127.0.0.1' if address in ANYWHERE else address}:{outside}"
