"""Reads container registries, and holds every answer against its digest. It writes nothing."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NamedTuple, cast

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from langfuse_aws.automation.errors import UserError
from langfuse_aws.settings.images import DOCKER_HUB

DOCKER_HUB_API: Final = "registry-1.docker.io"

ATTEMPTS: Final = 3
SECONDS: Final = 20
LONGEST_WAIT: Final = 30
"""Seconds. A registry that asks for more is not asked again."""

INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""https://github.com/opencontainers/image-spec/blob/main/media-types.md"""

DIGEST: Final = "sha256:"

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK: Final = re.compile(r"(localhost|127\.[\d.]+)(:\d+)?")


class WrongDigestError(UserError):
    """A registry answered other bytes than were asked for."""


@dataclass(frozen=True)
class Login:
    """A user of a registry."""

    username: str
    password: str = field(repr=False)

    @property
    def encoded(self) -> str:
        """As HTTP and Docker's configuration have it."""
        return b64encode(f"{self.username}:{self.password}".encode()).decode()


class Manifest(NamedTuple):
    """An image, or an index of images."""

    digest: str
    content: Mapping[str, Any]

    @property
    def images(self) -> Sequence[Mapping[str, Any]]:
        """What an index leads to, attestations included; nothing for an image."""
        return self.content.get("manifests", [])

    @property
    def blobs(self) -> Mapping[str, int]:
        """Bytes of an image's configuration and layers, by digest; nothing for an index."""
        parts = [self.content["config"], *self.content["layers"]] if not self.images else []
        return {each["digest"]: each["size"] for each in parts}


class Repository:
    """One repository of a registry. For one thread at a time.

    What it asks raises httpx.HTTPStatusError (404: there is no such image) and other
    httpx.HTTPError, WrongDigestError, and ValueError or KeyError for an answer in no known form.
    """

    def __init__(
        self, client: httpx.Client, host: str, name: str, login: Login | None = None
    ) -> None:
        """Nothing is asked yet. Without a login it is what everybody may read."""
        api = DOCKER_HUB_API if host == DOCKER_HUB else host
        scheme = "http" if is_loopback(host) else "https"
        self.place = f"{host}/{name}"
        """What an image reference begins with."""
        self._client = client
        self._base = f"{scheme}://{api}/v2/{name}"
        self._login = login
        self._headers = {"Accept": ", ".join(INDEXES + MANIFESTS)}

    def manifest(self, version: str) -> Manifest:
        """Fetch what a tag or a digest stands for."""
        answer = self._get(f"manifests/{version}")
        by_digest = version.startswith(DIGEST)
        said = version if by_digest else answer.headers.get("Docker-Content-Digest")
        mark = "@" if by_digest else ":"
        digest = _checked(answer, said, f"{self.place}{mark}{version}")
        content = answer.json()
        if not isinstance(content, dict):
            raise ValueError(f"{self.place}{mark}{version}: is no manifest")
        return Manifest(digest, cast("dict[str, Any]", content))

    def platforms(self, manifest: Manifest) -> dict[str, str]:
        """Digest of the image for each CPU under Linux, by `arm64` and `amd64`."""
        if manifest.images:
            found = [(each.get("platform", {}), each["digest"]) for each in manifest.images]
        else:
            digest = manifest.content["config"]["digest"]
            answer = self._get(f"blobs/{digest}")
            _checked(answer, digest, f"{self.place}@{digest}")
            found = [(answer.json(), manifest.digest)]
        linux = [
            (each["architecture"], digest) for each, digest in found if each.get("os") == "linux"
        ]
        # Of several variants of a CPU the first one counts.
        return dict(reversed(linux))

    def _get(self, path: str) -> httpx.Response:
        answer = _ask(self._client, f"{self._base}/{path}", self._headers, may_be_401=True)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._headers["Authorization"] = self._authorization(answer)
            answer = _ask(self._client, f"{self._base}/{path}", self._headers)
        return answer

    def _authorization(self, refusal: httpx.Response) -> str:
        """Do what the refusal asks for.

        https://distribution.github.io/distribution/spec/auth/token/
        """
        challenge = refusal.headers.get("WWW-Authenticate", "")
        own = f"Basic {self._login.encoded}" if self._login else ""
        if own and challenge.lower().startswith("basic"):
            return own
        asked = dict(_PARAMETER.findall(challenge))
        if not challenge.lower().startswith("bearer") or "realm" not in asked:
            refusal.raise_for_status()
        headers = {"Authorization": own} if own else {}
        answer: dict[str, str] = _ask(
            self._client, asked.pop("realm"), headers, params=asked
        ).json()
        return f"Bearer {answer.get('token') or answer['access_token']}"


def new_client() -> httpx.Client:
    """Make a client that follows a registry to where it keeps blobs; safe in threads."""
    return httpx.Client(follow_redirects=True, timeout=SECONDS)


def is_loopback(host: str) -> bool:
    """Whether a registry is on this machine, where Docker's tools take plain http.

    https://docs.docker.com/reference/cli/dockerd/#insecure-registries
    """
    return bool(_LOOPBACK.fullmatch(host))


def _checked(answer: httpx.Response, wanted: str | None, what: str) -> str:
    """Work out the digest of an answer's bytes. Raises WrongDigestError if another was wanted."""
    found = DIGEST + hashlib.sha256(answer.content).hexdigest()
    if wanted not in (None, found):
        raise WrongDigestError(
            f"{what}: the registry answers with bytes of digest {found}, not {wanted}. What it "
            "stores, or the way to it, is damaged: trust nothing of it."
        )
    return found


def _ask(
    client: httpx.Client,
    url: str,
    headers: Mapping[str, str],
    *,
    params: Mapping[str, str] | None = None,
    may_be_401: bool = False,
) -> httpx.Response:
    """Ask, and ask again if the registry is busy or out of reach."""

    def ask() -> httpx.Response:
        # Not every server knows HEAD's digest, and a HEAD cannot be held against it.
        response = client.get(url, headers=headers, params=params)
        if not (may_be_401 and response.status_code == HTTPStatus.UNAUTHORIZED):
            response.raise_for_status()
        return response

    attempts = Retrying(
        retry=retry_if_exception(_passes),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        reraise=True,
    )
    return attempts(ask)


def _passes(error: BaseException) -> bool:
    """Whether it may be over a moment later."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        busy = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return busy and retry_after(error) <= LONGEST_WAIT
    return isinstance(error, httpx.TransportError)


_growing: Final = wait_exponential(max=4)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    told = retry_after(error) if isinstance(error, httpx.HTTPStatusError) else 0
    return max(_growing(state), told)


def retry_after(error: httpx.HTTPStatusError) -> float:
    """Seconds that a busy registry asks for; 0 if it names none."""
    told = error.response.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else 0
