"""Reads files of YAML, of which JSON is a part."""

from pathlib import Path
from typing import Any, Final

import yaml

from langfuse_aws.automation.errors import CommandLineError

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""A namespace's Secrets may be many MB: Helm keeps its releases there."""


def read_documents(path: Path) -> list[Any]:
    """Give its documents that are not empty. CommandLineError; no message has a value in it."""
    try:
        documents = list(yaml.load_all(path.read_text("utf-8"), _LOADER))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise CommandLineError(f"{path}{where}: cannot be read as YAML.") from None
    return [each for each in documents if each is not None]
