"""The words of errors: ours for whatever a stack file may hold.

Their remedies are for whoever gave the settings: a stack file, a Python program, or another one's.

Every error type of pydantic that the settings can raise is raised, by a battery of wrong values at
every key. It does not prove that a sentence is a good one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from pulumi.errors import InputPropertiesError
from pydantic import ValidationError

from development.configuration_tables import all_keys
from langfuse_aws.automation.stack import InvalidSettingsError, LangfuseStack
from langfuse_aws.contract.variables import known
from langfuse_aws.settings import messages
from langfuse_aws.settings.image_lock import read_lock
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sign_in import PROVIDERS
from plugin.inputs import read

WRONG: Final[tuple[Any, ...]] = (
    None, True, -1, 1.5, 10**30, "1e999", "nan", "", "x y", "300Gi", "9" * 5000, "Ä", "x" * 300,
    "https://langfuse.example.com", [], ["x y", None, 3], {}, {"x": None}, {1: 2},
)  # fmt: skip
"""One of these is wrong for whatever kind of value a key has, and in every way there is."""

TAGS: Final = {
    "network": [{}, {"vpcId": "vpc-0123456789"}],
    "ingress": [{"kind": kind} for kind in ("alb", "apiGateway", "appRunner")],
    "clickhouse": [{"mode": mode} for mode in ("ec2", "external")],
    "postgres": [{"mode": mode} for mode in ("auroraServerless", "instance", "external")],
    "redis": [{"mode": mode} for mode in ("elasticache", "external")],
    "smtp": [{"mode": mode} for mode in ("ses", "smtp")],
}
"""What chooses each shape of a section that has several."""

PYDANTICS: Final = (
    "input should", "valid dictionary", "valid integer", "valid string", "valid number", "pattern",
    "unable to", "instance of", "object to extract", "value is not a valid", "keys should", "^",
)  # fmt: skip
"""Words of pydantic's, and of its rules."""


def within(names: list[str], value: Any) -> dict[str, Any]:
    """A value below some keys, each a section of the one before."""
    for name in reversed(names):
        value = {name: value}
    return value


def wrong_files() -> Iterator[dict[str, Any]]:
    """Stack files with one wrong value each: at every section, and at every key of every shape."""
    for path in [*Settings.model_json_schema(by_alias=True)["properties"]]:
        yield from ({path: value} for value in WRONG)
    for key in all_keys():
        section, *below = key.path.replace("NAME", "okta").split(".")
        for shape in TAGS.get(section, [{}]) if below else []:
            for value in WRONG:
                yield {section: {**shape, **within(below, value)}}


def wrong_together() -> Iterator[dict[str, Any]]:
    """The same, with one wrong value in each section: no fault hides another one's words."""
    sections: dict[str, list[Any]] = {}
    for values in wrong_files():
        for section, value in values.items():
            sections.setdefault(section, []).append(value)
    for number in range(max(map(len, sections.values()))):
        yield {name: found[number] for name, found in sections.items() if number < len(found)}


def lines_of(values: Mapping[str, Any]) -> list[str]:
    try:
        load({"size": "dev", **values})
    except SettingsError as error:
        return error.problems
    return []


def errors_of(values: Mapping[str, Any]) -> Iterator[str]:
    """The types of pydantic's errors."""
    try:
        Settings.model_validate({"size": "dev", **values})
    except ValidationError as error:
        yield from (each["type"] for each in error.errors())


def test_no_wrong_value_is_answered_in_pydantics_words() -> None:
    said = {
        f"{word}: {line}"
        for values in wrong_together()
        for line in lines_of(values)
        for word in PYDANTICS
        if word in line.lower() and word not in json.dumps(values, ensure_ascii=False).lower()
    }
    assert not said, f"{len(said)} lines, such as {sorted(said)[:3]}"


LINE: Final = re.compile(r"langfuse:\S+: .*\S\. \S.*[^. ]\.")
"""The key, what is wrong or the bound, and the remedy."""


def test_every_line_tells_key_bound_and_remedy_and_no_word_of_python() -> None:
    said = {line for values in wrong_together() for line in lines_of(values)}
    assert len(said) > 1000
    assert {line for line in said if not LINE.fullmatch(line)} == set()
    assert {line for line in said if re.search(r"\b(None|True|False|XX)\b", line)} == set()


@pytest.mark.parametrize("path", sorted({key.path for key in all_keys()}))
def test_no_key_takes_nothing_for_a_value(path: str) -> None:
    refused = {
        line
        for provider in (PROVIDERS if "NAME" in path else ["-"])
        for section, *below in [path.replace("NAME", provider).split(".")]
        for shape in (TAGS.get(section, [{}]) if below else [{}])
        for line in lines_of({section: {**shape, **within(below, "")} if below else ""})
        if line.startswith(f"langfuse:{path.replace('NAME', provider)}: ")
        if "exists only for" not in line
    }
    assert refused


def test_an_error_that_pydantic_has_not_had_yet_is_told_in_words_of_ours_too() -> None:
    unknown: Any = {"type": "of_tomorrow", "loc": ("domain",), "msg": "Input should", "input": "a"}
    assert messages.message(unknown) == (
        'langfuse:domain: "a": is not what this key takes. Set it with pulumi config set '
        "--path 'langfuse:domain' VALUE."
    )


def test_every_type_of_error_that_a_value_can_raise_has_words() -> None:
    raised = {kind for values in wrong_files() for kind in errors_of(values)}
    assert len(raised) > 15, "the battery raises what it is made for"
    assert raised <= messages.WORDED


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "clickhouse.volumeGib",
            "30",
            'langfuse:clickhouse.volumeGib: "30": is one key with a dot in its name, as pulumi '
            "config set writes it without --path. Mend it with pulumi config rm "
            "'langfuse:clickhouse.volumeGib' and pulumi config set --path "
            "'langfuse:clickhouse.volumeGib' 30.",
        ),
        (
            "allowReplace[0]",
            "a b",
            'langfuse:allowReplace[0]: "a b": is one key with a bracket in its name, as pulumi '
            "config set writes it without --path. Mend it with pulumi config rm "
            "'langfuse:allowReplace[0]' and pulumi config set --path 'langfuse:allowReplace[0]' "
            "'a b'.",
        ),
        (
            "webb.cpu",
            "512",
            "langfuse:webb.cpu: \"512\": unknown key; the nearest known one is web. Remove it, or "
            "correct its spelling.",
        ),
        (
            "postgres.password",
            "hush",
            "langfuse:postgres.password: is a secret, and stored in the clear here. Remove it, and "
            "set it with pulumi config set --secret langfuse:postgresPassword VALUE.",
        ),
        (
            "secretEnvironment.ADMIN_API_KEY",
            "hush",
            "langfuse:secretEnvironment.ADMIN_API_KEY: is one key with a dot in its name, and "
            "secretEnvironment is one JSON object. Remove it with pulumi config rm "
            "'langfuse:secretEnvironment.ADMIN_API_KEY', and set the object with pulumi config set "
            "--secret langfuse:secretEnvironment JSON.",
        ),
        (
            "auth.providers.okta.clientSecret",
            "hush",
            "langfuse:auth.providers.okta.clientSecret: is a secret, and stored in the clear here. "
            "Remove it, and put it into the secret key langfuse:authSecrets.",
        ),
        (
            "auth.clientSecret",
            "hush",
            "langfuse:auth.clientSecret: is one key with a dot in its name, as pulumi config set "
            "writes it without --path. Mend it with pulumi config rm 'langfuse:auth.clientSecret' "
            "and pulumi config set --path 'langfuse:auth.clientSecret' VALUE.",
        ),
    ],
)  # fmt: skip
def test_a_key_that_was_set_without_path_is_told_with_the_command_that_mends_it(
    key: str, value: str, line: str
) -> None:
    assert lines_of({key: value}) == [line]


@pytest.mark.parametrize(
    ("domain", "told"),
    [
        ("https://langfuse.example.com", "is a URL, and must be a host name. Write langfuse."),
        ("https://langfuse.example.com/", "is a URL, and must be a host name. Write langfuse."),
        ("langfuse.example.com/x", "has a path, and must be a host name. Write langfuse."),
        ("langfuse.example.com:443", "has a port, and must be a host name. Write langfuse."),
        ("langfuse.example.com.", "ends with a dot. Write langfuse.example.com."),
        ("Langfuse.Example.com", "has capital letters, and ours have none. Write langfuse."),
        ("example.com", "is a zone's own name: the program makes its record in the zone above"),
        ("localhost", "must be a host name below a zone, such as langfuse.example.com"),
        ("", "must be a host name below a zone, such as langfuse.example.com"),
        ("*.example.com", "must be a host name below a zone, such as langfuse.example.com"),
        (f"{'a' * 64}.example.com", "must be a host name below a zone"),
        (f"{'a.' * 130}example.com", "has 271 characters, and DNS allows 253"),
    ],
)
def test_a_domain_is_refused_for_what_is_wrong_with_it(domain: str, told: str) -> None:
    (line,) = lines_of({"domain": domain})
    assert f": {told}" in line


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"clickhouse": {"volumeGib": "300Gi"}},
            'langfuse:clickhouse.volumeGib: "300Gi": must be an integer, without a unit. Set it '
            "with pulumi config set --path 'langfuse:clickhouse.volumeGib' VALUE.",
        ),
        (
            {"clickhouse": {"volumeGib": {}}},
            "langfuse:clickhouse.volumeGib: {}: must be an integer. Remove it with pulumi config "
            "rm --path 'langfuse:clickhouse.volumeGib', then set it with pulumi config set --path "
            "'langfuse:clickhouse.volumeGib' VALUE.",
        ),
        (
            {"deletionProtection": None},
            "langfuse:deletionProtection: has no value, and must be true or false. Remove it, or "
            "set it with pulumi config set --path 'langfuse:deletionProtection' VALUE.",
        ),
        (
            {"web": None},
            "langfuse:web: has no value, and must be a section with keys of its own. Remove it, or "
            "set its keys with pulumi config set --path 'langfuse:web.KEY' VALUE.",
        ),
        (
            {"allowReplace": "langfuse-dev-redis"},
            'langfuse:allowReplace: "langfuse-dev-redis": must be a list. Remove it with pulumi '
            "config rm --path 'langfuse:allowReplace', then set each of it with pulumi config set "
            "--path 'langfuse:allowReplace[0]' VALUE.",
        ),
        (
            {"web": {"environment": ["A=b"]}},
            'langfuse:web.environment: ["A=b"]: must be names with texts. Remove it with pulumi '
            "config rm --path 'langfuse:web.environment', then set each of it with pulumi config "
            "set --path 'langfuse:web.environment.NAME' VALUE.",
        ),
        (
            {"network": {"vpcId": "vpc-0123456789", "privateSubnetIds": ["x"],
                         "publicSubnetIds": ["subnet-00000001", "subnet-00000002"]}},
            'langfuse:network.privateSubnetIds[0]: "x": must be the ID of a subnet, such as '
            "subnet-0123456789abcdef0. See aws ec2 describe-subnets, which shows the IDs.",
        ),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_told_what_it_must_be_and_how_it_gets_there(
    values: dict[str, Any], line: str
) -> None:
    assert lines_of(values) == [line]


SECRET_STORES: Final = {"postgres": {"mode": "external", "host": "db.example.com"}}
OF_CALLERS: Final[list[dict[str, Any]]] = [
    {},
    {"size": "big"},
    {"size": "dev", "clickhouse.volumeGib": 30},
    {"size": "dev", "web": 3},
    {"size": "dev", "allowReplace": "x"},
    {"size": "dev", "clickhouse": {"volumeGib": "300Gi"}},
    {"size": "dev", "postgres": {"password": "x"}},
    {"size": "dev", **SECRET_STORES},
    {"size": "dev", "smtp": {"mode": "smtp", "from": "a@example.com"}},
    {"size": "dev", "auth": {"providers": {"google": {"clientId": "g"}}}},
    {
        "size": "dev",
        "grafana": {"enabled": True, "clickhouseUser": "reader"},
        "clickhouse": {
            "mode": "external",
            "url": "https://a.example.com:8443",
            "migrationUrl": "clickhouse://a.example.com:9440",
        },
    },
]


@pytest.mark.parametrize("given", OF_CALLERS)
def test_a_program_that_gives_settings_is_sent_to_them_and_to_no_command(
    given: dict[str, Any],
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack("team-a", {"aws:region": "eu-west-1", **given}, offline=True)
    for line in caught.value.problems:
        assert "pulumi config" not in line
        assert "settings" in line or "secrets" in line or "write it as" in line.lower(), line


@pytest.mark.parametrize("given", OF_CALLERS)
def test_a_component_is_sent_to_its_arguments_and_to_no_command(given: dict[str, Any]) -> None:
    with pytest.raises(InputPropertiesError) as caught:
        read(given)
    assert "pulumi config" not in caught.value.message
    assert "langfuse:" not in caught.value.message


def test_a_dotted_key_of_a_program_is_written_nested() -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        LangfuseStack(
            "a",
            {"size": "dev", "aws:region": "eu-west-1", "clickhouse.volumeGib": 30},
            offline=True,
        )
    assert caught.value.problems == [
        "langfuse:clickhouse.volumeGib: 30: is one key with a dot in its name. Write it as "
        '{"clickhouse": {"volumeGib": 30}}.'
    ]


def test_no_variable_of_a_stack_file_is_answered_with_a_regular_expression() -> None:
    rows = {
        row.name: row
        for container in ("web", "worker")
        for row in known(container, 4).values()
        if row.kind == "pattern" and row.refusal is None
    }
    assert rows
    for name, row in rows.items():
        told = row.problem("ö /")
        assert told is not None, name
        assert row.constraint not in told
        assert told != "has another form than Langfuse takes", (
            f"{name} needs words in PATTERN_WORDS"
        )


def test_a_broken_lock_is_told_without_pydantics_words(tmp_path: Path) -> None:
    path = tmp_path / "images.lock.json"
    path.write_text('{"a:1": {"digest": "latest", "platforms": {}}}')
    with pytest.raises(ValueError, match=r"a:1\.digest: is not what images lock writes") as caught:
        read_lock(path)
    assert not any(word in str(caught.value).lower() for word in PYDANTICS)
