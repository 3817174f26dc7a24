"""The examples, with the real SDK, on a stand-in for Langfuse.

It proves that the SDK that is installed takes what an example calls, and that its spans arrive by
OTLP with the keys. It does not prove what Langfuse makes of them, nor the part that asks OpenAI.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.unit.langfuse_stand_in import OTLP, PUBLIC_KEY, SECRET_KEY, TOKEN, V4, LangfuseStandIn

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
FOREIGN: Final = ("LANGFUSE_", "OTEL_", "OPENAI_", "HTTP_PROXY", "ALL_PROXY")
KEYS: Final = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}


def run(name: str, variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run an example with these variables and none of the caller's that matter to it."""
    own = {key: value for key, value in os.environ.items() if not key.upper().startswith(FOREIGN)}
    return subprocess.run(
        [sys.executable, EXAMPLES / name],
        env={**own, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_hello_sends_its_story_as_one_trace_with_a_generation() -> None:
    with LangfuseStandIn(V4) as langfuse:
        url = {"LANGFUSE_BASE_URL": langfuse.url, "LANGFUSE_HOST": langfuse.url}
        done = run("hello.py", {**url, **KEYS})
    assert done.returncode == 0, done.stderr
    request = langfuse.one(OTLP)
    assert request.headers["authorization"] == f"Basic {TOKEN}"
    assert request.headers["content-type"] == "application/x-protobuf"
    spans = [
        span
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    kinds = {
        span.name: attribute.value.string_value
        for span in spans
        for attribute in span.attributes
        if attribute.key == "langfuse.observation.type"
    }
    assert kinds == {"hello": "span", "canned": "generation"}
    (trace_id,) = {span.trace_id.hex() for span in spans}
    story, where = done.stdout.splitlines()
    assert story.startswith("Once upon a time")
    assert where == f"Trace: {langfuse.url}/project/demo/traces/{trace_id}"


def test_hello_sends_nothing_to_a_cloud_that_nobody_named() -> None:
    done = run("hello.py", KEYS)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: set LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.\n"
    )


def test_hello_says_in_a_line_that_nobody_is_there_or_takes_the_keys() -> None:
    with LangfuseStandIn(V4) as langfuse:
        url = langfuse.url
        refused = run("hello.py", {**KEYS, "LANGFUSE_BASE_URL": url, "LANGFUSE_SECRET_KEY": "old"})
    gone = run("hello.py", {**KEYS, "LANGFUSE_BASE_URL": url})
    for done in (refused, gone):
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith(f"error: {url}: ")
        assert "Traceback" not in done.stderr
