"""Which release an image is, and whether what runs is what the stack wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langfuse_aws.automation.on_call.running_stack import container_images
from langfuse_aws.graph.model import Resource

DIGEST_CHARACTERS = 12
"""Of a digest's 64, as Docker shows them."""


@dataclass(frozen=True)
class RunningImage:
    """What some tasks run."""

    image: str
    """As the task definition names it."""
    digest: str
    """What ECS pulled; empty while it has not."""


def release(image: str) -> str:
    """The tag of an image; the beginning of its digest if it has no tag."""
    named, _, digest = image.partition("@")
    _, colon, tag = named.rpartition("/")[2].partition(":")
    return tag if colon else short(digest)


def short(digest: str) -> str:
    """The beginning of a digest."""
    kind, _, figures = digest.partition(":")
    return f"{kind}:{figures[:DIGEST_CHARACTERS]}" if figures else digest


def of_tasks(tasks: Sequence[Mapping[str, Any]], container: str) -> Sequence[RunningImage]:
    """What tasks run in a container, each once."""
    found = {
        RunningImage(each["image"], each.get("imageDigest", ""))
        for task in tasks
        for each in task["containers"]
        if each["name"] == container and each.get("image")
    }
    return sorted(found, key=lambda each: (each.image, each.digest))


def wanted(definition: Resource | None, container: str) -> str:
    """The image that the stack's state has for a container; empty if it does not tell."""
    return container_images(definition).get(container, "") if definition else ""


def difference(running: Sequence[RunningImage], wanted_image: str) -> str:
    """Say how what runs differs from what is wanted, or from task to task; empty if it does not.

    Images are compared by their names. A digest in a name may be that of an index for several
    platforms, and the one that ECS tells that of a platform's manifest.
    """
    named = {each.image for each in running}
    if wanted_image and (others := named - {wanted_image}):
        return f"runs {', '.join(sorted(map(release, others)))}, wanted {release(wanted_image)}"
    digests = {each.digest for each in running if each.digest}
    if len(named) == 1 and len(digests) > 1:
        return (
            f"tasks of one tag run {' and '.join(map(short, sorted(digests)))}: the tag was moved"
        )
    return ""


def shown(running: Sequence[RunningImage]) -> str:
    """Write what runs for people: releases with their digests."""
    return ", ".join(f"{release(each.image)} {short(each.digest)}".strip() for each in running)


def facts(running: Sequence[RunningImage], wanted_image: str) -> dict[str, Any]:
    """Write it for programs."""
    return {
        "running": [
            {"release": release(each.image), "image": each.image, "digest": each.digest}
            for each in running
        ],
        "wanted": {
            "release": release(wanted_image),
            "image": wanted_image,
            "digest": wanted_image.partition("@")[2],
        },
    }
