"""Checks of `preflight` on the container images: each exists for the CPU that runs it."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import httpx

from automation.plan import one_line
from automation.preflight_result import Result, failed, ok, unknown
from automation.registry import architectures
from settings.stack_images import Image

OF_LANGFUSE: Final = ("web", "worker")
"""Whose release and architecture are settings; the others come with this program."""
ANOTHER_RELEASE: Final = (
    "pulumi config set langfuse:release X.Y.Z, one of "
    "https://github.com/langfuse/langfuse/releases."
)
ANOTHER_PROGRAM: Final = "The image comes with this program: take a later version of the program."
SETTINGS: Final = {"arm64": "arm64", "amd64": "x86_64"}
"""What the settings call an architecture."""


def check_image(client: httpx.Client, image: Image) -> Iterator[Result]:
    """Ask the image's registry."""
    check = f"image {image.reference.partition('@')[0]}"
    services, first = " and ".join(image.services), image.services[0]
    try:
        found = architectures(client, image.reference)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status != HTTPStatus.NOT_FOUND:
            yield unknown(check, f"{error.request.url.host} answers HTTP {status}.")
            return
        remedy = ANOTHER_RELEASE if first in OF_LANGFUSE else ANOTHER_PROGRAM
        yield failed(check, f"its registry does not have it; {services} need it.", remedy)
        return
    except (httpx.HTTPError, KeyError, ValueError) as error:
        yield unknown(check, one_line(error))
        return
    if image.architecture in found:
        yield ok(check, f"is there for {image.architecture}, which {services} run on")
        return
    others = [SETTINGS[each] for each in sorted(found) if each in SETTINGS]
    change = f"pulumi config set --path langfuse:{first}.architecture {' or '.join(others)}."
    yield failed(
        check,
        f"is there for {', '.join(sorted(found)) or 'no Linux'}, and {services} run on "
        f"{image.architecture}.",
        change if others and first in OF_LANGFUSE else ANOTHER_PROGRAM,
    )
