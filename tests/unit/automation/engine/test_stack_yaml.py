"""Stack files are read as Pulumi reads them, and each key has its line.

What Pulumi makes of a value was seen with `pulumi config --json` of 3.250.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from langfuse_aws.automation.engine.offline_workspace import OfflineStackError, read_any_yaml
from langfuse_aws.automation.engine.stack_yaml import Loader, lines_of_keys, place


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("y", "y"), ("true", True), ("False", False),
        ("1:30", "1:30"), ("2026-01-02", "2026-01-02"), ("300", 300), ("-7", -7), ("1_000", 1000),
        ("0x1F", 31), ("0o17", 15), ("017", 15), ("08", 8.0), ("0", 0), ("1.50", 1.5), (".5", 0.5),
        ("1e3", 1000.0), ("300Gi", "300Gi"), ("3.1.4", "3.1.4"), ("~", None), ("", None),
        ("'300'", "300"), ("1.", 1.0), (".inf", float("inf")), ("+", "+"), (".", "."),
        ("0b__", "0b__"), ("0x_", "0x_"), ("0o", "0o"), ("0b_1_0", 2), ("0x_F", 15),
    ],
)  # fmt: skip
def test_a_value_is_what_pulumi_makes_of_it(text: str, value: Any) -> None:
    found = yaml.load(f"a: {text}", Loader)["a"]  # noqa: S506 -- a SafeLoader
    assert (found, type(found)) == (value, type(value))


def refused(folder: Path, text: str) -> str:
    """What is said of a stack file that cannot be read, behind its name."""
    path = folder / "Pulumi.dev.yaml"
    path.write_text(text)
    with pytest.raises(OfflineStackError) as caught:
        read_any_yaml(path)
    before, begin, told = str(caught.value).partition(f"{path}: is not YAML: ")
    assert (before, bool(begin)) == ("", True)
    return told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key a is in line 1 already. Correct it:\n"),
        ("a:\n  b: 1\n  'b': 2\n", "line 3, column 3: the key b is in line 2 already."),
    ],
)
def test_a_key_that_is_there_twice_is_told_with_both_lines(
    tmp_path: Path, text: str, told: str
) -> None:
    assert refused(tmp_path, text).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n  b: !!int three\n", "line 2, column 6: that is no int. Correct it:\n"),
        ("a: !!bool maybe", "line 1, column 4: that is no bool."),
        ("a: !!float 1,5", "line 1, column 4: that is no float."),
        ("a: !!timestamp today", "line 1, column 4: that is no timestamp."),
        (f"a: {'9' * 5000}", "line 1, column 4: that is no int."),
        ("a: &x {b: *x}", "line 1, column 4: the anchor is within itself."),
        ("a: &x [1, *x]", "line 1, column 4: the anchor is within itself."),
        ("a: " + "[" * 5000 + "]" * 5000, "it has parts within parts without end. Correct it."),
        (r'a: "\ud800"', "line 1, column 4: half of a character, by \\u or \\U."),
    ],
    ids=lambda text: text[:20],
)
def test_what_no_value_can_be_made_of_is_told_with_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    assert refused(tmp_path, text).startswith(told)


def test_anchors_and_merges_are_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  a: 3\nz: *x\n")
    found = {"x": {"a": 1, "b": 2}, "y": {"a": 3, "b": 2}, "z": {"a": 1, "b": 2}}
    assert read_any_yaml(path) == found


FILE = """\
# a comment
encryptionsalt: v1:x
langfuse:domain: beside
config:

  size: dev
  langfuse:config:release: latest
  langfuse:web: {cpu: 3,
    environment: {A: b}}
  langfuse:web.cpu: "3"
  langfuse:allowReplace:
    - a
    - b c
  langfuse:loop: &loop
    again: *loop
"""


@pytest.mark.parametrize(
    ("problem", "key", "line"),
    [
        ("langfuse:size: dev", "langfuse:size", 6),
        ("langfuse:release: is wrong", "langfuse:release", 7),
        ("langfuse:web.cpu: 3: must be more", "langfuse:web.cpu", 8),
        ('langfuse:web.cpu: "3": is one key with a dot in its name', "langfuse:web.cpu", 10),
        ("langfuse:web.environment.A: is unknown", "langfuse:web.environment.A", 9),
        ("langfuse:web.memory: is not set", "langfuse:web.memory", 8),
        ("langfuse:web.environment.B.c: is not set", "langfuse:web.environment.B.c", 9),
        ("langfuse:allowReplace[1]: is no name", "langfuse:allowReplace[1]", 13),
        ("langfuse:allowReplace[7]: is no name", "langfuse:allowReplace[7]", 11),
        ("langfuse:domain: stands beside config", "langfuse:domain", 3),
        ("langfuse:loop.again: is a loop", "langfuse:loop.again", 15),
        ("langfuse:postgresPassword: is not set", "langfuse:postgresPassword", None),
        ("langfuse:webb: is not set", "langfuse:webb", None),
    ],
)
def test_a_mistake_has_the_line_of_its_key_or_of_its_section(
    tmp_path: Path, problem: str, key: str, line: int | None
) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(FILE)
    assert place(problem, lines_of_keys(path)) == (key, line)


@pytest.mark.parametrize("text", ["config: {\n", "", "- a\n", "config: dev\n"])
def test_what_cannot_be_read_has_no_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    assert place("langfuse:size: is not set", lines_of_keys(path)) == ("langfuse:size", None)
    assert lines_of_keys(tmp_path / "nowhere") == {}
