"""`python3 -m automation` with registries in memory, for the story's mirror.

What it copies it puts into the simulated ECR too, where there is one. That real registries and real
tools do it is proven by tests/registry.
"""

import hashlib
import json
import os
from typing import Any, Final

import httpx

from tests.provider.aws import client

SIMULATED: Final = "AWS_ENDPOINT_URL" in os.environ
"""Whether there is an ECR that can be asked."""
REGION: Final = "ap-northeast-1"
HOST: Final = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CPUS: Final = ("amd64", "arm64")
NAMES: Final = ("web", "worker", "clickhouse", "grafana")


def encoded(content: dict[str, Any]) -> bytes:
    """The bytes of a manifest."""
    return json.dumps(content, sort_keys=True).encode()


def digest(content: bytes) -> str:
    """Their digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(name: str, cpu: str) -> dict[str, Any]:
    """An image for one CPU."""
    config = {"digest": digest(f"{name} {cpu}".encode()), "size": 1024}
    layer = {"digest": digest(f"{name} {cpu} layer".encode()), "size": 64 * 2**20}
    return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}


def index(name: str) -> dict[str, Any]:
    """An image for every CPU."""
    manifests = [
        {
            "mediaType": MANIFEST,
            "digest": digest(encoded(image(name, cpu))),
            "size": len(encoded(image(name, cpu))),
            "platform": {"os": "linux", "architecture": cpu},
        }
        for cpu in CPUS
    ]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}


INDEXES: Final = {name: digest(encoded(index(name))) for name in NAMES}
"""Digest of each image."""


class Registries:
    """Every registry there is, and the tool that copies from one to another."""

    def __init__(self) -> None:
        """Nothing is published."""
        self._kept: dict[str, bytes] = {}

    def publish(self, place: str, tag: str, name: str) -> None:
        """Put an image where its makers do."""
        self._put(place, tag, encoded(index(name)))
        for cpu in CPUS:
            self._put(place, "", encoded(image(name, cpu)))

    def copy(self, source: str, destination: str) -> None:
        """Do what skopeo does."""
        begin, _, _ = source.partition("@")
        place, _, tag = destination.rpartition(":")
        for key, content in list(self._kept.items()):
            if key.startswith(f"{begin}@"):
                whole = json.loads(content)["mediaType"] == INDEX
                self._put(place, tag if whole else "", content)
                self._put_into_ecr(place.partition("/")[2], tag if whole else "", content)

    def as_copier(self, *_: object) -> "Registries":
        """Take the place of a Copier."""
        return self

    def stop(self) -> None:
        """Nothing takes long."""

    def client(self) -> httpx.Client:
        """Make a client that reaches nothing else."""
        return httpx.Client(transport=httpx.MockTransport(self._answer))

    def _put(self, place: str, tag: str, content: bytes) -> None:
        self._kept[f"{place}@{digest(content)}"] = content
        if tag:
            self._kept[f"{place}:{tag}"] = content

    def _answer(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.replace("registry-1.docker.io", "docker.io")
        name, _, version = request.url.path.removeprefix("/v2/").partition("/manifests/")
        mark = "@" if version.startswith("sha256:") else ":"
        found = self._kept.get(f"{host}/{name}{mark}{version}")
        return httpx.Response(200, content=found) if found else httpx.Response(404)

    @staticmethod
    def _put_into_ecr(repository: str, tag: str, content: bytes) -> None:
        if SIMULATED:
            ecr = client("ecr", REGION)
            more = {"imageTag": tag} if tag else {}
            ecr.put_image(
                repositoryName=repository,
                imageManifest=content.decode(),
                imageManifestMediaType=json.loads(content)["mediaType"],
                imageDigest=digest(content),
                **more,
            )


def main() -> None:
    """Run the command line."""
    from langfuse_aws.automation.__main__ import app
    from langfuse_aws.automation.images import command as images_command
    from langfuse_aws.automation.images import mirror as image_mirror
    from langfuse_aws.automation.images.mirror import Destination
    from langfuse_aws.settings.loading import load_without_secrets
    from langfuse_aws.settings.stack_images import images_of

    registries = Registries()
    everything = load_without_secrets({"size": "dev", "grafana": {"enabled": True}})
    for each in images_of(everything):
        registries.publish(f"{each.registry}/{each.repository}", each.tag, each.name)
    # One after the other, so that a page can say in which order.
    image_mirror.AT_ONCE = 1
    images_command.new_client = registries.client
    images_command.find_skopeo = lambda: None
    images_command.Copier = registries.as_copier
    if not SIMULATED:
        images_command.ecr = lambda stack: Destination(HOST, stack.prefix)
    app(prog_name="python3 -m automation")


if __name__ == "__main__":
    main()
