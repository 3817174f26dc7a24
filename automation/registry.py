"""Asks a container registry, as an anonymous user, which CPUs an image runs on."""

import re
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

DOCKER_HUB: Final = "docker.io"
DOCKER_HUB_API: Final = "registry-1.docker.io"

ATTEMPTS: Final = 3
SECONDS: Final = 20

INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""https://github.com/opencontainers/image-spec/blob/main/media-types.md"""

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class Reference(NamedTuple):
    """An image's name, taken apart."""

    registry: str
    repository: str
    version: str
    """A tag, or a digest, which wins over a tag."""

    @classmethod
    def of(cls, image: str) -> "Reference":
        """Read `HOST/NAME:TAG@DIGEST`, with a tag, a digest or both."""
        name, _, digest = image.partition("@")
        registry, _, rest = name.partition("/")
        repository, _, tag = rest.partition(":")
        return cls(registry, repository, digest or tag)


def new_client() -> httpx.Client:
    """Make a client that follows a registry to where it keeps blobs."""
    return httpx.Client(follow_redirects=True, timeout=SECONDS)


def architectures(client: httpx.Client, image: str) -> set[str]:
    """List what an image runs on under Linux, as `arm64` and `amd64`.

    Raises httpx.HTTPStatusError (404: there is no such image) and other httpx.HTTPError.
    """
    reference = Reference.of(image)
    host = DOCKER_HUB_API if reference.registry == DOCKER_HUB else reference.registry
    base = f"https://{host}/v2/{reference.repository}"
    headers = {"Accept": ", ".join(INDEXES + MANIFESTS)}
    first = _get(client, f"{base}/manifests/{reference.version}", headers, may_be_401=True)
    if first.status_code == HTTPStatus.UNAUTHORIZED:
        headers["Authorization"] = f"Bearer {_token(client, first)}"
        first = _get(client, f"{base}/manifests/{reference.version}", headers)
    manifest: dict[str, Any] = first.json()
    platforms: list[dict[str, Any]] = [
        each.get("platform", {}) for each in manifest.get("manifests", [])
    ]
    if "config" in manifest:
        platforms = [_get(client, f"{base}/blobs/{manifest['config']['digest']}", headers).json()]
    return {each["architecture"] for each in platforms if each.get("os") == "linux"}


def _token(client: httpx.Client, refusal: httpx.Response) -> str:
    """Fetch the token that the registry asks everybody for.

    https://distribution.github.io/distribution/spec/auth/token/
    """
    asked = dict(_PARAMETER.findall(refusal.headers.get("WWW-Authenticate", "")))
    if "realm" not in asked:
        refusal.raise_for_status()
    realm = asked.pop("realm")
    answer: dict[str, str] = _get(client, realm, {}, params=asked).json()
    return answer.get("token") or answer["access_token"]


def _get(
    client: httpx.Client,
    url: str,
    headers: dict[str, str],
    *,
    params: dict[str, str] | None = None,
    may_be_401: bool = False,
) -> httpx.Response:
    """Ask, and ask again if the registry is busy or out of reach."""

    def ask() -> httpx.Response:
        response = client.get(url, headers=headers, params=params)
        if not (may_be_401 and response.status_code == HTTPStatus.UNAUTHORIZED):
            response.raise_for_status()
        return response

    attempts = Retrying(
        retry=retry_if_exception(_passes),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(max=4),
        reraise=True,
    )
    return attempts(ask)


def _passes(error: BaseException) -> bool:
    """Whether it may be over a moment later."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, httpx.TransportError)
