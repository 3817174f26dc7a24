"""The table of secret keys: every reader has every row of it.

Proves it for each key that there is, and for one that only a test adds: who keeps a list of its own
lacks that one. What the program does with a secret is proven where it is done.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import pulumi
import pytest
import yaml
from pulumi.errors import InputPropertiesError

from development import configuration_tables, plugin_arguments
from langfuse_aws.automation.engine.given_settings import checked
from langfuse_aws.automation.engine.offline_workspace import PLACEHOLDER, prepare
from langfuse_aws.automation.engine.stack_file import read_stack_file
from langfuse_aws.settings import stack as stack_settings
from langfuse_aws.settings.loading import SettingsError, load, load_without_secrets
from langfuse_aws.settings.secret_keys import SECRET_KEYS, SecretKey
from plugin.inputs import read
from tests.unit.stack_graph import build

HIDDEN: Final = "hunter2"
FOREIGN: Final = {"secure": "v1:bm9ib2R5:c29tZWJvZHkgZWxzZSdz"}
ADDED: Final = "auditorToken"
KEYS: Final = [*SECRET_KEYS, ADDED]

NEEDING: Final[Mapping[str, Mapping[str, Any]]] = {
    "clickhouse.mode": {
        "url": "https://abc.clickhouse.cloud:8443",
        "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    },
    "postgres.mode": {"host": "db.example.com"},
    "redis.mode": {"host": "redis.example.com"},
    "smtp.mode": {"from": "no-reply@example.com"},
    "grafana.enabled": {},
}
"""What else a section has where one of its keys makes a secret needed."""


@pytest.fixture(autouse=True)
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    table = cast("dict[str, SecretKey]", SECRET_KEYS)
    row = SecretKey(
        value="a token",
        meaning="Token of the auditor",
        needed_with={"grafana.enabled": "true"},
        section="logs",
        key_there="token",
    )
    monkeypatch.setitem(table, ADDED, row)


every_key = pytest.mark.parametrize("key", KEYS)
every_needed_key = pytest.mark.parametrize(
    "key", [key for key in KEYS if key == ADDED or SECRET_KEYS[key].needed_with]
)


def needing(key: str) -> dict[str, Any]:
    """A stack that needs a secret key, and all others that it needs, by the table alone."""
    found: dict[str, Any] = {"size": "dev"}
    for path, value in SECRET_KEYS[key].needed_with.items():
        section, _, name = path.partition(".")
        found[section] = {**NEEDING[path], name: value}
    if "grafana" in found and "clickhouse" in found:
        found["grafana"]["clickhouseUser"] = "reader"
    for other, row in SECRET_KEYS.items():
        asked = [has(found, *each) for each in row.needed_with.items()]
        if asked and all(asked):
            found[other] = row.standing_in(HIDDEN, found)
    return found


def has(given: Mapping[str, Any], path: str, value: str) -> bool:
    section, _, key = path.partition(".")
    return given.get(section, {}).get(key) == value


def problems(given: Mapping[str, Any]) -> list[str]:
    try:
        load(given)
    except SettingsError as error:
        return error.problems
    return []


@every_needed_key
def test_what_stands_in_for_a_secret_is_taken_where_it_is_needed(key: str) -> None:
    given = needing(key)
    assert HIDDEN in given[key]
    assert problems(given) == []


@every_needed_key
@pytest.mark.parametrize("empty", [False, True])
def test_a_secret_is_asked_for_where_it_is_needed(key: str, empty: bool) -> None:
    given = needing(key)
    del given[key]
    if empty:
        given[key] = ""
    shape = " with ".join(map(" ".join, SECRET_KEYS[key].needed_with.items()))
    assert problems(given) == [
        f"langfuse:{key}: is not set, and {shape} needs it. Set it with pulumi config set --secret "
        f"langfuse:{key} {SECRET_KEYS[key].argument}."
    ]


@every_needed_key
def test_a_secret_is_refused_where_nothing_needs_it(key: str) -> None:
    shape = " with ".join(map(" ".join, SECRET_KEYS[key].needed_with.items()))
    assert problems({"size": "dev", key: needing(key)[key]}) == [
        f"langfuse:{key}: exists only for {shape}. Remove it, or choose {shape}."
    ]


@every_needed_key
def test_a_wrong_value_of_what_decides_brings_no_error_of_the_secret_along(key: str) -> None:
    given = needing(key)
    wrong = [path for path in SECRET_KEYS[key].needed_with if path.endswith(".mode")]
    for path in wrong:
        given[path.partition(".")[0]]["mode"] = "elsewhere"
    assert all(key not in line for line in problems(given))


def test_what_langfuse_puts_into_a_url_has_a_form() -> None:
    formed = {key for key, row in SECRET_KEYS.items() if row.form}
    assert formed == {"clickhousePassword", "postgresPassword", "smtpUrl"}
    passwords = {key: row.value for key, row in SECRET_KEYS.items() if key.endswith("Password")}
    assert {key for key, value in passwords.items() if value == "text"} == {*passwords} - formed


@pytest.mark.parametrize("key", [key for key, row in SECRET_KEYS.items() if row.form])
def test_a_secret_of_another_form_is_refused_unseen(key: str) -> None:
    form = SECRET_KEYS[key].form
    assert form, "it has one"
    (line,) = problems({**needing(key), key: f"{HIDDEN} @"})
    assert line.startswith(f"langfuse:{key}: {form.bound}. ")
    assert HIDDEN not in line


def test_every_secret_with_a_section_beside_it_is_looked_for_there() -> None:
    assert {key for key, row in SECRET_KEYS.items() if row.section and key != ADDED} == {
        "authSecrets",
        "clickhousePassword",
        "grafanaClickhousePassword",
        "postgresPassword",
        "redisPassword",
        "smtpUrl",
    }


@pytest.mark.parametrize("key", [key for key in KEYS if key == ADDED or SECRET_KEYS[key].section])
def test_a_secret_in_a_section_is_sent_to_its_key_unseen(key: str) -> None:
    row = SECRET_KEYS[key]
    path = f"{row.section}.{row.key_there}"
    path = {"auth.providers": "auth.providers.google.clientSecret"}.get(row.section, path)
    given: Any = HIDDEN
    for step in reversed(path.split(".")):
        given = {step: given}
    if row.section == "smtp":
        given["smtp"] |= {"mode": "smtp", "from": "no-reply@example.com"}
    (line,) = [line for line in problems({"size": "dev", **given}) if f"langfuse:{path}:" in line]
    assert line.startswith(f"langfuse:{path}: is a secret, and stored in the clear here. Remove it")
    assert f"langfuse:{key}" in line.partition("Remove it")[2]
    assert HIDDEN not in line


@every_key
def test_a_misspelt_secret_key_is_told_the_right_one(key: str) -> None:
    (line,) = problems({"size": "dev", f"{key}s": HIDDEN})
    assert f"the nearest known one is {key}." in line
    assert HIDDEN not in line


@every_key
def test_a_secret_in_the_clear_is_refused(key: str) -> None:
    pulumi.runtime.set_all_config({"langfuse:size": "dev", f"langfuse:{key}": HIDDEN}, [])
    with pytest.raises(pulumi.RunError, match=f"langfuse:{key}: is stored in the clear"):
        stack_settings.read()


def test_a_misspelt_namespace_and_a_secret_of_the_provider_are_refused_by_the_program() -> None:
    given = {"langfuse:size": "dev", "langfus:web": "{}", "aws:token": HIDDEN}
    pulumi.runtime.set_all_config(given, [])
    with pytest.raises(pulumi.RunError) as caught:
        stack_settings.read()
    assert "langfus:web: langfus is no namespace" in str(caught.value)
    assert "aws:token: is stored in the clear" in str(caught.value)
    assert HIDDEN not in str(caught.value)
    pulumi.runtime.set_all_config(given, ["aws:token"])
    with pytest.raises(pulumi.RunError) as caught:
        stack_settings.read()
    assert "aws:token" not in str(caught.value)


@every_key
def test_the_library_takes_a_secret_among_the_secrets_alone(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checked({"size": "dev", key: HIDDEN}, {})
    (line,) = caught.value.problems
    assert line.startswith(f"langfuse:{key}: is a secret: give it in secrets")
    assert checked(None, {key: HIDDEN}).secrets == {f"langfuse:{key}": HIDDEN}
    by_name = {"A": HIDDEN}
    if SECRET_KEYS[key].by_name:
        assert checked(None, {key: by_name}).secrets == {f"langfuse:{key}": json.dumps(by_name)}


@every_key
def test_a_stack_file_is_read_without_its_secrets(key: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    given = {name: value for name, value in needing(key).items() if name not in SECRET_KEYS}
    config = {f"langfuse:{name}": value for name, value in given.items()}
    sealed = {f"langfuse:{name}": FOREIGN for name in {key, *needing(key)} & {*SECRET_KEYS}}
    region = {"aws:region": "eu-west-1"}
    (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config | sealed | region}))
    assert read_stack_file("dev", tmp_path).settings == load_without_secrets(given)


@every_key
def test_an_offline_stack_gets_what_stands_in(key: str, tmp_path: Path) -> None:
    given = {**needing(key), "auth": {"providers": {"google": {"clientId": "x"}}}}
    config = {f"langfuse:{name}": value for name, value in given.items() if name != key}
    stack = prepare("dev", tmp_path, config={**config, f"langfuse:{key}": FOREIGN})
    assert stack.replaced_secrets == (f"langfuse:{key}",)
    expected = SECRET_KEYS[key].standing_in(PLACEHOLDER, given)
    assert stack.placeholders == ({f"langfuse:{key}": expected} if expected else {})


@every_key
def test_the_tables_have_its_row(key: str) -> None:
    row = SECRET_KEYS[key]
    (line,) = [
        line
        for line in configuration_tables.full_configuration().splitlines()
        if line.startswith(f"| `{key}` | {row.value} | {row.meaning}")
    ]
    assert all(f"`{path}` `{value}`" in line for path, value in row.needed_with.items())


@every_key
def test_the_component_has_its_argument(key: str) -> None:
    kind = "pulumi.Input[str]"
    kind = f"dict[str, {kind}]" if SECRET_KEYS[key].by_name else kind
    assert f"    {key}: NotRequired[{kind}]\n" in plugin_arguments.source()


@every_key
def test_the_component_says_what_shape_it_has(key: str) -> None:
    shape = "a mapping" if SECRET_KEYS[key].by_name else "a text"
    with pytest.raises(InputPropertiesError) as caught:
        read({"size": "dev", key: 1.0})
    assert f"{key}: must be {shape}" in caught.value.message


def test_a_recorded_program_has_it_as_a_secret() -> None:
    assert build("dev", needing(ADDED)).registrations, "in the clear it would be refused"
