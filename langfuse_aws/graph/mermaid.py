"""Writes a picture as a Mermaid flowchart, which GitHub draws by itself.

Labels are quoted, with entities for what a quote or a tag would end. Tags other than `<br/>` are
not used: GitHub prints them as text.
"""

from math import inf
from typing import Final

from langfuse_aws.graph.columns import columns
from langfuse_aws.graph.picture import Frame, Item, Node, Picture, nodes_of

_SHAPES: Final = {"service": ('["', '"]'), "store": ('[("', '")]'), "outside": ('(["', '"])')}
_LINES: Final = {"door": "-->", "grant": "-.->"}


def mermaid(picture: Picture) -> str:
    """The flowchart, without a fence around it: from left to right, as the arrows go."""
    of = columns(picture).of

    def column(item: Item) -> float:
        return min((of[node.id] for node in nodes_of([item]) if node.id in of), default=inf)

    lines = ["flowchart LR"]
    for item in sorted(picture.children, key=lambda item: (column(item), item.id)):
        lines += _item(item, 1)
    together: dict[tuple[str, str, str], list[str]] = {}
    for arrow in picture.arrows:
        together.setdefault((arrow.target, arrow.label, arrow.kind), []).append(arrow.source)
    lines += [
        f'    {" & ".join(sources)} {_LINES[kind]}|"{_escaped(label)}"| {target}'
        for (target, label, kind), sources in sorted(together.items())
    ]
    return "\n".join(lines)


def _item(item: Item, depth: int) -> list[str]:
    indent = "    " * depth
    if isinstance(item, Frame):
        inside = [line for child in item.children for line in _item(child, depth + 1)]
        return [f'{indent}subgraph {item.id}["{_escaped(item.title)}"]', *inside, f"{indent}end"]
    return [f"{indent}{_node(item)}"]


def _node(node: Node) -> str:
    begin, end = _SHAPES[node.kind]
    text = "<br/>".join(_escaped(line) for line in (node.title, *node.details))
    return f"{node.id}{begin}{text}{end}"


def _escaped(text: str) -> str:
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, entity)
    return text
