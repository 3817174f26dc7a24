"""`new`: a project of a user's own, which deploys Langfuse by this package.

Nothing that is there is written over. Exit code 0: done. 1: not, and a line says why. 2: the
command line is wrong.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.engine.offline_workspace import STACK_NAME, STACK_NAME_BOUND
from langfuse_aws.automation.errors import UserError, WrongOptionsError
from langfuse_aws.automation.new.pin import FILE, requirement
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.settings import provider_keys
from langfuse_aws.settings.how_to_set import HowToSet
from langfuse_aws.settings.installation import COMMAND, REPOSITORY_URL
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.sizing import SIZING

TEMPLATE: Final = Path(__file__).with_name("project")
AS_THEY_ARE: Final[Mapping[str, str]] = {
    "Pulumi.yaml": "Pulumi.yaml",
    "__main__.py": "__main__.py",
    ".gitignore": "gitignore",
    ".github/workflows/preview.yml": "preview.yml",
}
"""Files of a project, and what they are called in the template: a wheel has no hidden files."""
WITH_AN_OPTION: Final = HowToSet(
    plain="with --{path}", for_secrets="with pulumi config set --secret"
)


def new(folder: Path, stack: str, size: str | None, region: str, domain: str | None) -> None:
    """Write a project."""
    with one_line_errors():
        config = _config(stack, size, region, domain)
        files = dict(_files(stack, config))
        _write(folder, files)
    here = folder.resolve() == REPOSITORY.resolve()
    where = "" if here else f" --dir {shlex.quote(str(folder))}"
    console.print(f"wrote {folder}: {', '.join(files)}", markup=False)
    for title, commands in _next(stack, where):
        console.print(f"\n{title}", markup=False)
        for command in commands:
            console.print(f"  {command}", markup=False)


def _config(stack: str, size: str | None, region: str, domain: str | None) -> dict[str, Any]:
    """The stack's configuration. Raises WrongOptionsError with every mistake there is."""
    mistakes: list[str] = []
    if not STACK_NAME.fullmatch(stack):
        mistakes.append(f"--stack {stack}: {STACK_NAME_BOUND}. Name another.")
    size = size or (stack if stack in SIZING else None)
    if size is None or size not in SIZING:
        what = "--size: is missing" if size is None else f"--size {size}: is no size"
        mistakes.append(f"{what}. Name one of {', '.join(SIZING)}.")
    elif domain is None and SIZING[size]["ingress"]["kind"] != "apiGateway":
        mistakes.append(
            f"--domain: is missing: size {size} serves https under a domain. Name one, such as "
            "langfuse.example.com, whose parent is a public hosted zone in Route 53."
        )
    own = {"size": size, **({"domain": domain} if domain is not None else {})}
    config: dict[str, Any] = {
        "aws:region": region,
        "aws:defaultTags": {"tags": {"Project": "langfuse", "Stack": stack}},
        **{f"langfuse:{key}": value for key, value in own.items()},
    }
    mistakes += [
        f"--region {line.removeprefix('aws:region: ')}"
        for line in provider_keys.problems({"aws:region": region})
    ]
    if not mistakes:
        try:
            load(own, WITH_AN_OPTION)
        except SettingsError as error:
            mistakes += error.problems
    if mistakes:
        raise WrongOptionsError(mistakes)
    return config


def _files(stack: str, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The files of a project, by their path in it."""
    for name, source in AS_THEY_ARE.items():
        yield name, (TEMPLATE / source).read_text(encoding="utf-8")
    yield f"Pulumi.{stack}.yaml", yaml.safe_dump({"config": dict(config)}, sort_keys=False)
    yield FILE, f"{requirement()}\n"
    readme = Template((TEMPLATE / "README.md").read_text(encoding="utf-8"))
    yield "README.md", readme.substitute(stack=stack, repository=REPOSITORY_URL)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write all of them, or none."""
    there = dict.fromkeys(each for name in files for each in _in_the_way(folder, name))
    if there:
        raise UserError(
            f"{folder}: has {', '.join(there)} already. Nothing was written: name another folder, "
            "or take these away."
        )
    try:
        with ExitStack() as unless_all_are_written:
            for name, text in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as file:
                    unless_all_are_written.callback(path.unlink)
                    file.write(text)
            unless_all_are_written.pop_all()
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written: {error.filename}: {error.strerror}. Name another folder."
        ) from None


def _in_the_way(folder: Path, name: str) -> Iterator[str]:
    """What there is of a file, or in the place of a folder that it is to be in."""
    if os.path.lexists(folder / name):
        yield name
    for parent in Path(name).parents:
        if os.path.lexists(folder / parent) and not (folder / parent).is_dir():
            yield str(parent)


def _next(stack: str, where: str) -> Iterator[tuple[str, list[str]]]:
    """What to do with it."""
    of = f"--stack {stack}{where}"
    yield "try it, on an AWS that exists in memory only:", [f"{COMMAND} up {of} --offline"]
    yield (
        "deploy it, with AWS credentials in the environment:",
        [
            "pulumi login s3://STATE-BUCKET",
            f"{COMMAND} preflight {of}",
            f"{COMMAND} up {of}",
        ],
    )
