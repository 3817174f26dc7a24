"""The schema of the component for other languages.

It proves that the schema is the settings, each told of, and that the programs of the documentation
pass it. That arguments are read as the schema says is the business of `test_inputs`.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from development.configuration_tables import all_keys
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from plugin.provider import LangfuseProvider

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parents[1] / "golden" / "plugin_schema.json"
GUIDE = (ROOT / "docs/other-languages.md").read_text(encoding="utf-8")
TOKEN = "langfuse:index:Langfuse"
Tree = Mapping[str, Any]


@cache
def schema() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(LangfuseProvider().schema or ""))


def test_the_schema_is_the_one_that_programs_were_generated_from() -> None:
    text = json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert schema() == json.loads(GOLDEN.read_text(encoding="utf-8")), (
        "programs depend on it; if the change is meant, write it again with "
        "UPDATE_GOLDEN=1 pytest tests/unit/plugin/test_schema.py"
    )


def properties(owner: Tree, kind: str = "properties") -> Iterator[tuple[str, Tree]]:
    """Every property below a resource or a type, with its path."""
    for name, found in cast("Tree", owner.get(kind, {})).items():
        yield name, found
        ref = (found.get("additionalProperties") or found).get("$ref", "")
        below = schema()["types"].get(ref.rpartition("/")[2], {})
        middle = f"{name}.NAME" if "additionalProperties" in found else name
        yield from ((f"{middle}.{path}", each) for path, each in properties(below))


def arguments() -> dict[str, Tree]:
    return dict(properties(schema()["resources"][TOKEN], "inputProperties"))


def test_there_is_one_component_and_every_property_and_type_of_it_is_told_of() -> None:
    assert list(schema()["resources"]) == [TOKEN]
    resource = schema()["resources"][TOKEN]
    told = {**arguments(), **dict(properties(resource)), **schema()["types"], TOKEN: resource}
    assert [path for path, each in told.items() if not each.get("description")] == []


def test_the_arguments_are_the_keys_of_the_configuration() -> None:
    keys = {key.path for key in all_keys()}
    sections = {path.rpartition(".")[0] for path in keys if "." in path} - {"auth.providers.NAME"}
    assert set(arguments()) == keys | sections | set(SECRET_KEYS)


def test_secrets_may_be_outputs_and_nothing_else_may() -> None:
    def is_plain(found: Tree) -> bool:
        return bool((found.get("additionalProperties") or found).get("plain"))

    assert {path for path, found in arguments().items() if not is_plain(found)} == set(SECRET_KEYS)


def test_only_the_size_must_be_set() -> None:
    assert schema()["resources"][TOKEN]["requiredInputs"] == ["size"]


def test_a_key_is_required_in_its_section_if_every_shape_of_the_section_needs_it() -> None:
    required = {
        name.rpartition(":")[2]: found["required"]
        for name, found in schema()["types"].items()
        if found.get("required")
    }
    assert required == {
        "Alarms": ["email"],
        "AuthProvider": ["clientId"],
        "Bootstrap": ["userEmail"],
        "Hours": ["from", "timezone", "to"],
        "Smtp": ["from"],
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Size", ["dev", "staging", "prod"]),
        ("NetworkEgress", ["none", "natInstance", "natGateway", "natGatewayPerZone", "endpoints"]),
        ("PostgresMode", ["auroraServerless", "instance", "external"]),
        ("V4WriteMode", ["legacy", "dual", "events_only"]),
    ],
)
def test_a_choice_of_words_is_an_enumeration(path: str, words: list[str]) -> None:
    found = schema()["types"][f"langfuse:index:{path}"]["enum"]
    assert [each["value"] for each in found] == words


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("clickhouse.replicas", {"type": "integer"}),
        ("postgres.minAcu", {"type": "number"}),
        ("storage.versioningDays", {"type": "integer"}),
        ("ingress.internal", {"type": "boolean"}),
        ("network.privateSubnetIds", {"type": "array"}),
        ("web.environment", {"type": "object"}),
        ("ingress.waf", {"$ref": "#/types/langfuse:index:IngressWaf"}),
    ],
)
def test_a_value_has_the_type_of_its_setting(path: str, kind: Tree) -> None:
    found = arguments()[path]
    assert {key: found[key] for key in ("type", "$ref") if key in found} == kind


def test_the_yaml_program_of_the_guide_passes_the_schema_and_the_settings() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    program = yaml.safe_load(text)
    ((name, resource),) = program["resources"].items()
    given = resource["properties"]
    assert resource["type"] == TOKEN
    assert set(paths(given)) <= set(arguments())
    values = {**given, "postgresPassword": "stand-in"}
    settings = load(values)
    assert settings.domain == given["domain"]
    outputs = schema()["resources"][TOKEN]["properties"]
    used = re.findall(rf"\${{{name}\.(\w+)}}", json.dumps(program["outputs"]))
    assert used
    assert set(used) <= set(outputs)
    assert given["postgresPassword"] == f"${{{next(iter(program['config']))}}}"


def paths(value: Tree, above: str = "") -> Iterator[str]:
    for key, below in value.items():
        yield f"{above}{key}"
        if isinstance(below, Mapping):
            yield from paths(cast("Tree", below), f"{above}{key}.")
