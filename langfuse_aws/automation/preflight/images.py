"""Checks of `preflight` on the container images: each is there for the CPU that runs it.

What is locked is looked for by its digest, since that is what will be deployed; and in ECR, if the
stack runs the mirror's copies.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

import httpx
from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import (
    Check,
    NewStack,
    Result,
    error_code,
    failed,
    ok,
    unknown,
)
from langfuse_aws.automation.images.lookup import NoAnswerError, NotThereError, look_up
from langfuse_aws.components.runtime.images import mirror_repository
from langfuse_aws.settings.image_lock import LOCK_FILE, Lock, problem, read_lock
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.stack_images import Image

MIRROR: Final = f"{COMMAND} images mirror --stack {{}}."
NOT_IN_ECR: Final = ("ImageNotFoundException", "RepositoryNotFoundException")


def image_checks(stack: NewStack, client: httpx.Client, images: Iterable[Image]) -> Iterator[Check]:
    """List a check for each image; a lock that cannot be read is one too."""
    try:
        lock = read_lock(stack.folder / LOCK_FILE)
    except ValueError as error:
        unread = [failed(LOCK_FILE, str(error), "")]
        yield Check(LOCK_FILE, lambda: unread)
        return
    mirrored = stack.settings.images.source == "mirror"
    look = partial(_in_ecr, stack) if mirrored else partial(_at_its_registry, client)
    for image in images:
        yield Check(_name(image), partial(_checked, image, lock, look(image, lock)))


def _name(image: Image) -> str:
    return f"image {image.reference}"


def _checked(image: Image, lock: Lock, found: Iterator[Result]) -> Iterator[Result]:
    if wrong := problem(image, lock):
        yield failed(_name(image), wrong.removeprefix(f"{image.reference}: "), "")
    else:
        yield from found


def _at_its_registry(client: httpx.Client, image: Image, lock: Lock) -> Iterator[Result]:
    """Ask as an anonymous user, which ECS is too."""
    locked = lock.get(image.reference)
    try:
        look_up(client, image, version=locked.digest if locked else image.digest)
    except NotThereError as error:
        yield failed(_name(image), error.problem, error.remedy)
    except NoAnswerError as error:
        yield unknown(_name(image), error.problem, error.remedy)
    else:
        yield _there(image)


def _in_ecr(stack: NewStack, image: Image, lock: Lock) -> Iterator[Result]:
    """Ask for the index, and for the image that it leads the CPU to."""
    mirror = MIRROR.format(stack.name)
    locked = lock.get(image.reference)
    if locked is None:
        yield failed(_name(image), "is not mirrored yet.", mirror)
        return
    ecr: Any = stack.aws("ecr")
    repository = mirror_repository(stack.prefix, image)
    for digest in dict.fromkeys((locked.digest, locked.platforms[image.architecture])):
        try:
            ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        except ClientError as error:
            if error_code(error) not in NOT_IN_ECR:
                raise
            problem = f"is not mirrored yet: {repository} in ECR has no {digest}."
            yield failed(_name(image), problem, mirror)
            return
    yield _there(image)


def _there(image: Image) -> Result:
    services = " and ".join(image.services)
    return ok(_name(image), f"is there for {image.architecture}, which {services} run on")
