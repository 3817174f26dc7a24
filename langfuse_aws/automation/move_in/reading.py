"""Finds out what kind of source a path is, and reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from langfuse_aws.automation.errors import CommandLineError
from langfuse_aws.automation.move_in.compose import read_compose
from langfuse_aws.automation.move_in.source import Source, source_of
from langfuse_aws.automation.move_in.variables import read_env_file

YAML: Final = (".yaml", ".yml")
LATER: Final = "Give it in a file of NAME=VALUE by another --from, which wins."


def read_source(paths: Sequence[Path], around: Mapping[str, str]) -> Source:
    """Read one or several, of which a later one wins. UserError names what is wrong."""
    environment: dict[str, str] = {}
    release: str | None = None
    for path in paths:
        if not path.exists():
            raise CommandLineError(f"--from {path}: is not there.")
        if path.is_dir() or path.suffix in YAML:
            found, said = read_compose(path, around)
            release = said or release
        else:
            found = read_env_file(path, around)
        environment |= found
    return source_of(", ".join(map(str, paths)), environment, release, LATER)
