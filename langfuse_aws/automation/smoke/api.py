"""Langfuse's public API. What goes wrong on the way is an answer too; no answer has the secret."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast

import httpx

from langfuse_aws.contract.timeouts import HTTP_API_SECONDS

CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = HTTP_API_SECONDS + 5
"""Longer than an HTTP API waits for web, so that it can say so itself."""
MOST_CHARACTERS: Final = 200
"""Of what an answer says, in a message."""
HTTP_API_HOST: Final = re.compile(r"[a-z0-9]+\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
"""An HTTP API's own name."""
ERROR_CLASS: Final = re.compile(r"\w+Error")
"""Says no more than the status."""


@dataclass(frozen=True)
class Target:
    """A Langfuse and the keys of one of its projects."""

    url: str
    public_key: str
    secret_key: str = field(repr=False)
    domain_of_http_api: bool = False
    """Whether the host is a domain that an HTTP API serves."""

    @property
    def behind_http_api(self) -> bool:
        """Whether an HTTP API is before it, which decodes the path of a request."""
        host = httpx.URL(self.url).host
        return self.domain_of_http_api or HTTP_API_HOST.fullmatch(host) is not None


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int | None
    """None if nothing came."""
    text: str
    """The body, where a redirect goes, or why nothing came."""
    late: bool = False
    """Whether something answered the connection, and then nothing came in time."""

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def json(self) -> dict[str, Any]:
        """The body, or nothing if it is not a JSON object."""
        try:
            value: Any = json.loads(self.text)
        except ValueError:
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    @property
    def short(self) -> str:
        """The answer in one line, without a full stop."""
        if self.status is None:
            return self.text
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else ""
        name = f"HTTP {self.status} {phrase}".rstrip()
        said = [each for each in self._said() if each != phrase and not ERROR_CLASS.fullmatch(each)]
        line = " ".join(", ".join(said).split()).rstrip(".")
        if len(line) > MOST_CHARACTERS:
            line = f"{line[:MOST_CHARACTERS]}…"
        return f"{name}: {line}" if line else name

    def _said(self) -> Iterator[str]:
        body = self.json
        for key in ("message", "error", "errors", "status"):
            value: Any = body.get(key) or []
            values = cast("list[Any]", value) if isinstance(value, list) else [value]
            yield from map(str, values)
        # A load balancer's page says no more than its status.
        if not body and not self.text.lstrip().startswith("<"):
            yield self.text


class Api:
    """Asks it."""

    def __init__(self, target: Target) -> None:
        self._auth = httpx.BasicAuth(target.public_key, target.secret_key)
        token = base64.b64encode(f"{target.public_key}:{target.secret_key}".encode()).decode()
        self._hidden = (target.secret_key, token)
        self._client = httpx.Client(base_url=target.url)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def get(self, path: str, *, keys: bool = True, seconds: float | None = None) -> Answer:
        """Read, with or without the keys."""
        return self._ask("GET", path, keys=keys, seconds=seconds)

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Send JSON."""
        return self._ask("POST", path, json=body, headers=headers)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        keys: bool = True,
        seconds: float | None = None,
        **content: Any,
    ) -> Answer:
        seconds = ANSWER_SECONDS if seconds is None else seconds
        try:
            response = self._client.request(
                method,
                path,
                auth=self._auth if keys else None,
                timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
                **content,
            )
        except httpx.ConnectTimeout:
            return Answer(None, f"no connection within {CONNECT_SECONDS} s")
        except httpx.TimeoutException:
            return Answer(None, f"no answer within {seconds:.2g} s", late=True)
        except httpx.ConnectError as error:
            return Answer(None, f"no connection: {self._without_secret(str(error))}")
        except httpx.RequestError as error:
            return Answer(None, self._without_secret(str(error)) or type(error).__name__)
        text = response.text
        if response.is_redirect:
            text = f"it redirects to {response.headers['location']}"
        return Answer(response.status_code, self._without_secret(text))

    def _without_secret(self, text: str) -> str:
        for hidden in self._hidden:
            text = text.replace(hidden, "…")
        return text
