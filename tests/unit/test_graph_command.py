"""`graph`, the command, and the files that it writes.

It proves which graph is drawn in which format into which file, and that every error is one line.
The engine is left out: the stack answers with a recorded graph. That the SVG and the PNG look as
they should is not tried; `test_layout` has where things are.
"""

import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.cli import graph as graph_command
from langfuse_aws.automation.plan import UserError
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.colours import DARK, LIGHT
from langfuse_aws.graph.layout import layout
from langfuse_aws.graph.mermaid import mermaid
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.graph.picture import Node, Picture
from langfuse_aws.graph.png import SCALE
from langfuse_aws.graph.svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def recorded_stack(name: str) -> ResourceGraph:
    return recorded(name, shipped_config(name))


class Stack:
    """Stands in for `LangfuseStack`."""

    asked: list[Mapping[str, Any]] = []  # noqa: RUF012

    def __init__(self, name: str, **more: Any) -> None:
        self.asked.append({"name": name, **more})

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.append({"closed": True})

    def planned(self) -> ResourceGraph:
        """As `up` would make it."""
        return recorded_stack("prod")

    def deployed(self) -> ResourceGraph:
        """As the state has it."""
        return recorded_stack("dev")


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "asked", [])
    monkeypatch.setattr(graph_command, "LangfuseStack", Stack)


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
    asked, closed = Stack.asked
    assert (asked["name"], asked["offline"], closed) == ("prod", True, {"closed": True})


def test_it_draws_what_is_deployed_when_asked_to(tmp_path: Path) -> None:
    result = graph("--deployed", "--stack", "dev", "--dir", str(tmp_path))
    assert result.stdout == mermaid(architecture(recorded_stack("dev"))) + "\n"
    assert Stack.asked[0] == {"name": "dev", "project": tmp_path, "offline": False}


def test_the_format_is_the_ending_of_the_file_unless_it_is_given(tmp_path: Path) -> None:
    drawing = layout(architecture(recorded_stack("prod")))
    flowchart = mermaid(architecture(recorded_stack("prod"))) + "\n"
    for name, more, text in (
        ("a.svg", (), svg(drawing)),
        ("a.mmd", (), flowchart),
        ("a.MERMAID", (), flowchart),
        ("a.txt", ("--format", "svg"), svg(drawing)),
    ):
        file = tmp_path / name
        result = graph("--output", str(file), *more)
        assert (result.exit_code, result.stdout) == (0, f"wrote {file}\n")
        assert file.read_text(encoding="utf-8") == text
    assert graph("--format", "svg").stdout == svg(drawing)


def test_every_resource_is_drawn_when_asked_for() -> None:
    printed = graph("--detail", "resources", "--format", "svg").stdout
    assert printed == svg(layout(architecture(recorded_stack("prod"), "resources")))
    assert "IAM role policy: web-execution, web-task" in printed


def test_an_svg_is_well_formed_and_has_every_text_box_line_and_both_sets_of_colours() -> None:
    drawing = layout(architecture(recorded_stack("prod")))
    text = svg(drawing)
    root = ElementTree.fromstring(text)  # noqa: S314
    assert (root.get("width"), root.get("height")) == (
        f"{drawing.width:.1f}",
        f"{drawing.height:g}",
    )
    assert [each.text for each in root.iter(f"{SVG}text")] == [t.text for t in drawing.texts]
    assert len(list(root.iter(f"{SVG}rect"))) == len(drawing.boxes)
    assert len(list(root.iter(f"{SVG}path"))) == len(drawing.lines)
    assert len(list(root.iter(f"{SVG}polygon"))) == sum(line.head for line in drawing.lines)
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    assert all(colour in light for colour in (*LIGHT.stores, *LIGHT.fills.values()))
    assert all(colour in dark for colour in (*DARK.stores, *DARK.fills.values()))
    used = {name for each in root.iter() for name in (each.get("class") or "").split()}
    assert all(f".{name}" in dark for name in used - {"heading", "title", "label", "line"})


def test_text_that_xml_would_take_for_its_own_is_escaped() -> None:
    drawing = layout(Picture("a<b", (Node("n", "<R&D>", ('say "no"',)),), ()))
    root = ElementTree.fromstring(svg(drawing))  # noqa: S314
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert texts[:3] == ["a<b", "<R&D>", 'say "no"']
    assert root.findtext(f"{SVG}title") == "a<b"


def test_a_png_is_a_picture_of_the_drawing_at_twice_its_size(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    assert graph("--output", str(file)).exit_code == 0
    content = file.read_bytes()
    drawing = layout(architecture(recorded_stack("prod")))
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (int(drawing.width * SCALE), int(drawing.height * SCALE))


def test_what_cannot_be_done_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused("--output", "a.txt", exit_code=2) == (
        "error: --output a.txt: its ending says no format. Add --format, one of mermaid, svg, png."
    )
    assert refused("--format", "png", exit_code=2) == (
        "error: --format png: is not for a terminal. Name a file with --output FILE."
    )
    missing = tmp_path / "none" / "a.svg"
    assert refused("--output", str(missing)) == (
        f"error: --output {missing}: cannot be written: No such file or directory."
    )
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert refused("--output", str(tmp_path / "a.png")) == (
        "error: --format png needs matplotlib: pip install matplotlib"
    )

    def nothing(_: Stack) -> ResourceGraph:
        return ResourceGraph(())

    monkeypatch.setattr(Stack, "deployed", nothing)
    assert refused("--deployed", "--stack", "dev") == (
        "error: stack dev: nothing is deployed: up first, or leave out --deployed."
    )

    def fails(_: Stack) -> ResourceGraph:
        raise UserError("the preview failed.")

    monkeypatch.setattr(Stack, "planned", fails)
    assert refused() == "error: the preview failed."
