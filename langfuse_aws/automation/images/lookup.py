"""Asks an image's registry what its tag stands for, and for which CPUs it is there.

Every way that this can end badly is an error with a remedy. It changes nothing.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

import httpx

from langfuse_aws.automation.errors import MistakesError, UserError, one_line
from langfuse_aws.automation.images.registry import Login, Repository, WrongDigestError, retry_after
from langfuse_aws.automation.images.registry_login import Logins
from langfuse_aws.settings.image_lock import LOCK_FILE, Lock, LockedImage
from langfuse_aws.settings.images import DOCKER_HUB
from langfuse_aws.settings.stack_images import CPU, Image

AT_ONCE: Final = 4
OF_LANGFUSE: Final = ("web", "worker")
"""Whose release and architecture are settings; the others come with this program."""
ANOTHER_RELEASE: Final = (
    "pulumi config set langfuse:release X.Y.Z, one of "
    "https://github.com/langfuse/langfuse/releases."
)
ANOTHER_PROGRAM: Final = "The image comes with this program: take a later version of the program."
TAKE_OUT: Final = f"If that is wanted, take the entry out of {LOCK_FILE} and run the command again."
SETTINGS: Final = {registry: setting for setting, registry in CPU.items()}
"""What the settings call an architecture."""


class ImageError(UserError):
    """What is the matter with an image, and what to do about it."""

    def __init__(self, image: Image, problem: str, remedy: str) -> None:
        """Take the parts."""
        super().__init__(f"{image.reference}: {problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy


class NotThereError(ImageError):
    """The registry said that the image is not there, or not as it must be."""


class NoAnswerError(ImageError):
    """The registry did not say."""


class ImagesError(MistakesError):
    """Several images have something the matter."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        """Take the errors, one for each image."""
        super().__init__([message for error in errors for message in error.messages])
        self.errors = errors


def look_up(
    client: httpx.Client, image: Image, login: Login | None = None, version: str | None = None
) -> LockedImage:
    """Find what the tag, or the digest `version`, stands for. Raises NotThereError, NoAnswerError.

    The image must be there for the CPU that runs it.
    """
    repository = Repository(client, image.registry, image.repository, login)
    try:
        manifest = repository.manifest(version or image.tag)
        found = LockedImage(digest=manifest.digest, platforms=repository.platforms(manifest))
    except httpx.HTTPStatusError as error:
        raise _explained(image, error) from error
    except WrongDigestError as error:
        raise NotThereError(image, str(error), "") from error
    except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
        raise NoAnswerError(image, one_line(error), "") from error
    if image.architecture not in found.platforms:
        raise _other_architectures(image, found)
    return found


def look_up_all(
    client: httpx.Client, images: Iterable[Image], lock: Lock, logins: Logins
) -> dict[Image, LockedImage]:
    """Find what every tag stands for, and hold it against the lock. Raises ImagesError."""

    def find(image: Image) -> LockedImage | UserError:
        try:
            found = look_up(client, image, logins.at(image.registry))
            _check_digest(image, found, lock)
        except UserError as error:
            return error
        return found

    listed = list(images)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(listed, pool.map(find, listed), strict=True))
    errors = [each for each in found.values() if isinstance(each, UserError)]
    if errors:
        raise ImagesError(errors)
    return {image: each for image, each in found.items() if isinstance(each, LockedImage)}


def _check_digest(image: Image, found: LockedImage, lock: Lock) -> None:
    """Refuse a tag that was moved: https://github.com/langfuse/langfuse/issues/16923."""
    locked = lock.get(image.reference)
    if locked and locked.digest != found.digest:
        raise NotThereError(
            image,
            f"the tag was moved: {LOCK_FILE} has {locked.digest}, and the registry answers "
            f"{found.digest}.",
            TAKE_OUT,
        )
    if image.digest not in (None, found.digest):
        raise NotThereError(
            image,
            f"the tag was moved: this program knows {image.digest}, and the registry answers "
            f"{found.digest}.",
            ANOTHER_PROGRAM,
        )


def _explained(image: Image, error: httpx.HTTPStatusError) -> ImageError:
    status, host = error.response.status_code, error.request.url.host
    if status == HTTPStatus.NOT_FOUND:
        services, first = " and ".join(image.services), image.services[0]
        remedy = ANOTHER_RELEASE if first in OF_LANGFUSE else ANOTHER_PROGRAM
        return NotThereError(image, f"its registry does not have it; {services} need it.", remedy)
    problem = f"{host} answers HTTP {status}."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(error)
        problem = f"{host} answers HTTP 429: its limit for this address or user is used up."
        return NoAnswerError(image, problem, rate_limit_remedy(image, wait))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return NoAnswerError(image, problem, f"docker login {image.registry}, or log out there.")
    return NoAnswerError(image, problem, "")


def rate_limit_remedy(image: Image, seconds: float = 0) -> str:
    """Say what helps against a registry's limit.

    https://docs.docker.com/docker-hub/usage/pulls/
    """
    wait = f"{seconds:.0f} s" if seconds else "six hours at the most"
    name = "" if image.registry == DOCKER_HUB else f" {image.registry}"
    return f"docker login{name} raises it; or wait, {wait}, and run the command again."


def _other_architectures(image: Image, found: LockedImage) -> ImageError:
    first, services = image.services[0], " and ".join(image.services)
    others = [SETTINGS[each] for each in sorted(found.platforms) if each in SETTINGS]
    change = f"pulumi config set --path langfuse:{first}.architecture {' or '.join(others)}."
    return NotThereError(
        image,
        f"is there for {', '.join(sorted(found.platforms)) or 'no Linux'}, and {services} run on "
        f"{image.architecture}.",
        change if others and first in OF_LANGFUSE else ANOTHER_PROGRAM,
    )
