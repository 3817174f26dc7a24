"""Writes a picture as a Mermaid flowchart, which GitHub draws by itself.

Labels are quoted, with entities for what a quote or a tag would end. Tags other than `<br/>` are
not used: GitHub prints them as text.
"""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.graph.picture import Frame, Item, Node, Picture, colours_of, nodes_of

_SHAPES: Final = {"service": ('["', '"]'), "store": ('[("', '")]'), "outside": ('(["', '"])')}
_LINES: Final = {"port": "-->", "grant": "-.->"}


def mermaid(picture: Picture) -> str:
    """The flowchart, without a fence around it: from left to right, as the arrows go."""
    lines = ["flowchart LR"]
    for item in sorted(picture.children, key=lambda item: (_place(item, picture), item.id)):
        lines += _item(item, 1)
    lines += [
        f'    {" & ".join(sources)} {_LINES[kind]}|"{_escaped(label)}"| {target}'
        for (target, label, kind), sources in picture.grouped_arrows()
    ]
    return "\n".join([*lines, *_styles(picture)])


def _place(item: Item, picture: Picture) -> int:
    """First what is outside, then whoever nobody talks to; last what has no arrow."""
    own = {node.id for node in nodes_of([item])}
    if isinstance(item, Node) and item.kind == "outside":
        return 0
    if own & {arrow.target for arrow in picture.arrows}:
        return 2
    return 1 if own & {arrow.source for arrow in picture.arrows} else 3


def _styles(picture: Picture) -> Iterator[str]:
    """A store and the arrows to it have a colour; Mermaid knows an arrow by its number."""
    targets = [target for (target, *_), sources in picture.grouped_arrows() for _ in sources]
    for store, colour in colours_of(picture).items():
        yield f"    style {store} stroke:{colour},stroke-width:2px"
        numbers = [str(number) for number, target in enumerate(targets) if target == store]
        yield f"    linkStyle {','.join(numbers)} stroke:{colour}"


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
