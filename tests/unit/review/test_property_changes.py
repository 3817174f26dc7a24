"""What differs in properties: by the engine's own diff, inside of documents, without secrets."""

import json
from typing import Any

import pytest

from langfuse_aws.graph.model import SECRET, Resource
from langfuse_aws.graph.preview import Preview, Step
from langfuse_aws.review.property_changes import (
    PropertyChange,
    property_changes,
    shortened,
)

URN = "urn:pulumi:dev::langfuse::aws:ecs/taskDefinition:TaskDefinition::t"
SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def resource(inputs: dict[str, Any], outputs: dict[str, Any] | None = None) -> Resource:
    return Resource(URN, URN.split("::")[2], inputs=inputs, outputs=outputs or {})


def told(old: Any, new: Any) -> list[PropertyChange]:
    step = Step("update", URN, resource({"x": old}), resource({"x": new}), {"x": "update"})
    return property_changes(step)


def container(**variables: str) -> str:
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    return json.dumps([{"name": "web", "environment": environment}])


@pytest.mark.parametrize(
    "name",
    [
        *("DATABASE_PASSWORD", "SALT", "NEXTAUTH_SECRET", "S3_SECRET_ACCESS_KEY", "API_TOKEN"),
        *("apiKey", "private_key", "licenceKey", "dbPasswd", "ENCRYPTION_KEY", "credentials"),
    ],
)
def test_a_variable_that_is_a_secret_by_its_name_is_masked(name: str) -> None:
    (changed,) = told(container(**{name: "hush-1"}), container(**{name: "hush-2"}))
    assert (changed.old, changed.new) == (SECRET, SECRET)
    assert changed.path == f"x: web.environment.{name}.value"
    (added,) = told(container(), container(**{name: "hush-3"}))
    assert added.new == json.dumps({"name": name, "value": SECRET})
    (whole,) = told(None, container(**{name: "hush-4"}))
    assert "hush" not in str(whole)
    assert SECRET in str(whole.new)


def test_a_secret_is_masked_at_any_depth_and_inside_of_text_inside_of_a_document() -> None:
    deep = {"a": [{"Password": "hush", "b": json.dumps({"token": "hush"})}]}
    for new in (deep, json.dumps(deep)):
        (change,) = told(None, new)
        assert "hush" not in str(change.new)
        assert str(change.new).count(SECRET) == 2


def test_the_password_of_a_url_is_masked_whatever_its_name() -> None:
    (change,) = told(container(U="redis://me:hush@a:1/2"), container(U="redis://me:hush@b:1/2"))
    assert (change.old, change.new) == (f"redis://me:{SECRET}@a:1/2", f"redis://me:{SECRET}@b:1/2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_ARN", "x"),
        ("AUTH_DISABLE_USERNAME_PASSWORD", "true"),
        ("DATABASE_PASSWORD", "arn:aws:secretsmanager:eu-west-1:1:secret:x"),
        ("LANGFUSE_LOG_LEVEL", "debug"),
    ],
)
def test_what_is_no_secret_is_told(name: str, value: str) -> None:
    (change,) = told(container(**{name: "false"}), container(**{name: value}))
    assert (change.old, change.new) == ("false", value)


def test_the_name_of_a_resource_is_no_name_of_a_secret() -> None:
    name = "random:index/randomPassword:RandomPassword langfuse-prod-salt"
    (change,) = told({name: ["protect"]}, {name: []})
    assert (change.old, change.new) == ("protect", None)


def test_which_secret_a_container_gets_is_told() -> None:
    def task(arn: str) -> str:
        return json.dumps([{"name": "web", "secrets": [{"name": "SALT", "valueFrom": arn}]}])

    (change,) = told(task("arn:a"), task("arn:b"))
    assert change == PropertyChange("x: web.secrets.SALT.valueFrom", "arn:a", "arn:b", False)


def step(**given: Any) -> Step:
    state = {"urn": URN, "type": URN.split("::")[2], "custom": True}
    printed = {
        "op": "update",
        "urn": URN,
        "oldState": {**state, "inputs": given.pop("inputs"), "outputs": given.pop("outputs", {})},
        "newState": {**state, "inputs": given.pop("new")},
        **given,
    }
    return Preview.of({"steps": [printed], "changeSummary": {}}, 0).steps[0]


def test_what_the_engine_marks_as_secret_is_never_told() -> None:
    hidden = {**SIGNATURE, "ciphertext": "v1:hush", "plaintext": '"hush"'}
    found = step(
        inputs={"password": hidden, "list": [hidden]},
        outputs={"password": hidden},
        new={"password": {**hidden, "plaintext": '"hush2"'}, "list": [hidden, "b"]},
        detailedDiff={"password": {"kind": "update"}, "list[1]": {"kind": "add"}},
    )
    assert property_changes(found) == [
        PropertyChange("list[1]", None, "b", False),
        PropertyChange("password", SECRET, SECRET, False),
    ]


def test_an_old_value_is_what_aws_has_where_the_provider_compared_with_that() -> None:
    given = {"inputs": {"size": 2}, "outputs": {"size": 3}, "new": {"size": 4}}
    for input_diff, old in ((False, "3"), (True, "2")):
        kind = {"kind": "update-replace", "inputDiff": input_diff}
        found = step(**given, detailedDiff={"size": kind})
        assert property_changes(found) == [PropertyChange("size", old, "4", True)]


def test_a_document_is_compared_with_the_last_one_given_not_with_aws_own_form_of_it() -> None:
    found = step(
        inputs={"doc": '{"a": 1}'},
        outputs={"doc": '{"a": 1, "b": null, "filledIn": true}'},
        new={"doc": '{"a": 2}'},
        detailedDiff={"doc": {"kind": "update"}},
    )
    assert property_changes(found) == [PropertyChange("doc: a", "1", "2", False)]
    drifted = step(
        inputs={"doc": '{"a": 1}'},
        outputs={"doc": '{"a": 5}'},
        new={"doc": '{"a": 1}'},
        detailedDiff={"doc": {"kind": "update"}},
    )
    assert property_changes(drifted) == [PropertyChange("doc: a", "5", "1", False)]


def test_without_a_detailed_diff_the_engines_reasons_are_told() -> None:
    found = step(
        inputs={"input": {"size": 1, "same": 1}, "b": 1},
        new={"input": {"size": 2, "same": 1}, "b": 2},
        detailedDiff=None,
        diffReasons=["input"],
        replaceReasons=["b"],
    )
    assert property_changes(found) == [
        PropertyChange("b", "1", "2", True),
        PropertyChange("input.size", "1", "2", False),
    ]


@pytest.mark.parametrize(
    ("text", "most", "start", "shown"),
    [
        ("abc", 3, 0, "abc"),
        ("a\nb\x1b", 9, 0, "a b "),
        ("abcdefgh", 4, 0, "abc…"),
        ("abcdefgh", 4, 3, "…de…"),
        ("abcdefgh", 4, 7, "…fgh"),
    ],
)
def test_a_value_is_cut_to_one_line_around_what_differs(
    text: str, most: int, start: int, shown: str
) -> None:
    assert shortened(text, most, start) == shown
