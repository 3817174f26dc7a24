"""`images lock` and `images mirror`: which digests a stack deploys, and copies of them in ECR.

Exit code 0: done. 1: not, and a line says why. 130: cancelled.
"""

import time
from base64 import b64decode
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from langfuse_aws.automation.aws.answers import NewStack
from langfuse_aws.automation.aws.clients import new_stack
from langfuse_aws.automation.cli.deploy import ends_with_a_message
from langfuse_aws.automation.engine.following import on_signals
from langfuse_aws.automation.engine.image_repositories import check_source
from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.engine.stack_file import StackFile, read_stack_file
from langfuse_aws.automation.engine.stopping import STOPPED, Interrupted
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images.display import (
    ImageDisplay,
    ImagesForPeople,
    ImagesForTools,
    not_done,
)
from langfuse_aws.automation.images.lookup import look_up_all
from langfuse_aws.automation.images.mirror import Destination, ImageEvent, Mirror
from langfuse_aws.automation.images.registry import Login, new_client
from langfuse_aws.automation.images.registry_login import Logins
from langfuse_aws.automation.images.tools import Copier, find_skopeo, login_file
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.settings.image_lock import LOCK_FILE, Lock, LockedImage, read_lock, write_lock
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stack_images import Image, images_of


def lock(stack: str | None, folder: Path, as_json: bool) -> None:
    """Write down which digest each image's tag stands for, which is deployed from then on."""
    with _told(as_json) as display:
        lock_images(read_stack_file(stack, folder).settings, folder, display)


def lock_images(settings: Settings, folder: Path, display: ImageDisplay) -> None:
    """Lock the images of these settings, in the lock of the folder."""
    begin = time.monotonic()
    lock_file = folder / LOCK_FILE
    before, found = _looked_up(images_of(settings), lock_file)
    after = {**before, **{image.reference: each for image, each in found.items()}}
    if after != before:
        write_lock(after, lock_file)
    for image, each in found.items():
        same = before.get(image.reference) == each
        state = "unchanged" if same else "locked"
        display.image(ImageEvent(state=state, image=image.reference, digest=each.digest))
    display.locked(_entries(found), time.monotonic() - begin)


def mirror(stack: str | None, folder: Path, as_json: bool) -> None:
    """Copy the stack's images, all platforms of each, into ECR repositories of the stack."""
    with _told(as_json) as display:
        file = read_stack_file(stack, folder)
        missing, cancelled = mirror_images(file, stack or file.name, folder, display)
        if missing:
            display.failed(missing)
            raise typer.Exit(STOPPED if cancelled else 1)


def mirror_images(
    file: StackFile, name: str, folder: Path, display: ImageDisplay
) -> tuple[Sequence[str], bool]:
    """Copy the images of a stack file; lines of what is not there, and whether it was cancelled."""
    begin = time.monotonic()
    check_source(file.name, file.settings)
    find_skopeo()
    lock_file = folder / LOCK_FILE
    _, found = _looked_up(images_of(file.settings), lock_file)
    make_repositories(name, folder, display)
    to = ecr(new_stack(file))
    with new_client() as client, login_file(to.host, to.login) as logins:
        copier = Copier(logins, _redaction(to.login))
        run = Mirror(client, copier, to, lock_file, display.image)
        with on_signals(run.cancel):
            events = run.run(found)
    missing = not_done(events)
    if not missing:
        display.locked(_entries(found), time.monotonic() - begin)
    return missing, run.cancelled


def make_repositories(name: str, folder: Path, display: ImageDisplay) -> None:
    """Make the stack's ECR repositories, and show it."""
    with LangfuseStack(name, project=folder) as opened:
        display.change(opened.start_image_repositories)


def ecr(stack: NewStack) -> Destination:
    """The account's registry in the stack's region, with a login for twelve hours.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
    """
    answer: Any = stack.aws("ecr").get_authorization_token()
    told = answer["authorizationData"][0]
    username, _, password = b64decode(told["authorizationToken"]).decode().partition(":")
    host = str(told["proxyEndpoint"]).removeprefix("https://")
    return Destination(host, stack.prefix, Login(username, password))


def _looked_up(images: tuple[Image, ...], lock_file: Path) -> tuple[Lock, dict[Image, LockedImage]]:
    """The lock as it is, and what the registries say."""
    try:
        before = read_lock(lock_file)
    except ValueError as error:
        raise UserError(str(error)) from error
    with waits("asking the registries"), new_client() as client:
        return before, look_up_all(client, images, before, Logins.of_user())


def _entries(found: dict[Image, LockedImage]) -> Lock:
    return {image.reference: each for image, each in found.items()}


def _redaction(login: Login | None) -> Redaction:
    return Redaction([login.password, login.encoded] if login else [])


@contextmanager
def _told(as_json: bool) -> Generator[ImageDisplay]:
    """Where to say it; ends the command with a message where something is wrong."""
    display: ImageDisplay = ImagesForTools() if as_json else ImagesForPeople()
    with ends_with_a_message(display):
        try:
            yield display
        except (KeyboardInterrupt, Interrupted):
            display.failed(["cancelled before anything was copied."])
            raise typer.Exit(STOPPED) from None
