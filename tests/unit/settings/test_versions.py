"""A release of what the program runs is one line of `langfuse_aws/settings/versions.py`.

Proves that no test compares with a default's number, that no command and no generated part of a
page has one, and that what is written by hand about the sources that were read names those. It does
not prove that a new release does what the old one did.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest

from development import docs
from langfuse_aws.settings import versions
from tests.releases import READ
from tests.unit.development.test_docs import DOCUMENTS, ROOT, code_of, text_of

DEFAULTS: Final = {
    name: getattr(versions, name)
    for name in ("LANGFUSE", "LANGFUSE_3", "CLICKHOUSE", "GRAFANA", "GRAFANA_CLICKHOUSE")
}
NUMBER: Final = re.compile(rf"(?<![\d.])({'|'.join(map(re.escape, DEFAULTS.values()))})(?!\.?\d)")
LINK_TARGET: Final = re.compile(r"\]\([^)\s]+\)")
TESTS: Final = sorted((ROOT / "tests").rglob("*.py"))


def strings(text: str) -> Iterator[str]:
    """The strings of a program that are no docstrings."""
    tree = ast.parse(text)
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def test_each_default_is_a_number_of_a_release() -> None:
    others = {name: each for name, each in DEFAULTS.items() if not re.fullmatch(r"[\d.]+", each)}
    assert others == {}


def test_no_test_has_the_number_of_a_default() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in TESTS}
    found = [
        f"{path.relative_to(ROOT)}: {string!r}"
        for path, text in texts.items()
        if NUMBER.search(text)
        for string in strings(text)
        if NUMBER.search(string)
    ]
    assert not found, "import the constant, or READ of tests/releases.py"


def test_the_number_is_found_in_a_string_and_not_in_what_is_told() -> None:
    text = f'"""Seen with {versions.LANGFUSE}."""\nIMAGE = f"web:{{1}}:{versions.LANGFUSE}"\n'
    assert [each for each in strings(text) if NUMBER.search(each)] == [f":{versions.LANGFUSE}"]


def test_no_command_of_a_page_has_the_number_of_a_default() -> None:
    found = [
        f"{document.relative_to(ROOT)}: {code}"
        for document in DOCUMENTS
        if document.name != "CHANGELOG.md"
        for code in code_of(document)
        if NUMBER.search(code)
    ]
    assert not found, "write X.Y.Z, or link langfuse_aws/settings/versions.py"


def test_no_generated_part_has_the_number_of_a_default() -> None:
    found = {
        (file, name)
        for file in docs.PARTS
        for name in docs.PARTS[file]
        if NUMBER.search(LINK_TARGET.sub("", part_of(file, name)))
    }
    assert not found, "a pull request that moves it would have to run make docs"
    whole = {file for file in docs.FILES if NUMBER.search(text_of(ROOT / file))}
    assert not whole


def part_of(file: str, name: str) -> str:
    text = text_of(ROOT / file)
    return text.partition(f"<!-- {name}:begin -->")[2].partition(f"<!-- {name}:end -->")[0]


@pytest.mark.parametrize("page", ["docs/configuration.md", "docs/upgrade.md"])
def test_a_page_names_the_releases_that_the_variables_were_read_off(page: str) -> None:
    told = re.findall(r"read off (?:the sources of )?(\d\S+\d) and (\d\S+\d)", text_of(ROOT / page))
    assert told == [(READ[3], READ[4])]
