"""Copies a stack's images into another registry, several at once, and does not believe the tool.

Whether an image has arrived is what the registry itself answers: the index, the tag and every
manifest below, each held against its digest. What is there already is not copied again, so a run
goes on where an earlier one stopped.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal

import httpx
from pydantic import BaseModel, ConfigDict

from langfuse_aws.automation.errors import UserError, one_line
from langfuse_aws.automation.images.lookup import rate_limit_remedy
from langfuse_aws.automation.images.registry import Login, Manifest, Repository
from langfuse_aws.automation.images.tools import Copier, ToolError
from langfuse_aws.components.runtime.images import mirror_repository
from langfuse_aws.settings.image_lock import LockedImage, read_lock, write_lock
from langfuse_aws.settings.stack_images import Image

AT_ONCE: Final = 3
MEBIBYTE: Final = 2**20
RATE_LIMITED: Final = "toomanyrequests"
"""What Docker Hub says of its limit, and skopeo quotes.
https://docs.docker.com/docker-hub/usage/pulls/"""

State = Literal["locked", "unchanged", "copying", "verified", "there", "failed", "cancelled"]
DONE: Final[Sequence[State]] = ("verified", "there")


class ImageEvent(BaseModel):
    """What has become of an image; one line of the command line's `--json`."""

    model_config = ConfigDict(frozen=True)

    event: Literal["image"] = "image"
    state: State
    image: str
    """Its reference where its makers publish it."""
    digest: str
    destination: str | None = None
    """`HOST/NAME:TAG` of the copy."""
    mebibytes: float | None = None
    """Of all platforms together, compressed."""
    seconds: float = 0
    """Since its copy began."""
    message: str = ""
    """What is the matter."""


@dataclass(frozen=True)
class Destination:
    """The registry that holds the copies."""

    host: str
    prefix: str
    """What the names of the stack's resources begin with."""
    login: Login | None = None


class WrongCopyError(UserError):
    """The destination does not have what it should have."""


class Mirror:
    """One run."""

    def __init__(
        self,
        client: httpx.Client,
        copier: Copier,
        destination: Destination,
        lock_file: Path,
        take: Callable[[ImageEvent], None],
    ) -> None:
        """Nothing is done yet. `take` gets what happens, from one thread at a time."""
        self._client = client
        self._copier = copier
        self._destination = destination
        self._lock_file = lock_file
        self._take = take
        self._lock = threading.Lock()
        self.cancelled = False

    def run(self, images: Mapping[Image, LockedImage]) -> list[ImageEvent]:
        """Copy them, and record each in the lock once it is there. Gives the last event of each."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self._mirror, images, images.values()))

    def cancel(self) -> None:
        """Stop the copies; `run` then returns soon. May be called in a signal's handler."""
        self.cancelled = True
        self._copier.stop()

    def _mirror(self, image: Image, wanted: LockedImage) -> ImageEvent:
        begin = time.monotonic()
        copy = Repository(
            self._client,
            self._destination.host,
            mirror_repository(self._destination.prefix, image),
            self._destination.login,
        )

        def tell(state: State, mebibytes: float | None = None, message: str = "") -> ImageEvent:
            event = ImageEvent(
                state=state,
                image=image.reference,
                digest=wanted.digest,
                destination=f"{copy.place}:{image.tag}",
                mebibytes=mebibytes,
                seconds=time.monotonic() - begin,
                message=message,
            )
            with self._lock:
                self._take(event)
            return event

        try:
            state: State = "there"
            size = None if self.cancelled else _size_there(copy, image, wanted)
            if size is None:
                if self.cancelled:
                    return tell("cancelled")
                tell("copying")
                state = "verified"
                source = f"{image.registry}/{image.repository}@{wanted.digest}"
                self._copier.copy(source, f"{copy.place}:{image.tag}")
                size = _size_there(copy, image, wanted)
            if size is None:
                raise WrongCopyError(
                    f"{copy.place}: does not have all of {wanted.digest} after the copy. Run the "
                    "command again."
                )
            self._record(image, wanted)
        except ToolError as error:
            if self.cancelled:
                return tell("cancelled")
            limited = RATE_LIMITED in str(error)
            return tell(
                "failed", message=f"{error} {rate_limit_remedy(image) if limited else ''}".strip()
            )
        except (UserError, httpx.HTTPError, KeyError, TypeError, ValueError, OSError) as error:
            return tell("failed", message=one_line(error))
        return tell(state, round(size / MEBIBYTE, 1))

    def _record(self, image: Image, found: LockedImage) -> None:
        with self._lock:
            write_lock({**read_lock(self._lock_file), image.reference: found}, self._lock_file)


def _size_there(copy: Repository, image: Image, wanted: LockedImage) -> int | None:
    """Bytes of the image in the repository; None if a part of it is missing.

    Raises WrongCopyError and WrongDigestError for what is there and must not be.
    """
    tagged = _found(copy, image.tag)
    if tagged and tagged.digest != wanted.digest:
        raise WrongCopyError(
            f"{copy.place}:{image.tag}: is {tagged.digest} there, and should be {wanted.digest}. "
            "Its tags cannot be moved: delete that image in the repository, and run the command "
            "again."
        )
    index = _found(copy, wanted.digest)
    parts = [_found(copy, each["digest"]) for each in index.images] if index else []
    if tagged is None or index is None or None in parts:
        return None
    blobs: dict[str, int] = {}
    for each in (index, *parts):
        blobs.update(each.blobs if each else {})
    return sum(blobs.values())


def _found(repository: Repository, version: str) -> Manifest | None:
    try:
        return repository.manifest(version)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == HTTPStatus.NOT_FOUND:
            return None
        raise
