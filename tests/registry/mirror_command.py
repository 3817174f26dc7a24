"""`python -m tests.registry.mirror_command FILE`: `images mirror` between registries of a test.

What the command asks AWS and Pulumi for comes from FILE; the rest is the command as it is.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.automation.command_line import images as app
from langfuse_aws.automation.images import command as images_command
from langfuse_aws.automation.images.mirror import Destination
from langfuse_aws.automation.images.registry import Login
from langfuse_aws.settings.stack_images import Image


def put(patch: pytest.MonkeyPatch, given: dict[str, Any]) -> None:
    """Give the command other images, another destination and another lock."""
    login = Login(*given["login"])
    destination = Destination(given["host"], given["prefix"], login)
    images = tuple(
        Image(each["name"], each["reference"], "arm64", (each["name"],)) for each in given["images"]
    )

    def nothing(*_: object) -> None:
        pass

    patch.setattr(images_command, "LOCK_FILE", given["lock"])  # joined to a folder, it stays
    patch.setattr(images_command, "images_of", lambda _: images)  # pyright: ignore
    patch.setattr(images_command, "make_repositories", nothing)
    patch.setattr(images_command, "ecr", lambda _: destination)  # pyright: ignore


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    with pytest.MonkeyPatch.context() as patch:
        put(patch, given)
        app([*given["arguments"]], prog_name="images")
