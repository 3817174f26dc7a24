"""Imports point one way, between packages and between the rooms of a package.

It reads the source, so an import inside of a function counts as well.
"""

import ast
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from automation import stack as of_a_clone
from langfuse_aws.automation.stack import LangfuseStack

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = "langfuse_aws"
MAY_IMPORT: Final[Mapping[str, set[str]]] = {
    "contract": set(),
    "settings": {"contract"},
    "graph": set(),
    "cost": {"contract", "graph"},
    "review": {"cost", "graph"},
    "policy": {"contract", "graph", "settings"},
    "components": {"contract", "cost", "graph", "settings"},
    "offline": set(),
    "automation": {
        *("contract", "settings", "graph", "cost", "review", "policy", "components", "offline"),
    },
}


@cache
def imported(path: Path) -> list[str]:
    """The full names of what a file imports; of `from a import b`, `a.b`."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            found += [each.name for each in node.names]
    return found


@cache
def modules() -> dict[str, Path]:
    """Each module of the product with its file."""
    found = {
        path.relative_to(ROOT): path
        for folder in (PRODUCT, "components")
        for path in (ROOT / folder).rglob("*.py")
        if not path.is_relative_to(ROOT / PRODUCT / "components")
    }
    return {
        ".".join(
            (file if file.parts[0] == PRODUCT else Path(PRODUCT, file)).with_suffix("").parts
        ).removesuffix(".__init__"): path
        for file, path in found.items()
    }


@cache
def between(depth: int) -> dict[str, dict[str, set[str]]]:
    """What imports what, by the first `depth` names below the product, with the modules."""
    known = modules()
    arrows: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for module, path in known.items():
        here = ".".join(module.split(".")[1 : depth + 1])
        for name in imported(path):
            target = name if name in known else name.rpartition(".")[0]
            there = ".".join(target.split(".")[1 : depth + 1])
            if target.startswith(f"{PRODUCT}.") and there != here:
                arrows[here][there].add(f"{module} imports {target}")
    return arrows


def test_every_package_has_its_arrows() -> None:
    packages = {each.split(".")[1] for each in modules() if each.count(".")}
    assert packages == set(MAY_IMPORT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    wrong = {
        line
        for there, lines in between(1)[package].items()
        if there not in MAY_IMPORT[package]
        for line in lines
    }
    assert wrong == set()


def test_nothing_of_the_product_knows_the_repository_around_it() -> None:
    around = {"automation", "components", "development", "examples", "plugin", "tests"}
    wrong = {
        f"{module} imports {name}"
        for module, path in modules().items()
        for name in imported(path)
        if name.split(".")[0] in around
    }
    assert wrong == set()


def test_the_librarys_name_in_a_clone_is_the_packages_own() -> None:
    for name in of_a_clone.__all__:
        found = getattr(of_a_clone, name)
        assert getattr(found, "__module__", PRODUCT).startswith(PRODUCT) or name == "Event"
    assert of_a_clone.LangfuseStack is LangfuseStack


def test_a_component_has_one_name() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for folder in ("automation", "development", "examples", "plugin", "policy", "tests")
        for path in [ROOT / "__main__.py", *(ROOT / folder).rglob("*.py")]
        for name in imported(path)
        if name.split(".")[0] == "components"
    }
    assert wrong == set()


def test_rooms_import_each_other_in_one_direction() -> None:
    arrows = between(2)
    try:
        TopologicalSorter({here: set(there) for here, there in arrows.items()}).prepare()
    except CycleError as error:
        way = list(reversed(error.args[1]))
        pairs = pairwise(way)
        pytest.fail("\n".join(sorted(line for a, b in pairs for line in arrows[a][b])))
