"""`graph`, the command, and the files that it writes.

It proves which graph is drawn in which format into which file, and that every error is one line.
The engine is left out: the stack answers with a recorded graph, and so is Graphviz but for one
test, which needs it. That its pictures look as they should is not tried.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.cli import graph as graph_command
from langfuse_aws.automation.errors import UserError
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.dot import dot
from langfuse_aws.graph.grouping import Detail
from langfuse_aws.graph.mermaid import mermaid
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.graph.picture import nodes_of

SVG = "{http://www.w3.org/2000/svg}"


def recorded_stack(name: str) -> ResourceGraph:
    return recorded(name, shipped_config(name))


class FakeLangfuseStack:
    """Stands in for `LangfuseStack`."""

    asked: list[Mapping[str, Any]] = []  # noqa: RUF012

    def __init__(self, name: str, **more: Any) -> None:
        self.asked.append({"name": name, **more})

    def __enter__(self) -> "FakeLangfuseStack":
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.append({"closed": True})

    def planned(self) -> ResourceGraph:
        """As `up` would make it."""
        return recorded_stack("prod")

    def deployed(self) -> ResourceGraph:
        """As the state has it."""
        return recorded_stack("dev")


STAND_IN = """#!/bin/sh
echo "$@"
exec cat
"""
"""A Graphviz that prints its arguments and what it reads."""
WITHOUT = (
    "is drawn by Graphviz, whose program dot is not on PATH. Install it (apt-get install graphviz, "
    "brew install graphviz, https://graphviz.org/download/), or take --format mermaid or "
    "--format dot."
)


@pytest.fixture
def graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for Graphviz on PATH, before all others."""
    return stand_in(tmp_path / "bin", STAND_IN, monkeypatch)


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    program = folder / "dot"
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return program


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLangfuseStack, "asked", [])
    monkeypatch.setattr(graph_command, "LangfuseStack", FakeLangfuseStack)


def graph(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["graph", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def refused(*arguments: str, exit_code: int = 1) -> str:
    result = graph(*arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    (line,) = result.stderr.splitlines()
    return line


def test_it_prints_mermaid_of_what_would_be_deployed_and_leaves_nothing_behind() -> None:
    result = graph("--stack", "prod")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == mermaid(architecture(recorded_stack("prod"))) + "\n"
    asked, closed = FakeLangfuseStack.asked
    assert (asked["name"], asked["offline"], closed) == ("prod", True, {"closed": True})


def test_it_draws_what_is_deployed_when_asked_to(tmp_path: Path) -> None:
    result = graph("--deployed", "--stack", "dev", "--dir", str(tmp_path))
    assert result.stdout == mermaid(architecture(recorded_stack("dev"))) + "\n"
    assert FakeLangfuseStack.asked[0] == {"name": "dev", "project": tmp_path, "offline": False}


@pytest.mark.usefixtures("graphviz")
def test_the_format_is_the_ending_of_the_file_unless_it_is_given(tmp_path: Path) -> None:
    picture = architecture(recorded_stack("prod"))
    flowchart, written = mermaid(picture) + "\n", dot(picture) + "\n"
    for name, more, text in (
        ("a.mmd", (), flowchart),
        ("a.MERMAID", (), flowchart),
        ("a.dot", (), written),
        ("a.gv", (), written),
        ("a.svg", (), f"-Tsvg\n{dot(picture)}"),
        ("a.png", (), f"-Tpng -Gdpi=150\n{dot(picture)}"),
        ("a.txt", ("--format", "svg"), f"-Tsvg\n{dot(picture)}"),
    ):
        file = tmp_path / name
        result = graph("--output", str(file), *more)
        assert (result.exit_code, result.stdout) == (0, f"wrote {file}\n"), name
        assert file.read_text(encoding="utf-8") == text, name
    assert graph("--format", "svg").stdout == f"-Tsvg\n{dot(picture)}"
    assert graph("--format", "dot").stdout == written


def test_every_resource_is_drawn_when_asked_for() -> None:
    printed = graph("--detail", "resources", "--format", "dot").stdout
    assert printed == dot(architecture(recorded_stack("prod"), "resources")) + "\n"
    assert "IAM role policy: web-execution, web-task" in printed


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not on PATH")
@pytest.mark.parametrize("detail", ["components", "resources"])
def test_graphviz_draws_every_node_frame_and_label(detail: Detail) -> None:
    result = graph("--format", "svg", "--detail", detail)
    assert (result.exit_code, result.stderr) == (0, "")
    picture = architecture(recorded_stack("prod"), detail)
    root = ElementTree.fromstring(result.stdout)  # noqa: S314
    texts = [each.text for each in root.iter(f"{SVG}text")]
    for node in nodes_of(picture.children):
        assert {node.title, *node.details} <= set(texts)
    labels = [label for (_, label, _), _ in picture.grouped_arrows()]
    assert sorted(labels) == sorted(each for each in texts if each in labels)
    kinds = [each.get("class") for each in root.iter(f"{SVG}g")]
    assert kinds.count("cluster") == dot(picture).count("subgraph cluster_")


def test_a_picture_without_graphviz_is_one_line_before_anything_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("svg", "png"):
        assert refused("--output", f"a.{name}") == f"error: --format {name}: {WITHOUT}"
    assert FakeLangfuseStack.asked == []
    assert graph("--format", "dot").exit_code == 0


def test_what_graphviz_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = '#!/bin/sh\ncat >/dev/null\nprintf "Format: png\\nnot recognized\\n" >&2\nexit 3\n'
    program = stand_in(tmp_path / "bin", script, monkeypatch)
    file = tmp_path / "a.png"
    assert refused("--output", str(file)) == (
        f"error: --format png: {program} ended with 3: Format: png not recognized"
    )
    assert not file.exists()


def test_what_cannot_be_done_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused("--output", "a.txt", exit_code=2) == (
        "error: --output a.txt: its ending says no format. Add --format, one of mermaid, dot, svg, "
        "png."
    )
    assert refused("--format", "png", exit_code=2) == (
        "error: --format png: is not for a terminal. Name a file with --output FILE."
    )
    missing = tmp_path / "none" / "a.dot"
    assert refused("--output", str(missing)) == (
        f"error: --output {missing}: cannot be written: No such file or directory."
    )

    def nothing(_: FakeLangfuseStack) -> ResourceGraph:
        return ResourceGraph(())

    monkeypatch.setattr(FakeLangfuseStack, "deployed", nothing)
    assert refused("--deployed", "--stack", "dev") == (
        "error: stack dev: nothing is deployed: up first, or leave out --deployed."
    )

    def fails(_: FakeLangfuseStack) -> ResourceGraph:
        raise UserError("the preview failed.")

    monkeypatch.setattr(FakeLangfuseStack, "planned", fails)
    assert refused() == "error: the preview failed."
