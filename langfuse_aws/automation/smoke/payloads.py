"""What the smoke test sends: Langfuse's request bodies, made anew for every run."""

import base64
import hashlib
import secrets
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Final

NAME: Final = "smoke-test"
MODEL: Final = "smoke-model"
IN_A_FOLDER: Final = f"{NAME}/{NAME}"
"""Name of a prompt that nobody has, in a folder that nobody has either."""
LASTED: Final = timedelta(seconds=1)
"""From the begin of what is sent to its end."""


def began() -> datetime:
    """The begin of something that ends now, to the millisecond, as Langfuse 3 stores it."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000) - LASTED


def new_trace_id() -> str:
    """Make an ID as OpenTelemetry has them."""
    return secrets.token_hex(16)


def otlp(trace_id: str, begin: datetime) -> dict[str, Any]:
    """Build a trace of one generation that began then and took LASTED, as OTLP in JSON."""
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
                                "startTimeUnixNano": _nanoseconds(begin),
                                "endTimeUnixNano": _nanoseconds(begin + LASTED),
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


def batch(trace_id: str, begin: datetime) -> dict[str, Any]:
    """Build the same for the API that SDKs before OpenTelemetry use."""
    bodies = {
        "trace-create": {
            "id": trace_id,
            "timestamp": _iso(begin),
            "name": NAME,
            "tags": [NAME],
            "input": "ping",
            "output": "pong",
        },
        "generation-create": {
            "id": secrets.token_hex(8),
            "traceId": trace_id,
            "name": NAME,
            "startTime": _iso(begin),
            "endTime": _iso(begin + LASTED),
            "model": MODEL,
            "usageDetails": {"input": 3, "output": 5},
        },
    }
    return {
        "batch": [
            {
                "id": str(uuid.uuid4()),
                "type": kind,
                "timestamp": _iso(begin + LASTED),
                "body": body,
            }
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


def _nanoseconds(moment: datetime) -> str:
    return str(round(moment.timestamp() * 1000) * 1_000_000)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
