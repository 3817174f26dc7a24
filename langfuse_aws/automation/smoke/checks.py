"""The steps of the smoke test, in an order in which one says what the next one's failure means.

Each run leaves a trace named smoke-test in the project, on 3.x two, and uploads nothing.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote, urlsplit

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

from langfuse_aws.automation.smoke import diagnosis, payloads
from langfuse_aws.automation.smoke.api import ANSWER_SECONDS, Answer, Api, Target
from langfuse_aws.contract.ports_and_health import WEB_HEALTH_PATH

POLL_SECONDS: Final = 2.0
LEAST_ANSWER_SECONDS: Final = 5.0
"""For the last look, however little time is left: a slow answer is not a late trace."""
CONNECTION_ATTEMPTS: Final = 3

OTLP_VERSION: Final = {"x-langfuse-ingestion-version": "4"}
"""4.x then writes its new tables at once; 3.x takes it and writes its own."""
BATCH: Final = "/api/public/ingestion"
TRACES: Final = "/api/public/traces"
OBSERVATIONS: Final = "/api/public/v2/observations"
PROMPTS: Final = "/api/public/v2/prompts"
EVENTS_ONLY: Final = "events_only"
"""The write mode, and what 4.x says where it closes an API in it."""
TIME_TOLERANCE: Final = timedelta(seconds=1)
"""A time comes back rounded, and never to more than milliseconds."""
S3_HOST: Final = re.compile(r"(.+\.)?s3([.-][a-z0-9.-]+)?\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True)
class Step:
    """What was tried, and what came of it."""

    what: str
    ok: bool
    result: str
    seconds: float


@dataclass
class Report:
    """The steps up to the first that failed, and who is to blame for that."""

    ok: bool = False
    version: str | None = None
    write_mode: str | None = None
    """Of a 4.x, as far as its API shows it: events_only, dual or legacy."""
    closed: list[str] = field(default_factory=list[str])
    """What of the API, old or new, that mode closes."""
    steps: list[Step] = field(default_factory=list[Step])
    seconds_to_visible: float | None = None
    """From sending the trace by OTLP to reading it back."""
    blame: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Sent:
    """A trace on its way."""

    trace_id: str
    began: datetime
    at: float
    queue: str
    """Whose depth Langfuse's metrics show by this name."""


class Checks:
    """A run on one Langfuse."""

    def __init__(
        self, api: Api, target: Target, seconds: float, report: Report, old_trace: str | None
    ) -> None:
        self._api = api
        self._old_trace = old_trace
        self._target = target
        self._seconds = seconds
        self._report = report
        self._major = 0
        self._new_api = True
        """Whether a 4.x lets its new tables be read."""

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Give name and action of each step; which come late depends on what the first found."""
        yield "health", self._health
        yield "ready", self._ready
        yield "keys", self._keys
        if (old := self._old_trace) is not None:
            yield "read an old trace", lambda: self._read_old(old)
        traced = self._new("otel_ingestion")
        yield "send by OTLP", lambda: self._send_otlp(traced)
        batched = self._new("ingestion")
        if self._major == 3:
            yield "send a batch", lambda: self._send_batch(batched)
        yield "read back OTLP", lambda: self._read_otlp(traced)
        if self._major == 3:
            yield "read back batch", lambda: self._read(batched, other_way_works=True)
        else:
            yield "write mode", lambda: self._write_mode(traced)
        yield "media", lambda: self._media(traced)
        yield "prompt in a folder", self._prompt

    def _health(self) -> str:
        attempts = Retrying(
            retry=retry_if_result(_no_connection),
            stop=stop_after_attempt(CONNECTION_ATTEMPTS),
            wait=wait_fixed(POLL_SECONDS),
            retry_error_callback=_last,
        )
        answer = attempts(self._api.get, WEB_HEALTH_PATH, keys=False)
        version = str(answer.json.get("version", ""))
        major = re.match(r"v?(\d+)\.", version)
        if not answer.ok or answer.json.get("status") != "OK" or major is None:
            raise diagnosis.health(answer, self._target.url)
        self._major = int(major[1])
        self._report.version = version
        if self._major < 3:
            raise diagnosis.old(version)
        return f"Langfuse {version}"

    def _ready(self) -> str:
        answer = self._api.get("/api/public/ready", keys=False)
        if not answer.ok:
            raise diagnosis.ready(answer)
        return "ready"

    def _keys(self) -> str:
        answer = self._api.get("/api/public/projects")
        projects: list[dict[str, Any]] = answer.json.get("data") or []
        if not answer.ok or not projects:
            raise diagnosis.keys(answer)
        return f"project {projects[0].get('name')}"

    def _read_old(self, trace_id: str) -> str:
        answer = read_trace(self._api, trace_id)
        if not visible(answer):
            raise diagnosis.old_trace(answer, trace_id)
        return f"trace {trace_id}"

    def _new(self, queue: str) -> Sent:
        return Sent(payloads.new_trace_id(), payloads.began(), time.monotonic(), queue)

    def _send_otlp(self, sent: Sent) -> str:
        body = payloads.otlp(sent.trace_id, sent.began)
        answer = self._api.post("/api/public/otel/v1/traces", body, OTLP_VERSION)
        if not answer.ok:
            raise diagnosis.sending(answer)
        return f"trace {sent.trace_id}"

    def _send_batch(self, sent: Sent) -> str:
        answer = self._api.post(BATCH, payloads.batch(sent.trace_id, sent.began))
        if answer.status != 207:
            raise diagnosis.sending(answer)
        errors: list[dict[str, Any]] = answer.json.get("errors") or []
        if errors:
            raise diagnosis.refused(answer, errors[0].get("error") or errors[0])
        return f"trace {sent.trace_id}"

    def _read_otlp(self, sent: Sent) -> str:
        result = self._read(sent)
        self._report.seconds_to_visible = round(time.monotonic() - sent.at, 2)
        return result

    def _read(self, sent: Sent, *, other_way_works: bool = False) -> str:
        end = sent.at + self._seconds
        attempts = Retrying(
            retry=retry_if_result(lambda answer: not visible(answer) and not _closed(answer)),
            stop=stop_after_delay(end - time.monotonic()),
            wait=wait_fixed(POLL_SECONDS),
            retry_error_callback=_last,
        )
        answer = attempts(self._look, sent.trace_id, end)
        if visible(answer):
            seconds = time.monotonic() - sent.at
            _compare(answer, sent.began)
            return f"visible after {seconds:.1f} s"
        if _closed(answer):
            raise diagnosis.closed(answer)
        raise diagnosis.invisible(
            answer,
            self._seconds,
            sent.queue,
            other_way_works=other_way_works,
            drops_spans=self._major > 3,
        )

    def _look(self, trace_id: str, end: float) -> Answer:
        left = min(max(end - time.monotonic(), LEAST_ANSWER_SECONDS), ANSWER_SECONDS)
        if self._major > 3:
            answer = self._api.get(f"{OBSERVATIONS}?traceId={trace_id}", seconds=left)
            # 4.x that still reads 3.x's tables says 404 here (langfuse:v4.writeMode).
            self._new_api = answer.status != 404
            if self._new_api:
                return answer
        return self._api.get(f"{TRACES}/{trace_id}", seconds=left)

    def _write_mode(self, sent: Sent) -> str:
        """Find out which it is, and what of the API it closes.

        langfuse 4.16.0, web/src/features/public-api/server/createAuthedProjectAPIRoute.ts
        (rejectInEventsOnlyMode) and web/src/pages/api/public/ingestion.ts.
        """
        mode, closed = "dual", []
        if not self._new_api:
            mode, closed = "legacy", [f"GET {OBSERVATIONS} (HTTP 404)"]
        else:
            answer = self._api.get(f"{TRACES}/{sent.trace_id}")
            if answer.status == 404 and EVENTS_ONLY in answer.text:
                mode, closed = EVENTS_ONLY, [*self._closed()]
            elif not answer.ok and answer.status != 404:
                raise diagnosis.old_api(answer)
        self._report.write_mode, self._report.closed = mode, closed
        return mode

    def _closed(self) -> Iterator[str]:
        yield f"GET {TRACES} and its like (HTTP 404)"
        answer = self._api.post(BATCH, payloads.batch(payloads.new_trace_id(), payloads.began()))
        if answer.status != 207:
            raise diagnosis.old_api(answer)
        errors: list[dict[str, Any]] = answer.json.get("errors") or []
        if errors:
            status = errors[0].get("status")
            yield f"traces by POST {BATCH} (HTTP {status} for each)"

    def _media(self, sent: Sent) -> str:
        answer = self._api.post("/api/public/media", payloads.media(sent.trace_id))
        host = urlsplit(str(answer.json.get("uploadUrl") or "")).hostname or ""
        if not answer.ok or not S3_HOST.fullmatch(host):
            raise diagnosis.media(answer, host)
        return host

    def _prompt(self) -> str:
        """Ask for prompts that nobody has: web's answer says which name it got.

        A prompt to fetch would have to be deleted afterwards, by the same path.
        """
        answer = self._api.get(f"{PROMPTS}/{payloads.NAME}")
        if not _names(answer, payloads.NAME):
            raise diagnosis.prompt(answer)
        encoded = quote(payloads.IN_A_FOLDER, safe="")
        answer = self._api.get(f"{PROMPTS}/{encoded}")
        if _names(answer, payloads.IN_A_FOLDER):
            return "web gets the name as it is"
        if answer.status == 404 and self._target.behind_http_api:
            return "a limit of the HTTP API: it decodes %2F, so prompts in folders answer HTTP 404"
        raise diagnosis.prompt_in_folder(answer, encoded)


def run(
    target: Target,
    seconds: float,
    begins: Callable[[str], object],
    old_trace: str | None = None,
) -> Report:
    """Take the steps until one fails. `begins` is told the name of each.

    `old_trace`: ID of a trace that has to be there already.
    """
    report = Report()
    api = Api(target)
    try:
        for what, action in Checks(api, target, seconds, report, old_trace).steps():
            begins(what)
            begin = time.monotonic()
            try:
                result, failed = action(), None
            except diagnosis.CheckError as error:
                result, failed = error.result, error
            took = round(time.monotonic() - begin, 2)
            report.steps.append(Step(what, failed is None, result, took))
            if failed is not None:
                report.blame, report.message = failed.blame, failed.message
                return report
    finally:
        api.close()
    report.ok = True
    return report


def read_trace(api: Api, trace_id: str) -> Answer:
    """Read a trace that has been there for long, by the API that its write mode leaves open."""
    name = quote(trace_id, safe="")
    answer = api.get(f"{TRACES}/{name}")
    if answer.status != 404:
        return answer
    # Closed where Langfuse 4 writes its new tables alone.
    newer = api.get(f"{OBSERVATIONS}?traceId={name}")
    return newer if visible(newer) else answer


def _no_connection(answer: Answer) -> bool:
    return answer.status is None and not answer.late


def visible(answer: Answer) -> bool:
    """Whether it shows the trace: itself, or its observations."""
    return answer.status == 200 and bool(answer.json.get("id") or answer.json.get("data"))


def _compare(answer: Answer, began: datetime) -> None:
    """Compare the times of what was read back with those that were sent."""
    body = answer.json
    observations: list[dict[str, Any]] = body.get("data") or body.get("observations") or []
    sent = {"startTime": began, "endTime": began + payloads.LASTED}
    read = [(body.get("timestamp"), began)]
    read += [(each.get(key), moment) for each in observations for key, moment in sent.items()]
    read = [(text, moment) for text, moment in read if text is not None]
    if not read:
        raise diagnosis.timeless(answer)
    for text, moment in read:
        found = _moment(str(text))
        if found is None or abs(found - moment) > TIME_TOLERANCE:
            raise diagnosis.other_time(answer, str(text), moment)


def _moment(text: str) -> datetime | None:
    """A time as JavaScript writes it; None if it is none, or after the year 9999."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _names(answer: Answer, prompt: str) -> bool:
    """Whether it is Langfuse's own word on the prompt of this name, there or not.

    langfuse 3.225.4 and 4.16.0, web/src/features/prompts/server/handlers/promptNameHandler.ts.
    """
    missing = f"Prompt not found: '{prompt}'" in str(answer.json.get("message"))
    return (answer.status == 404 and missing) or (answer.ok and answer.json.get("name") == prompt)


def _closed(answer: Answer) -> bool:
    """Whether waiting cannot help."""
    if answer.status == 404:
        return not answer.json or "events_only" in answer.text
    return answer.status is not None and 200 < answer.status < 500 and answer.status != 429


def _last(state: RetryCallState) -> Answer:
    """Give the last answer instead of an error."""
    outcome: Any = state.outcome
    return outcome.result()
