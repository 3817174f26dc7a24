"""What is read of a user's `customize.py`, and what becomes of its `transform`.

It proves which files are refused, and that the function is asked about a resource as it is. Mocks
run no transform: that one reaches the resources is shown by the engine tests.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from langfuse_aws.components import customization
from langfuse_aws.components.customization import customize

PULUMI = "import pulumi\n\n\n"
WRONG: Mapping[str, tuple[str, str]] = {
    "syntax": ("x = 1\ndef transform(:\n", ", line 2: SyntaxError: invalid syntax"),
    "import": ("\nimport nowhere\n", ", line 2: ModuleNotFoundError: No module named 'nowhere'"),
    "exit": ("raise SystemExit\n", ", line 1: SystemExit"),
    "nothing": ("TRANSFORM = 1\n", f": must define {customization.SIGNATURE}"),
    "no function": ("transform = 1\n", f": must define {customization.SIGNATURE}"),
    "no argument": ("def transform(): ...\n", f": must define {customization.SIGNATURE}"),
    "two arguments": ("def transform(a, b): ...\n", f": must define {customization.SIGNATURE}"),
}
"""What is in the file, and what is said of it."""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The transforms that are registered."""
    found: list[Any] = []
    monkeypatch.setattr(pulumi.runtime, "register_resource_transform", found.append)
    return found


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is said when the program is ended, and its exit status."""
    found: list[Any] = []

    def end(status: int) -> None:
        found.append(status)
        raise InterruptedError

    monkeypatch.setattr(pulumi.log, "error", found.append)
    monkeypatch.setattr(os, "_exit", end)
    return found


def write(folder: Path, content: str) -> Path:
    file = folder / "customize.py"
    file.write_text(content, encoding="utf-8")
    return file


def asked(transform: Any, **props: Any) -> pulumi.ResourceTransformResult | None:
    args = pulumi.ResourceTransformArgs(
        True, "aws:sns/topic:Topic", "langfuse-dev-alarms", props, pulumi.ResourceOptions()
    )
    return asyncio.run(transform(args))


def test_without_a_file_nothing_is_registered(tmp_path: Path, registered: list[Any]) -> None:
    customize(tmp_path)
    assert registered == []


@pytest.mark.parametrize("fault", list(WRONG))
def test_a_file_that_is_wrong_is_refused_with_its_line(
    fault: str, tmp_path: Path, registered: list[Any]
) -> None:
    content, said = WRONG[fault]
    file = write(tmp_path, content)
    with pytest.raises(pulumi.RunError) as refused:
        customize(tmp_path)
    assert str(refused.value) == f"{file}{said}. Correct it, or take the file away."
    assert registered == []


def test_a_link_to_nowhere_is_no_missing_file(tmp_path: Path, registered: list[Any]) -> None:
    (tmp_path / "customize.py").symlink_to(tmp_path / "gone.py")
    with pytest.raises(pulumi.RunError, match=r"customize\.py: FileNotFoundError: .*No such file"):
        customize(tmp_path)
    assert registered == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_transform_is_asked_about_each_resource(
    kind: str, tmp_path: Path, registered: list[Any]
) -> None:
    body = (
        '    if "kept" in args.props:\n        return None\n'
        '    props = {**args.props, "displayName": args.name}\n'
        "    return pulumi.ResourceTransformResult(props, args.opts)\n"
    )
    write(tmp_path, f"{PULUMI}{kind} transform(args, *, more=1):\n{body}")
    customize(tmp_path)
    (transform,) = registered
    changed = asked(transform, a=1)
    assert changed
    assert changed.props == {"a": 1, "displayName": "langfuse-dev-alarms"}
    assert asked(transform, kept=True) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "return args.props",
            ": aws:sns/topic:Topic langfuse-dev-alarms: transform returns dict, and must return a "
            "pulumi.ResourceTransformResult, or None to leave it as it is",
        ),
        (
            'return args.props["tags"]',
            ", line 2: aws:sns/topic:Topic langfuse-dev-alarms: KeyError: 'tags'",
        ),
        (
            "raise SystemExit(3)",
            ", line 2: aws:sns/topic:Topic langfuse-dev-alarms: SystemExit: 3",
        ),
        (
            "import pulumi; return pulumi.ResourceTransformResult(None, args.opts)",
            ": aws:sns/topic:Topic langfuse-dev-alarms: transform returns NoneType as the inputs, "
            "and must return all of them, args.props with what is changed",
        ),
        (
            "import pulumi; return pulumi.ResourceTransformResult({}, {})",
            ": aws:sns/topic:Topic langfuse-dev-alarms: transform returns dict as the options, and "
            "must return args.opts, or a pulumi.ResourceOptions",
        ),
    ],
)
def test_a_transform_that_fails_ends_the_program_with_one_message(
    body: str, said: str, tmp_path: Path, registered: list[Any], stopped: list[Any]
) -> None:
    file = write(tmp_path, f"def transform(args):\n    {body}\n")
    customize(tmp_path)
    with pytest.raises(InterruptedError):
        asked(registered[0])
    assert stopped == [f"{file}{said}. Correct it, or take the file away.", 32]


def test_the_example_is_one_that_is_taken(tmp_path: Path, registered: list[Any]) -> None:
    example = Path(__file__).parents[3] / "examples" / "customize.py"
    write(tmp_path, example.read_text(encoding="utf-8"))
    customize(tmp_path)
    assert asked(registered[0], name="x") is None, "a topic stays as it is"
