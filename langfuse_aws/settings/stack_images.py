"""Which container images a stack runs, and on which CPU."""

from dataclasses import dataclass
from typing import Final, Literal

from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stores import ClickHouseOnEc2
from langfuse_aws.settings.versions import (
    GRAFANA_DIGEST,
    clickhouse_image,
    grafana_image,
    web_image,
    worker_image,
)

Name = Literal["web", "worker", "clickhouse", "grafana"]

CPU: Final = {"arm64": "arm64", "x86_64": "amd64"}
"""What registries call an architecture."""


@dataclass(frozen=True)
class Image:
    """A container image, and the CPU that must run it."""

    name: Name
    reference: str
    """`HOST/NAME:TAG`, where its makers publish it."""
    architecture: str
    """`arm64` or `amd64`, as registries call it."""
    services: tuple[str, ...]
    """What runs it."""
    digest: str | None = None
    """The only digest that the tag may stand for, where this program knows it."""

    @property
    def registry(self) -> str:
        """Host of its registry: `ghcr.io` or `docker.io`."""
        return self.reference.partition("/")[0]

    @property
    def repository(self) -> str:
        """Its name at the registry, such as `langfuse/langfuse`."""
        return self.reference.removeprefix(f"{self.registry}/").removesuffix(f":{self.tag}")

    @property
    def tag(self) -> str:
        """Its exact version."""
        return self.reference.rpartition(":")[2]


def images_of(settings: Settings) -> tuple[Image, ...]:
    """List them; each name is there once."""
    web, worker = settings.web.architecture, settings.worker.architecture
    images = [
        Image("web", web_image(settings.release), CPU[web], ("web", "migration")),
        Image("worker", worker_image(settings.release), CPU[worker], ("worker",)),
    ]
    if isinstance(settings.clickhouse, ClickHouseOnEc2):
        images.append(Image("clickhouse", clickhouse_image(), "arm64", ("clickhouse", "backup")))
    if settings.grafana.enabled:
        grafana = Image("grafana", grafana_image(), "arm64", ("grafana",), GRAFANA_DIGEST)
        images.append(grafana)
    return tuple(images)
