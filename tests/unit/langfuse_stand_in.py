"""A Langfuse for tests: the public API as far as a smoke test and the SDKs use it, with faults.

What it answers was read in the sources of Langfuse 3.225.4 and 4.16.0; a real one of each was sent
and asked the same, and let it pass. It refuses bodies that Langfuse's validation refuses.
"""

import base64
import gzip
import json
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3

V3: Final = LANGFUSE_3
V4: Final = LANGFUSE
PUBLIC_KEY: Final = "pk-lf-0a1b2c3d"
SECRET_KEY: Final = "sk-lf-never-show-this"
TOKEN: Final = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()

HEALTH: Final = "/api/public/health"
READY: Final = "/api/public/ready"
PROJECTS: Final = "/api/public/projects"
OTLP: Final = "/api/public/otel/v1/traces"
BATCH: Final = "/api/public/ingestion"
TRACES: Final = "/api/public/traces/"
OBSERVATIONS: Final = "/api/public/v2/observations"
MEDIA: Final = "/api/public/media"
PROMPTS: Final = "/api/public/v2/prompts/"

EVENTS_ONLY: Final = (
    "This endpoint is not available on deployments running in Langfuse v4 events_only mode."
)
NOT_ACCEPTED: Final = (
    "is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only."
)
NO_PAGE: Final = "<!DOCTYPE html><title>404: This page could not be found</title>"
"""Next.js's answer where there is no route."""
UPLOAD_URL: Final = "https://langfuse-dev.s3.eu-west-1.amazonaws.com/media/a.txt?X-Amz-Signature=1"

ACME: Final = {"id": "acme", "name": "Acme"}
PROJECT: Final = {"id": "demo", "name": "Demo [1]", "metadata": {}, "organization": ACME}

Body = Mapping[str, Any] | str
WriteMode = Literal["legacy", "dual", "events_only"]


@dataclass(frozen=True)
class Fault:
    """What is wrong with it."""

    answers: Mapping[str, tuple[int, Body]] = field(default_factory=dict[str, tuple[int, Body]])
    """By path, instead of the right ones."""
    hangs: Collection[str] = ()
    """Paths that never answer."""
    works: Collection[str] = (OTLP, BATCH)
    """Of which of them the worker takes the jobs."""
    decodes: bool = False
    """Whether something before it decodes paths, as an HTTP API does."""
    stores: Callable[[str], str] = str
    """What ClickHouse makes of a time."""


@dataclass(frozen=True)
class Request:
    """What it was asked; the body is not compressed any more."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body."""
        return json.loads(self.body)


class LangfuseStandIn:
    """Serves in a thread, while it is used as a context."""

    def __init__(
        self,
        version: str = V3,
        fault: Fault | None = None,
        *,
        write_mode: WriteMode | None = None,
        looks: int = 1,
        port: int = 0,
    ) -> None:
        self.version = version
        self.fault = fault or Fault()
        self.write_mode = write_mode or ("events_only" if version >= "4" else "legacy")
        self.looks = looks
        """How often it is asked for a trace until it shows it."""
        self.token = TOKEN
        """User and password of the keys that it knows, as HTTP has them."""
        self.requests: list[Request] = []
        self.unblocked = threading.Event()
        self._known: dict[str, int] = {}
        self._times: dict[str, dict[str, str]] = {}
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stand_in = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "LangfuseStandIn":
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.unblocked.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [request.path for request in self.requests]

    def one(self, path: str) -> Request:
        """The only request of a path."""
        (found,) = [request for request in self.requests if request.path == path]
        return found

    def hold(self, trace_id: str, time: str) -> None:
        """Have a trace, as from a time before it was started."""
        self._known[trace_id] = 0
        self._times[trace_id] = {"startTime": time, "endTime": time}

    def answer(self, request: Request) -> tuple[int, Body]:
        """Answer as Langfuse does."""
        path = urlsplit(request.path).path
        if self.fault.decodes:
            path = unquote(path)
        if path in self.fault.answers:
            return self.fault.answers[path]
        if path in (HEALTH, READY):
            return 200, {"status": "OK", "version": self.version}
        if request.headers.get("authorization") != f"Basic {self.token}":
            return 401, {"error": "UnauthorizedError", "message": "Invalid credentials."}
        try:
            return self._with_keys(request, path)
        except (KeyError, TypeError, ValueError) as error:
            return 400, {"message": "Invalid request data", "error": repr(error)}

    def _with_keys(self, request: Request, path: str) -> tuple[int, Body]:
        if path == PROJECTS:
            return 200, {"data": [PROJECT]}
        if path == OTLP:
            return self._take_otlp(request)
        if path == BATCH:
            return self._take_batch(request.json["batch"])
        if path == MEDIA:
            return _media(request.json)
        if path.startswith(PROMPTS):
            return _prompt(path.removeprefix(PROMPTS))
        if path.startswith(TRACES):
            trace_id = path.removeprefix(TRACES)
            if self.write_mode == "events_only":
                return 404, {"message": EVENTS_ONLY}
            if not self._shows(trace_id):
                return 404, {"error": "LangfuseNotFoundError", "message": "Trace not found"}
            times = self._times[trace_id]
            observations = [{"id": "1", **times}]
            return 200, {
                "id": trace_id,
                "timestamp": times["startTime"],
                "observations": observations,
            }
        if path == OBSERVATIONS and self.write_mode != "legacy":
            (trace_id,) = parse_qs(urlsplit(request.path).query)["traceId"]
            shown = [{"id": "1", **self._times[trace_id]}] if self._shows(trace_id) else []
            return 200, {"data": shown, "meta": {}}
        return 404, {"error": "LangfuseNotFoundError", "message": "Only in a v4 write mode"}

    def _take_otlp(self, request: Request) -> tuple[int, Body]:
        if int(request.headers.get("x-langfuse-ingestion-version", "0")) > 4:
            raise ValueError("x-langfuse-ingestion-version")
        kind = request.headers.get("content-type", "")
        if "application/x-protobuf" in kind:
            return 200, {}
        if "application/json" not in kind:
            raise ValueError("content-type")
        for resource in request.json["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    _match("[0-9a-f]{16}", span["spanId"])
                    begin, end = (
                        _iso(_match("[0-9]{19}", span[key]))
                        for key in ("startTimeUnixNano", "endTimeUnixNano")
                    )
                    self._queue(OTLP, _match("[0-9a-f]{32}", span["traceId"]), begin, end)
        return 200, {}

    def _take_batch(self, batch: list[dict[str, Any]]) -> tuple[int, Body]:
        if self.write_mode == "events_only":
            refusal = {"status": 400, "message": "Event type not accepted"}
            errors = [
                {
                    "id": each["id"],
                    **refusal,
                    "error": f'Event type "{each["type"]}" {NOT_ACCEPTED}',
                }
                for each in batch
            ]
            return 207, {"successes": [], "errors": errors}
        for event in batch:
            _match("trace-create|generation-create", event["type"])
            body = event["body"]
            for moment in (event["timestamp"], body.get("timestamp") or body["startTime"]):
                datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ")
            if event["type"] == "generation-create":
                self._queue(BATCH, body["traceId"], body["startTime"], body["endTime"])
        return 207, {
            "successes": [{"id": each["id"], "status": 201} for each in batch],
            "errors": [],
        }

    def _queue(self, path: str, trace_id: str, begin: str, end: str) -> None:
        if path in self.fault.works:
            self._known[trace_id] = self.looks
            stored = {"startTime": self.fault.stores(begin), "endTime": self.fault.stores(end)}
            self._times[trace_id] = stored

    def _shows(self, trace_id: str) -> bool:
        if trace_id not in self._known:
            return False
        self._known[trace_id] -= 1
        return self._known[trace_id] <= 0


def _media(body: Mapping[str, Any]) -> tuple[int, Body]:
    """Check what GetMediaUploadUrlQuerySchema checks."""
    _match(".+", body["traceId"])
    _match("text/plain|image/png", body["contentType"])
    _match("[A-Za-z0-9+/=]{44}", body["sha256Hash"])
    _match("input|output|metadata", body["field"])
    _match("[1-9][0-9]*", str(body["contentLength"]))
    return 201, {"mediaId": body["sha256Hash"][:22], "uploadUrl": UPLOAD_URL}


def _prompt(segments: str) -> tuple[int, Body]:
    """Answer as the route [promptName], which takes one segment, of a project without prompts."""
    if "/" in segments:
        return 404, NO_PAGE
    message = f"Prompt not found: '{unquote(segments)}' with label 'production'"
    return 404, {"error": "LangfuseNotFoundError", "message": message}


def _iso(nanoseconds: str) -> str:
    """As JavaScript writes a time, to the millisecond."""
    moment = datetime.fromtimestamp(int(nanoseconds) // 1_000_000 / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _match(pattern: str, value: str) -> str:
    if not re.fullmatch(pattern, value):
        raise ValueError(f"{value!r} is not {pattern}")
    return value


class _Server(ThreadingHTTPServer):
    stand_in: LangfuseStandIn


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        stand_in = cast(_Server, self.server).stand_in
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {key.lower(): value for key, value in self.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = Request(self.command, self.path, headers, body)
        stand_in.requests.append(request)
        if urlsplit(self.path).path in stand_in.fault.hangs:
            stand_in.unblocked.wait()
            self.close_connection = True
            return
        status, answer = stand_in.answer(request)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self.send_response(status)
        if status in (301, 302, 307, 308):
            self.send_header("location", text)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""
