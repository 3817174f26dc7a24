"""`images.lock.json`: which digest the tag of an image stood for when somebody looked.

Tags have been moved to other releases (https://github.com/langfuse/langfuse/issues/16923); what is
in the lock is deployed by its digest. The file is made by `images lock`, belongs
into version control, and is one for all stacks.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.stack_images import Image

LOCK_FILE: Final = "images.lock.json"
"""Beside the program, in the folder of Pulumi.yaml."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class LockedImage(BaseModel):
    """What a tag stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: Digest
    """Of the image index, or of the image if there is no index."""
    platforms: dict[str, Digest]
    """Digest of the image for each CPU under Linux: `arm64`, `amd64`."""


Lock = Mapping[str, LockedImage]
"""By reference, such as `ghcr.io/langfuse/langfuse:3.225.4`."""

_LOCK: Final = TypeAdapter(dict[str, LockedImage])


def read_lock(path: Path) -> Lock:
    """Read the lock; no file is an empty one. ValueError, in one line, if it cannot be read."""
    try:
        return _LOCK.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ValueError(
            f"{path.name}: {where + ': ' if where else ''}is not what images lock writes. Restore "
            f"it from version control, or delete it and run {COMMAND} images lock."
        ) from None


def write_lock(lock: Lock, path: Path) -> None:
    """Write the lock whole or not at all."""
    found = {reference: lock[reference].model_dump() for reference in sorted(lock)}
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(path)


def problem(image: Image, lock: Lock) -> str | None:
    """Say why the lock does not allow an image; None if it does, or does not know the image."""
    locked = lock.get(image.reference)
    if locked is None:
        return None
    if image.digest not in (None, locked.digest):
        return (
            f"{image.reference}: is {locked.digest} in {LOCK_FILE}, and this program knows "
            f"{image.digest}. Take the entry out and lock it again; if it stays, the tag was moved."
        )
    if image.architecture not in locked.platforms:
        services = " and ".join(image.services)
        there = ", ".join(sorted(locked.platforms)) or "nothing"
        return (
            f"{image.reference}: is needed on {image.architecture} for {services}, and "
            f"{LOCK_FILE} has it for {there} only. "
            "Take the entry out and lock it again, or choose another architecture."
        )
    return None
