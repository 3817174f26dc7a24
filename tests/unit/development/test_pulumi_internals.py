"""What Pulumi documents nowhere is as the program takes it to be, and each use of it is listed.

It proves that names and parameters are there. What a function does with them is what the tests
that use it are about.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from google.protobuf.message import Message
from pulumi.runtime import rpc
from pulumi_policy import proxy

from development.pulumi_internals import INTERNALS, MESSAGE, SEEN_IN
from langfuse_aws.graph import model
from langfuse_aws.offline import unknown, wire
from langfuse_aws.policy.pack import TYPED_MARKS

ROOT: Final = Path(__file__).parents[3]
NOT_THE_PROGRAM: Final = ("tests", ".venv", "examples")
DOCUMENTED: Final = (
    "pulumi",
    "pulumi.automation",
    "pulumi.automation.events",
    "pulumi.errors",
    "pulumi.log",
    "pulumi.provider",
    "pulumi.runtime",
    "pulumi_policy",
)
"""https://www.pulumi.com/docs/reference/pkg/python/pulumi/ has these modules' names."""

LISTED: Final = [
    (internal.module, name, shape)
    for internal in INTERNALS
    for name, shape in internal.names.items()
]


def shape_of(found: Any) -> str:
    if inspect.isclass(found) and issubclass(found, Message):
        return MESSAGE
    if callable(found):
        return f"({', '.join(inspect.signature(found).parameters)})"
    return type(found).__name__


def test_an_internal_of_pulumi_is_there_and_takes_what_it_took() -> None:
    other: list[str] = []
    for module, name, shape in LISTED:
        package = module.split(".")[0]
        try:
            found = shape_of(attrgetter(name)(importlib.import_module(module)))
        except (AttributeError, ImportError):
            found = "not there"
        if found != shape:
            releases = f"{shape} in {package} {SEEN_IN[package]}, {found} in {version(package)}"
            other.append(f"{module}.{name}: {releases}")
    assert not other, "see who uses it, then development/pulumi_internals.py"


def sources() -> Iterator[Path]:
    for path in sorted(ROOT.iterdir()):
        if path.name not in NOT_THE_PROGRAM:
            yield from [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def is_documented(module: str, name: str) -> bool:
    if name.startswith("_"):
        return False
    found = getattr(importlib.import_module(module), name)
    return any(getattr(importlib.import_module(each), name, None) is found for each in DOCUMENTED)


def used(path: Path) -> Iterator[tuple[str, str]]:
    """Each name of Pulumi's packages that a file uses, with the module that it is taken from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: dict[str, ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                if each.name.split(".")[0] in SEEN_IN:
                    name = each.name if each.asname else each.name.split(".")[0]
                    modules[each.asname or name] = importlib.import_module(name)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in SEEN_IN:
            module = importlib.import_module(node.module or "")
            for each in node.names:
                found = getattr(module, each.name)
                if isinstance(found, ModuleType):
                    modules[each.asname or each.name] = found
                else:
                    yield module.__name__, each.name
    for node in ast.walk(tree):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id in modules:
            module = modules[node.id]
            while isinstance(inner := getattr(module, names[0]), ModuleType) and names[1:]:
                module, names = inner, names[1:]
            if not isinstance(inner, ModuleType):
                private = [name for name in names[1:2] if name.startswith("_")]
                yield module.__name__, ".".join([names[0], *private])


def test_every_use_of_what_pulumi_does_not_document_is_listed() -> None:
    listed = {(module, name) for module, name, _ in LISTED}
    missing: list[str] = []
    for path in sources():
        for module, name in used(path):
            first = name.split(".")[0]
            private = name != first or not is_documented(module, first)
            if private and (module, name) not in listed:
                missing.append(f"{path.relative_to(ROOT)} uses {module}.{name}")
    assert not missing, f"development/pulumi_internals.py has no row for it: {sorted(missing)}"


def test_the_marks_that_are_written_here_again_are_pulumis() -> None:
    assert unknown.UNKNOWN == model.UNKNOWN == rpc.UNKNOWN
    assert wire.secret("x") == {rpc._special_sig_key: rpc._special_secret_sig, "value": "x"}  # pyright: ignore
    listed = {
        name
        for internal in INTERNALS
        if internal.module == "pulumi_policy.proxy"
        for name in internal.names
    }
    assert {vars(proxy)[name] for name in listed} == TYPED_MARKS
