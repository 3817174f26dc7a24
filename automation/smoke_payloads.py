"""What the smoke test sends: Langfuse's request bodies, made anew for every run."""

import base64
import hashlib
import secrets
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Final

NAME: Final = "smoke-test"
MODEL: Final = "smoke-model"
IN_A_FOLDER: Final = f"{NAME}/{NAME}"
"""Name of a prompt that nobody has, in a folder that nobody has either."""
SECOND: Final = 1_000_000_000


def new_trace_id() -> str:
    """Make an ID as OpenTelemetry has them."""
    return secrets.token_hex(16)


def otlp(trace_id: str) -> dict[str, Any]:
    """Build a trace of one generation that took a second, as OTLP in JSON."""
    now = time.time_ns()
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({"service.name": "langfuse-aws-smoke"})},
                "scopeSpans": [
                    {
                        "scope": {"name": NAME},
                        "spans": [
                            {
                                "traceId": trace_id,
                                "spanId": secrets.token_hex(8),
                                "name": NAME,
                                "kind": 1,
                                "startTimeUnixNano": str(now - SECOND),
                                "endTimeUnixNano": str(now),
                                "attributes": _attributes(
                                    {
                                        "langfuse.trace.name": NAME,
                                        "langfuse.observation.type": "generation",
                                        "langfuse.observation.model.name": MODEL,
                                        "langfuse.observation.usage_details": (
                                            '{"input": 3, "output": 5}'
                                        ),
                                        "langfuse.observation.input": "ping",
                                        "langfuse.observation.output": "pong",
                                    }
                                ),
                                "status": {},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def batch(trace_id: str) -> dict[str, Any]:
    """Build a trace with a generation, for the API that SDKs before OpenTelemetry use."""
    now = datetime.now(timezone.utc)
    begin = _iso(now - timedelta(seconds=1))
    bodies = {
        "trace-create": {
            "id": trace_id,
            "timestamp": begin,
            "name": NAME,
            "tags": [NAME],
            "input": "ping",
            "output": "pong",
        },
        "generation-create": {
            "id": secrets.token_hex(8),
            "traceId": trace_id,
            "name": NAME,
            "startTime": begin,
            "endTime": _iso(now),
            "model": MODEL,
            "usageDetails": {"input": 3, "output": 5},
        },
    }
    return {
        "batch": [
            {"id": str(uuid.uuid4()), "type": kind, "timestamp": _iso(now), "body": body}
            for kind, body in bodies.items()
        ],
        "metadata": {"source": NAME},
    }


def media(trace_id: str) -> dict[str, Any]:
    """Ask for a place to upload a text to.

    The text is a new one each time: for what is there already Langfuse gives no URL. Source:
    langfuse, web/src/pages/api/public/media/index.ts and web/src/features/media/validation.ts.
    """
    content = trace_id.encode()
    return {
        "traceId": trace_id,
        "contentType": "text/plain",
        "contentLength": len(content),
        "sha256Hash": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        "field": "input",
    }


def _attributes(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
