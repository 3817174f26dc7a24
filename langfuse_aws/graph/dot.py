"""Writes a picture in DOT, which Graphviz draws as SVG, PNG and others."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from langfuse_aws.graph.picture import PLAIN, Item, Node, Picture, colours_of, nodes_of

LEGEND: Final = (
    "Line: a security group lets it in at this port. Dashed: an IAM role's right, or AWS Backup."
)

_FONT: Final = 'fontname="Helvetica,Arial,sans-serif" fontcolor="#1f2328"'
_EDGE: Final = "#8c959f"
_DETAIL: Final = "#59636e"
_DEFAULTS: Final = {
    "graph": "rankdir=LR newrank=true nodesep=0.3 ranksep=0.8 pad=0.3 bgcolor=white labelloc=t "
    f'labeljust=l style="filled,rounded" fillcolor="#f6f8fa" color="{_EDGE}" {_FONT} fontsize=12',
    "node": f'shape=box style="filled,rounded" fillcolor=white color="{_EDGE}" margin="0.16,0.09" '
    f"{_FONT} fontsize=11",
    "edge": f'color="{PLAIN}" penwidth=1.4 arrowsize=0.7 {_FONT} fontsize=10',
}
_SHAPES: Final = {
    "service": "",
    "store": " shape=cylinder labelloc=b style=filled penwidth=2",
    "outside": ' fillcolor="#eaeef2"',
}
_LINES: Final = {"port": "", "grant": " style=dashed"}


def dot(picture: Picture) -> str:
    """The whole file: from left to right, as the arrows go."""
    colours = colours_of(picture)
    busy = frozenset(end for arrow in picture.arrows for end in (arrow.source, arrow.target))
    title = f'{_html(picture.title)}<br align="left"/>'
    legend = f'<font point-size="10" color="{_DETAIL}">{LEGEND}</font><br align="left"/>'
    return "\n".join(
        [
            f"digraph {_quoted(picture.title)} {{",
            *(f"    {kind} [{given}]" for kind, given in _DEFAULTS.items()),
            f"    label=<{title}{legend}>",
            *(f"    {line}" for item in picture.children for line in _item(item, colours, busy)),
            *(f"    {line}" for line in _arrows(picture, colours)),
            "}",
        ]
    )


def _item(item: Item, colours: Mapping[str, str], busy: frozenset[str]) -> Iterator[str]:
    if isinstance(item, Node):
        yield _node(item, colours)
        return
    yield f"subgraph cluster_{item.id} {{"
    yield f"    label=<{_html(item.title)}>"
    for child in item.children:
        yield from (f"    {line}" for line in _item(child, colours, busy))
    groups = [[node.id for node in nodes_of([child])] for child in item.children]
    alone = [node for group in groups if busy.isdisjoint(group) for node in group]
    others = [node for group in groups for node in group if node in busy]
    if alone and others:
        # Or else it would stand where the picture begins, and its frame would reach that far.
        yield f"    {{ rank=same; {'; '.join([others[0], *alone])} }}"
    yield "}"


def _node(node: Node, colours: Mapping[str, str]) -> str:
    details = "".join(f"<br/>{escape(line, quote=False)}" for line in node.details)
    small = f'<font point-size="10" color="{_DETAIL}">{details}</font>' if details else ""
    colour = f' color="{colours[node.id]}"' if node.id in colours else ""
    return f"{node.id} [label=<{_html(node.title)}{small}>{_SHAPES[node.kind]}{colour}]"


def _arrows(picture: Picture, colours: Mapping[str, str]) -> Iterator[str]:
    """Sources that may reach the same target at the same port meet in a dot before it."""
    for (target, label, kind), sources in picture.grouped_arrows():
        colour = colours.get(target, PLAIN)
        look = f'color="{colour}" fontcolor="{colour}"{_LINES[kind]}'
        begin = sources[0]
        if len(sources) > 1:
            begin = _quoted(f"{target} {label} {kind}")
            yield f'{begin} [shape=point width=0.07 color="{colour}" fillcolor="{colour}"]'
            yield f"{{ {'; '.join(sources)} }} -> {begin} [dir=none {look}]"
        yield f"{begin} -> {target} [label={_quoted(label)} {look}]"


def _html(text: str) -> str:
    return f"<b>{escape(text, quote=False)}</b>"


def _quoted(text: str) -> str:
    backslashed = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{backslashed}"'
