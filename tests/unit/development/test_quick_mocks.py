"""A run that is spared what nobody asks for registers what any run registers.

It proves it for a small program with what an output can carry: a value, a secret, an origin, an
error. It does not prove that the mocks are an engine: that is the business of `tests/engine`.
"""

from contextlib import nullcontext
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pytest
from google.protobuf.json_format import MessageToDict

from development.recorded_graph import on_mocks
from langfuse_aws.offline.facts import DEFAULT_REGION


class Part(pulumi.ComponentResource):
    """A component with a secret, which depends on a sibling."""

    def __init__(self, password: pulumi.Output[str]) -> None:
        super().__init__("langfuse:index:Part", "part")
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic("topic", opts=child)
        aws.sns.Topic("secret", name=topic.id, display_name=password, opts=child)


def program() -> None:
    Part(random.RandomPassword("password", length=32).result)
    own = pulumi.CustomResource("test:index:Own", "own", {"id": "its input, not its ID"})
    aws.sns.Topic("named", name=own.id)


def registered() -> dict[str, Any]:
    """What an engine would have been told, by URN."""
    requests = on_mocks("dev", DEFAULT_REGION, program).monitor.requests
    found = {urn: MessageToDict(each) for urn, each in requests.items()}
    for each in found.values():
        for key in ("stackTrace", "sourcePosition"):
            each.pop(key, None)
        each["dependencies"] = sorted(each.get("dependencies", []))
    return found


def test_values_secrets_dependencies_and_parents_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = registered()
    monkeypatch.setattr("development.recorded_graph.quick", nullcontext)
    assert registered() == quick
    (secret,) = [each for urn, each in quick.items() if urn.endswith("::secret")]
    assert [urn.rsplit("::")[-1] for urn in secret["dependencies"]] == ["topic", "password"]
    assert isinstance(secret["object"]["displayName"], dict), "marked as a secret"


def test_an_output_of_what_failed_fails() -> None:
    failures: list[str] = []

    def twice() -> None:
        for _ in range(2):
            topic = aws.sns.Topic("topic", display_name="one")
            topic.display_name.recover(lambda failure: failures.append(str(failure)) or "none")

    with pytest.raises(ValueError, match="registered twice"):
        on_mocks("dev", DEFAULT_REGION, twice)
    assert failures == ["aws:sns/topic:Topic 'topic' is registered twice"]
