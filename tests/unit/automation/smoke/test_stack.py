"""`smoke`: where the URL and the keys come from, and what is refused before anything is checked.

It proves that a stack's outputs and its secret are used and nothing of the environment, and that
what a user can cause is one line with exit code 2. That the program has the outputs is proved where
it exports them.
"""

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from pulumi.automation import OutputValue
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.smoke import command as smoke_module
from langfuse_aws.automation.smoke.api import Target
from tests.unit.automation.restore.test_restore import Answer, AwsError, World, always
from tests.unit.automation.smoke.test_smoke import smoke
from tests.unit.langfuse_stand_in import PUBLIC_KEY, SECRET_KEY, Fault, LangfuseStandIn

ARN: Final = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:langfuse-prod-1a2b3c"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
IN_THE_ENVIRONMENT: Final = "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY in the environment"
INSTEAD: Final = f"Pass --url, with {IN_THE_ENVIRONMENT}, instead of --stack."
OR_THE_STACK: Final = f"Pass --url, with {IN_THE_ENVIRONMENT}; or --stack, instead of all three."
KEYS: Final = ("--public-key", PUBLIC_KEY, "--secret-key", SECRET_KEY)


def of_stack(
    url: str,
    *,
    without: tuple[str, ...] = (),
    secret: Answer | None = None,
    more: Any = (),
    way: str = "aws:lb/loadBalancer:LoadBalancer",
    lag: Answer | None = None,
) -> tuple[Any, World]:
    """Run it with --stack, and other keys in the environment."""
    outputs = {"url": url, "public_key": PUBLIC_KEY, "secret_key_secret_arn": ARN}
    held: Answer = secret or {"SecretString": json.dumps({"secret_key": SECRET_KEY})}
    resources = [{"type": way, "urn": f"urn::{way}::langfuse-prod"}]
    answers: dict[str, Answer] = {"GetSecretValue": held}
    if lag is not None:
        resources.append({"type": ALARM, "urn": f"urn::{ALARM}::langfuse-prod-worker-lag"})
        answers["GetMetricStatistics"] = lag
    world = World(resources, {}, answers)
    values = {name: OutputValue(value, False) for name, value in outputs.items()}
    for name in without:
        del values[name]
    others = {"LANGFUSE_PUBLIC_KEY": "pk-other", "LANGFUSE_SECRET_KEY": "sk-other"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.stack, "outputs", always(values), raising=False)
        patch.setattr(smoke_module, "open_stack", always(world.deployed))
        return smoke("--stack", "prod", *more, keys=others), world


def test_url_and_keys_are_those_of_the_stack() -> None:
    with LangfuseStandIn() as langfuse:
        result, world = of_stack(langfuse.url)
    assert result.exit_code == 0, result.output
    assert world.log == [("GetSecretValue", {"SecretId": ARN})]


NOW: Final = datetime.now(timezone.utc)


def at(minutes: int, seconds: float) -> dict[str, Any]:
    """A datapoint of so many minutes ago."""
    return {"Timestamp": NOW - timedelta(minutes=minutes), "Maximum": seconds}


@pytest.mark.parametrize(
    ("lag", "seconds"),
    [
        ({"Datapoints": [at(2, 90.0), at(1, 12.4), at(3, 400.0)]}, 12.4),
        ({"Datapoints": []}, None),
        (AwsError("AccessDenied", "no"), None),
    ],
)
def test_a_stack_with_queue_probes_tells_how_long_events_wait(
    lag: Answer, seconds: float | None
) -> None:
    with LangfuseStandIn() as langfuse:
        result, world = of_stack(langfuse.url, lag=lag)
        told, _ = of_stack(langfuse.url, lag=lag, more=("--json",))
    assert result.exit_code == 0, "what nobody says of the queue does not fail a trace that came"
    line = "The oldest event in the queues has waited 12 s."
    assert (line in result.output) is (seconds is not None)
    assert json.loads(told.stdout)["lag_seconds"] == seconds
    _, asked = world.log[-1]
    assert asked["Namespace"] == "Langfuse/Queues"
    assert asked["MetricName"] == "OldestJobAge"
    assert asked["Dimensions"] == [{"Name": "Stack", "Value": world.deployed.prefix}]
    assert asked["Statistics"] == ["Maximum"]


def test_without_queue_probes_cloudwatch_is_not_asked() -> None:
    with LangfuseStandIn() as langfuse:
        result, _ = of_stack(langfuse.url, more=("--json",))
    assert json.loads(result.stdout)["lag_seconds"] is None


@pytest.mark.parametrize(
    ("way", "ok"),
    [("aws:apigatewayv2/api:Api", True), ("aws:lb/loadBalancer:LoadBalancer", False)],
)
def test_a_stack_says_whether_an_http_api_is_behind_its_domain(way: str, ok: bool) -> None:
    with LangfuseStandIn(fault=Fault(decodes=True)) as langfuse:
        result, _ = of_stack(langfuse.url, way=way)
    assert (result.exit_code == 0) is ok, result.output


@pytest.mark.parametrize(
    ("without", "named"),
    [
        (("public_key", "secret_key_secret_arn"), "public_key, secret_key_secret_arn"),
        (("url",), "url"),
    ],
)
def test_a_stack_without_the_outputs_says_what_to_pass(
    without: tuple[str, ...], named: str
) -> None:
    result, world = of_stack("https://langfuse.example.com", without=without)
    assert result.exit_code == 2
    assert result.stderr == f"error: stack prod: has no output {named}. {INSTEAD}\n"
    assert world.log == []


@pytest.mark.parametrize(
    "held", [SECRET_KEY, json.dumps([SECRET_KEY]), json.dumps({"key": SECRET_KEY}), "{}"]
)
def test_a_secret_of_another_form_is_not_shown(held: str) -> None:
    result, _ = of_stack("https://langfuse.example.com", secret={"SecretString": held})
    assert result.exit_code == 2
    assert result.stderr == f"error: {ARN}: is not a JSON object with secret_key. {INSTEAD}\n"


def test_a_secret_that_may_not_be_read_is_one_line() -> None:
    denied = AwsError("AccessDeniedException", "no")
    result, _ = of_stack("https://langfuse.example.com", secret=denied)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: An error occurred (AccessDeniedException) when calling the GetSecretValue "
        "operation: no\n"
    )


def test_a_stack_that_cannot_be_opened_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError("no such stack")

    monkeypatch.setattr(smoke_module, "open_stack", fail)
    result = smoke("--stack", "prod")
    assert (result.exit_code, result.stderr) == (2, "error: no such stack\n")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--url", "https://other"), "--url"),
        (KEYS, "--public-key, --secret-key"),
    ],
)
def test_a_stack_and_a_url_or_keys_are_refused(more: tuple[str, ...], named: str) -> None:
    result, world = of_stack("https://langfuse.example.com", more=more)
    assert result.exit_code == 2
    assert result.stderr == f"error: --stack says the URL and the keys: leave out {named}.\n"
    assert world.log == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), f"either --stack, or --url with {IN_THE_ENVIRONMENT}, is needed."),
        (KEYS, f"missing: --url. {OR_THE_STACK}"),
        (
            ("--url", "https://a", "--secret-key", ""),
            f"missing: --public-key, --secret-key. {OR_THE_STACK}",
        ),
    ],
)
def test_what_is_missing_is_named(arguments: tuple[str, ...], line: str) -> None:
    result = smoke(*arguments, keys={})
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {line}\n")


@pytest.mark.parametrize(
    "url",
    [
        "langfuse.example.com",
        "ftp://langfuse.example.com",
        "https://",
        f"https://{PUBLIC_KEY}:{SECRET_KEY}",
        f"https://{PUBLIC_KEY}:{SECRET_KEY}@langfuse.example.com",
    ],
)
def test_what_is_no_url_is_refused_and_not_shown(url: str) -> None:
    result = smoke("--url", url)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: --url: is not of the form https://langfuse.example.com, without keys.\n"
    )


def test_the_help_says_the_exit_codes_and_no_key() -> None:
    env = {"LANGFUSE_SECRET_KEY": SECRET_KEY, "COLUMNS": "100"}
    shown = CliRunner().invoke(app, ["smoke", "--help"], env=env).stdout
    assert "Exit code 0: all is well. 1: a check failed. 2: nothing was checked" in shown
    assert "LANGFUSE_SECRET_KEY" in shown
    assert SECRET_KEY not in shown


def test_a_target_is_shown_without_its_secret_key() -> None:
    assert SECRET_KEY not in repr(Target("https://a", PUBLIC_KEY, SECRET_KEY))
