"""The timeouts along a request, in each way in: who gives up first.

Proves the order of what is registered and of what web is told; App Runner's is in
test_app_runner.py. It does not prove that AWS or Node
keep to the figures.
"""

import re
from collections.abc import Callable

import pytest

from langfuse_aws.automation.smoke.api import ANSWER_SECONDS
from langfuse_aws.contract import timeouts
from langfuse_aws.settings.loading import SettingsError, load
from tests.unit.components.test_ingress import varied_prod
from tests.unit.stack_graph import ROOT, Graph, shipped, varied


def keep_alive_seconds(graph: Graph) -> float:
    return int(graph.environment("web")["KEEP_ALIVE_TIMEOUT"]) / 1000


@pytest.mark.parametrize(
    "stack",
    [lambda: shipped("staging"), lambda: shipped("prod"), varied_prod],
    ids=["staging", "prod", "internal"],
)
def test_a_load_balancer_outlasts_langfuse_and_web_outlasts_the_load_balancer(
    stack: Callable[[], Graph],
) -> None:
    graph = stack()
    idle = graph.one("aws:lb/loadBalancer:LoadBalancer").inputs["idleTimeout"]
    assert timeouts.MODEL_CALL_SECONDS < timeouts.LANGFUSE_SECONDS < idle, (
        "60 s cuts a playground or an evaluation that Langfuse itself allows 120 s"
    )
    assert idle + 5 <= keep_alive_seconds(graph), "or requests get HTTP 502"


@pytest.mark.parametrize(
    "stack", [lambda: shipped("dev"), varied], ids=["its own name", "a domain"]
)
def test_web_outlasts_the_vpc_link_of_an_http_api(stack: Callable[[], Graph]) -> None:
    graph = stack()
    integrations = graph.of_type("aws:apigatewayv2/integration:Integration")
    assert {each.inputs["timeoutMilliseconds"] for each in integrations} == {30_000}
    assert timeouts.HTTP_API_SECONDS == 30
    assert keep_alive_seconds(graph) > timeouts.VPC_LINK_IDLE_SECONDS == 350, (
        "or requests after idling get HTTP 503"
    )
    assert ANSWER_SECONDS > timeouts.HTTP_API_SECONDS, "the smoke test hears the API give up"


@pytest.mark.parametrize(
    ("name", "good", "bad", "words"),
    [
        ("KEEP_ALIVE_TIMEOUT", "360000", "65000", "must be at least 360000"),
        ("LANGFUSE_FETCH_LLM_COMPLETION_TIMEOUT_MS", "299999", "300000", "must be less than"),
    ],
)
def test_ones_own_variable_may_not_break_the_order(
    name: str, good: str, bad: str, words: str
) -> None:
    assert load({"size": "dev", "web": {"environment": {name: good}}})
    for own in ({"web": {"environment": {name: bad}}}, {"secretEnvironment": {name: bad}}):
        with pytest.raises(SettingsError) as caught:
            load({"size": "dev", **own})
        (line,) = caught.value.problems
        assert f".{name}:" in line
        assert words in line
        assert line.endswith("Leave it out.")


def test_what_the_worker_waits_for_passes_no_load_balancer() -> None:
    own = {"LANGFUSE_FETCH_LLM_COMPLETION_TIMEOUT_MS": "900000"}
    assert load({"size": "dev", "worker": {"environment": own}}).worker.environment == own


@pytest.mark.parametrize(
    ("page", "words", "seconds"),
    [
        ("README.md", r"(\d+) s for a request", timeouts.HTTP_API_SECONDS),
        ("README.md", r"itself allows (\d+) s", timeouts.MODEL_CALL_SECONDS),
        ("docs/app-runner.md", r"A request may take \[(\d+) s\]", timeouts.APP_RUNNER_SECONDS),
        ("docs/operations.md", r"504 after (\d+) s through the HTTP", timeouts.HTTP_API_SECONDS),
        ("docs/operations.md", r"(\d+) s of silence", timeouts.LOAD_BALANCER_IDLE_SECONDS),
        ("docs/reliability.md", r"balancer after (\d+) s", timeouts.LOAD_BALANCER_IDLE_SECONDS),
        ("docs/reliability.md", r"link after (\d+) s", timeouts.VPC_LINK_IDLE_SECONDS),
        ("docs/reliability.md", r"web after (\d+) s", timeouts.KEEP_ALIVE_SECONDS),
        ("docs/scaling.md", r"(\d+) s at the HTTP API", timeouts.HTTP_API_SECONDS),
        ("docs/scaling.md", r"(\d+) s at App Runner", timeouts.APP_RUNNER_SECONDS),
        ("docs/scaling.md", r"(\d+) s without a byte", timeouts.LOAD_BALANCER_IDLE_SECONDS),
    ],
)
def test_the_pages_say_the_same(page: str, words: str, seconds: int) -> None:
    found = re.findall(words, (ROOT / page).read_text(encoding="utf-8"))
    assert found == [str(seconds)]
