"""Made-up digests for the images of a stack, in a lock of a copy of the repository."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.settings.image_lock import LOCK_FILE, LockedImage, write_lock
from langfuse_aws.settings.loading import load_without_secrets
from langfuse_aws.settings.stack_images import images_of

NOT_COPIED = (".venv", ".state", ".git", "__pycache__", ".*_cache")
BOTH = ("arm64", "amd64")


def digest(text: str) -> str:
    """A digest that stands for a text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def locked(
    config: Mapping[str, Any], cpus: tuple[str, ...] = BOTH, *, without: str = ""
) -> dict[str, LockedImage]:
    """Lock every image of a `langfuse:` configuration but one, for some CPUs."""
    return {
        image.reference: LockedImage(
            digest=image.digest or digest(image.name),
            platforms={cpu: digest(f"{image.name} {cpu}") for cpu in cpus},
        )
        for image in images_of(load_without_secrets(config))
        if image.name != without
    }


def copy_of_the_repository(folder: Path) -> Path:
    """Copy it without what is not of it; gives the folder."""
    shutil.copytree(REPOSITORY, folder, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return folder


def lock_copy(folder: Path, lock: Mapping[str, LockedImage]) -> None:
    """Give a copy of the repository another lock."""
    write_lock(lock, folder / LOCK_FILE)
