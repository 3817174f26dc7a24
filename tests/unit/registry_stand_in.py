"""Container registries in memory: tokens, manifests and blobs as GHCR and Docker Hub have them.

They know pulls only, by anonymous users and by the one of LOGIN.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import httpx

from langfuse_aws.automation.images.registry import Login

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "for-everybody"
LOGIN = Login("jane", "hush-hush-4711")
TOKENS = {
    "ghcr.io": "https://ghcr.io/token",
    "registry-1.docker.io": "https://auth.docker.io/token",
}


def encoded(content: Mapping[str, Any]) -> bytes:
    """The bytes that a registry keeps."""
    return json.dumps(content).encode()


def digest_of(content: Mapping[str, Any]) -> str:
    """The digest of these bytes."""
    return f"sha256:{hashlib.sha256(encoded(content)).hexdigest()}"


def index(*platforms: str, of: str = "") -> dict[str, Any]:
    """An image for several platforms, such as `linux/arm64`, with the attestation of each.

    `of` makes it another image.
    """
    manifests: list[dict[str, Any]] = []
    for platform in platforms:
        system, _, cpu = platform.partition("/")
        for named in (
            {"os": system, "architecture": cpu},
            {"os": "unknown", "architecture": "unknown"},
        ):
            digest = digest_of({"for": platform, "is": named, "of": of})
            manifests.append({"digest": digest, "platform": named})
    return {"mediaType": INDEX, "manifests": manifests}


class Registry:
    """What the registries have, by `HOST/NAME:VERSION`."""

    def __init__(self, images: Mapping[str, Mapping[str, Any]]) -> None:
        self.images = images
        self.blobs: dict[str, Any] = {}
        self.faults: list[int | Exception | httpx.Response] = []
        """Answers that come first, one each."""
        self.told: Mapping[str, str] = {}
        """Headers of every manifest."""
        self.users: list[str] = []
        """What asked for a token."""
        self.asked: list[str] = []

    def client(self) -> httpx.Client:
        """Make a client that reaches nothing else."""
        return httpx.Client(transport=httpx.MockTransport(self.answer), follow_redirects=True)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer as the registries do."""
        url = request.url
        self.asked.append(f"{request.method} {url.host}{url.path}")
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return httpx.Response(fault) if isinstance(fault, int) else fault
        if url.path == "/token":
            return self._token(request)
        if url.host == "blobs.example":
            return httpx.Response(200, content=encoded(self.blobs[url.path]))
        _, _, rest = url.path.partition("/v2/")
        repository, kind, version = rest.rsplit("/", 2)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            scope = f"repository:{repository}:pull"
            challenge = f'Bearer realm="{TOKENS[url.host]}",service="{url.host}",scope="{scope}"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        if kind == "blobs":
            return httpx.Response(307, headers={"Location": f"https://blobs.example/{version}"})
        found = self.images.get(f"{url.host}/{repository}:{version}")
        if version.startswith("sha256:"):
            by_digest = {digest_of(each): each for each in self.images.values()}
            found = by_digest.get(version, found)
        if found is None or found["mediaType"] not in request.headers["Accept"]:
            return httpx.Response(404, json={"errors": [{"code": "MANIFEST_UNKNOWN"}]})
        return httpx.Response(200, content=encoded(found), headers=self.told)

    def _token(self, request: httpx.Request) -> httpx.Response:
        wanted = {"service", "scope"}
        if set(request.url.params) != wanted or not request.url.params["scope"].endswith(":pull"):
            return httpx.Response(400)
        self.users.append(request.headers.get("Authorization", "nobody"))
        # Docker Hub's name for it, and GHCR's.
        name = "access_token" if request.url.host == "auth.docker.io" else "token"
        return httpx.Response(200, json={name: TOKEN})
