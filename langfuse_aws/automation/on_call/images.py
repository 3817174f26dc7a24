"""Which release an image is, and whether what runs is what the stack wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langfuse_aws.automation.on_call.running_stack import container_images
from langfuse_aws.graph.model import Resource

DIGEST_CHARACTERS: Final = 12
"""Of a digest's 64, as Docker shows them."""


@dataclass(frozen=True)
class Image:
    """An image, by its name's parts; what a name does not have is empty."""

    repository: str
    tag: str
    digest: str

    @classmethod
    def named(cls, name: str, pulled: str = "") -> "Image":
        """Read a name. `pulled`: the digest that ECS tells of an image whose name has none.

        ECS resolves a tag once for a deployment: its first task has `repository:tag` then, the
        others `repository:tag@digest`. https://github.com/aws/amazon-ecs-agent/issues/4226
        """
        tagged, _, digest = name.partition("@")
        folder, slash, last = tagged.rpartition("/")
        short, _, tag = last.partition(":")
        return cls(f"{folder}{slash}{short}", tag, digest or pulled)

    @property
    def release(self) -> str:
        """Its tag; without one the beginning of its digest."""
        return self.tag or self.short_digest

    @property
    def short_digest(self) -> str:
        """The beginning of its digest."""
        kind, _, figures = self.digest.partition(":")
        return f"{kind}:{figures[:DIGEST_CHARACTERS]}" if figures else self.digest

    def is_other_than(self, wanted: "Image") -> bool:
        """Whether it is surely not the wanted one; what one of them does not tell, differs not."""
        pairs = (
            (self.repository, wanted.repository),
            (self.tag, wanted.tag),
            (self.digest, wanted.digest),
        )
        return any(mine and its and mine != its for mine, its in pairs)

    def facts(self) -> dict[str, str]:
        """Write it for programs."""
        return {
            "release": self.release,
            "repository": self.repository,
            "digest": self.digest,
        }


def of_tasks(tasks: Sequence[Mapping[str, Any]], container: str) -> Sequence[Image]:
    """What tasks run in a container, each once."""
    found = {
        Image.named(each["image"], each.get("imageDigest", ""))
        for task in tasks
        for each in task["containers"]
        if each["name"] == container and each.get("image")
    }
    return sorted(found, key=lambda each: (each.repository, each.tag, each.digest))


def wanted(definition: Resource | None, container: str) -> Image:
    """The image that the stack's state has for a container; empty if it does not tell."""
    name = container_images(definition).get(container, "") if definition else ""
    return Image.named(name)


def difference(running: Sequence[Image], want: Image) -> str:
    """Say how what runs differs from what is wanted, or from task to task; empty if it does not."""
    others = [each for each in running if each.is_other_than(want)]
    for part in ("release", "repository", "short_digest"):
        runs = {getattr(each, part) for each in others} - {getattr(want, part), ""}
        if runs:
            return f"runs {', '.join(sorted(runs))}, wanted {getattr(want, part)}"
    digests = list(dict.fromkeys(each.short_digest for each in running if each.digest))
    if len(digests) > 1:
        return f"tasks of one tag run {' and '.join(digests)}: the tag was moved"
    return ""


def shown(running: Sequence[Image], want: Image) -> str:
    """Write what runs for people: releases with their digests."""
    return ", ".join(
        f"{each.tag or ('' if each.is_other_than(want) else want.tag)} {each.short_digest}".strip()
        for each in running
    )


def facts(running: Sequence[Image], want: Image) -> dict[str, Any]:
    """Write it for programs."""
    return {"running": [each.facts() for each in running], "wanted": want.facts()}
