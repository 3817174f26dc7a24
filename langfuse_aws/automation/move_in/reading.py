"""Finds out what kind of source each path is, and reads them together."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from langfuse_aws.automation.errors import CommandLineError, MistakesError
from langfuse_aws.automation.move_in.compose import is_compose, read_compose
from langfuse_aws.automation.move_in.containers import HOST, Lack, Reading
from langfuse_aws.automation.move_in.documents import read_documents
from langfuse_aws.automation.move_in.helm import is_values, read_values
from langfuse_aws.automation.move_in.kubernetes import Exported, Tree, objects_of
from langfuse_aws.automation.move_in.source import POSTGRES_URLS, Source, source_of
from langfuse_aws.automation.move_in.variables import read_env_file

YAML: Final = (".yaml", ".yml", ".json")
LATER: Final = "Give it in a file of NAME=VALUE by another --from, which wins."
PARTS_OF_URL: Final = (HOST, *(f"DATABASE_{each}" for each in ("USERNAME", "PASSWORD", "NAME")))


def read_source(
    paths: Sequence[Path], around: Mapping[str, str], *, reached: bool = True
) -> Source:
    """Read one or several, of which a later one wins. UserError names all that is wrong.

    `reached`: its stores are to be reached from here; otherwise their addresses do not matter.
    """
    environment: dict[str, str] = {}
    release: str | None = None
    lacking: dict[str, Lack] = {}
    for found in _readings(paths, around):
        lacking = {name: why for name, why in lacking.items() if name not in found.environment}
        lacking |= found.lacking
        environment |= found.environment
        release = found.release or release
    lacking = {
        name: why
        for name, why in _needed(lacking, environment).items()
        if reached or not why.unreachable
    }
    name = ", ".join(map(str, paths))
    told = list(_lines(lacking))
    try:
        source = source_of(name, environment, release, LATER, [*lacking])
    except MistakesError as error:
        raise MistakesError([*told, *error.messages]) from None
    if told:
        raise MistakesError(told)
    return source


def _readings(paths: Sequence[Path], around: Mapping[str, str]) -> Iterator[Reading]:
    trees: dict[Path, list[Any]] = {}
    for path in paths:
        if not path.exists():
            raise CommandLineError(f"--from {path}: is not there.")
        if path.suffix in YAML and path.is_file():
            trees[path] = read_documents(path)
    # Values name Secrets, of whatever file.
    exported = Exported([each for tree in trees.values() for each in objects_of(tree)])
    read = 0
    for path in paths:
        for reading in _of(path, trees.get(path), exported, around):
            read += 1
            yield reading
    if not read:
        raise CommandLineError(
            f"{', '.join(map(str, paths))}: has no Deployment of Langfuse, which says what its "
            f"Secrets are for. Add helm get values {exported.helm_release or 'RELEASE'} --all "
            f"-o yaml > values.yaml, or {exported.kubectl} get deployment -o yaml."
        )


def _of(
    path: Path, documents: list[Any] | None, exported: Exported, around: Mapping[str, str]
) -> Iterator[Reading]:
    if path.is_dir():
        yield read_compose(path, around)
    elif documents is None:
        yield Reading(read_env_file(path, around))
    elif objects := [*objects_of(documents)]:
        yield from exported.readings(objects, str(path))
    elif len(documents) == 1 and is_compose(documents[0]):
        yield read_compose(path, around)
    elif len(documents) == 1 and is_values(documents[0]):
        yield read_values(cast("Tree", documents[0]), str(path), exported)
    else:
        raise CommandLineError(
            f"{path}: has no services of docker compose, no values of Langfuse's Helm chart, and "
            "no objects of Kubernetes. Name another file."
        )


def _needed(lacking: Mapping[str, Lack], environment: Mapping[str, str]) -> dict[str, Lack]:
    """Leave out what another variable makes unimportant."""
    unused: set[str] = set()
    for number, name in enumerate(POSTGRES_URLS):
        if environment.get(name) or name in lacking:
            unused = {*POSTGRES_URLS[number + 1 :], *PARTS_OF_URL}
            break
    return {name: why for name, why in lacking.items() if name not in unused}


def _lines(lacking: Mapping[str, Lack]) -> Iterator[str]:
    for why in dict.fromkeys(lacking.values()):
        names = [name for name, each in lacking.items() if each == why]
        yield f"{why.where}: {', '.join(names)} {'are' if names[1:] else 'is'} {why.said}."
