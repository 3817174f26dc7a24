"""The report of a change, in Markdown for a comment on a pull request.

Names and values of the change are shown as code, so that none of them can be markup or mention
anybody. The same differences always give the same text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from langfuse_aws.cost.rounding import worded
from langfuse_aws.graph.open_ports import OpenPort
from langfuse_aws.graph.resource_types import TASK_DEFINITION
from langfuse_aws.review.difference import Change, Difference
from langfuse_aws.review.facts import Permission
from langfuse_aws.review.markdown import ABSENT, code, details, html_code, table
from langfuse_aws.review.physical_names import without_chance
from langfuse_aws.review.property_changes import (
    LATER,
    PropertyChange,
    first_difference,
    shortened,
)

LONGEST_COMMENT: Final = 65_536
"""Characters of a comment. https://github.com/orgs/community/discussions/27190"""
CUT: Final = "\n\n… the report is longer than a comment may be, and is cut here."
MARK: Final = "<!-- langfuse-aws: diff -->"
"""By which a workflow finds its earlier comment."""
MOST_PROPERTIES: Final = 10
CONTEXT: Final = 8
"""Characters before the first that differs, in values that are cut."""
BY_DESIGN: Final = frozenset({TASK_DEFINITION, "aws:lambda/invocation:Invocation"})
"""Types of which every change is a replacement, by which ECS deploys and the migration runs."""
BODIES: Final[Mapping[str, str]] = {"aws:cloudwatch/dashboard:Dashboard": "dashboardBody"}
"""Types with a body that shows the stack and does nothing, and the input that has it."""
LONGEST: Final = 120
"""Characters of a value that are told."""

_OPERATIONS: Final = (
    ("replaced", ("replace",)),
    ("removed", ("delete",)),
    ("added", ("create",)),
    ("changed", ("update",)),
)


def report(
    differences: Sequence[Difference],
    tripped: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """The whole report: what can hurt, gates and a summary; and everything else, folded."""
    parts = [MARK, "## What this change does to the stacks"]
    for each in differences:
        parts += _first(each)
    parts += notes
    not_known = {each.stack for each in differences if each.cost_missing}
    if tripped:
        lines = [_stop(gate, stack, known=stack not in not_known) for gate, stack in tripped]
        parts.append("**Stopped by these gates:**\n\n" + "\n".join(lines))
    if differences:
        parts.append(_summary(differences))
    parts += [_cost_missing(each) for each in differences if each.cost_missing]
    for each in differences:
        if folded := list(_folded(each)):
            parts += [f"### {code(each.stack)}", *folded]
    text = "\n\n".join(parts) + "\n"
    return text if len(text) <= LONGEST_COMMENT else text[: LONGEST_COMMENT - len(CUT)] + CUT


def _first(difference: Difference) -> Iterator[str]:
    """What nobody may overlook, in bold: the worst first."""
    stack = code(difference.stack)
    if difference.at_risk:
        lines = [_risk(each, difference) for each in difference.at_risk]
        yield f"**Data of {stack} is lost:**\n\n" + "\n".join(lines)
    if difference.by_default:
        before, after = map(code, difference.by_default)
        yield (
            f"**Langfuse of {stack} goes from {before} to {after}, another major, because it is "
            "the default now: its migrations cannot be undone.** `pulumi up` refuses this until "
            "`langfuse:release` names one of them (docs/upgrade.md)."
        )
    if difference.unprotected:
        yield _unprotected(difference)
    yield from _list(f"Replaced in {stack}", _replacements(difference))
    if difference.stops:
        yield (
            f"**{', '.join(map(code, difference.stops))} of {stack} stops before it starts anew, "
            "and what the worker writes meanwhile is dropped.** Stop the worker first, or load the "
            "events again afterwards (docs/operations.md, Dropped rows)."
        )
    public = (each for each in difference.opened if each.public)
    reachable = [*map(_port, public), *map(code, difference.exposed)]
    yield from _list(f"Newly open to the internet in {stack}", reachable)
    wildcards = [each for each in difference.granted if each.wildcard]
    yield from _list(f"Newly allowed without bounds in {stack}", _rights(wildcards))


def _replacements(difference: Difference) -> Iterator[str]:
    for each in difference.changes:
        if each.operation != "replace" or each in difference.at_risk or each.type in BY_DESIGN:
            continue
        because = "; ".join(_property(one) for one in _worth_telling(each) if one.replaces)
        yield f"{_named(each)}{f', because of {because}' if because else ''}"


def _unprotected(difference: Difference) -> str:
    count = len(difference.unprotected)
    stores = "1 store" if count == 1 else f"{count} stores"
    lines = [
        f"- {code(each.name)} ({code(each.type)}): {', '.join(map(code, each.lifted))}"
        for each in difference.unprotected
    ]
    return (
        f"**Protection of {stores} of {code(difference.stack)} is removed: from then on, a mistake "
        "deletes them.**\n\n" + "\n".join(lines)
    )


def _stop(gate: str, stack: str, *, known: bool) -> str:
    text = f"- {code(gate)} in {code(stack)}"
    return text if known or not gate.startswith("cost>") else f"{text}, whose cost is not known"


def _cost_missing(difference: Difference) -> str:
    lines = "\n".join(f"- {code(each)}" for each in difference.cost_missing)
    return f"**What {code(difference.stack)} costs is not known:**\n\n{lines}"


def _summary(differences: Sequence[Difference]) -> str:
    rows: list[tuple[str, ...]] = []
    for each in differences:
        counts = (str(each.count(*kinds) or ABSENT) for _, kinds in _OPERATIONS)
        risk = f"**{len(each.at_risk)}**" if each.at_risk else ABSENT
        rows.append((code(each.stack), *counts, risk, _cost(each)))
    titles = (title for title, _ in _OPERATIONS)
    head = ("Stack", *titles, "data at risk", "USD a month, prices from")
    return table(head, rows, right=len(head) - 1)


def _cost(difference: Difference) -> str:
    before, after = difference.cost
    known_from = difference.cost_known_from
    if before is None or after is None or known_from is None:
        return ABSENT
    usd = worded(after, known_from)
    if round(before, 2) != round(after, 2):
        rise = after - before
        sign = "+" if rise > 0 else ""
        usd = f"{worded(before, known_from)} → {usd} ({sign}{worded(rise, known_from)})"
    return f"{usd}, {known_from}"


def _folded(difference: Difference) -> Iterator[str]:
    lost = [
        *(f"port: {_port(each)}" for each in difference.closed),
        *(f"exposure: {code(each)}" for each in difference.concealed),
        *(f"permission: {line}" for line in _rights(difference.revoked)),
    ]
    for title, found in (
        ("New open ports", [_port(each) for each in difference.opened]),
        ("New permissions", list(_rights(difference.granted))),
        ("Containers", list(_containers(difference))),
        ("Closed and taken away", lost),
    ):
        if found:
            yield details(f"{title}: {len(found)}", "\n".join(f"- {line}" for line in found))
    components = dict.fromkeys(each.component for each in difference.changes)
    for component in components:
        own = [each for each in difference.changes if each.component == component]
        counts = ", ".join(
            f"{number} {title}"
            for title, kinds in _OPERATIONS
            if (number := sum(each.operation in kinds for each in own))
        )
        title = html_code(component) if component else "Outside of components"
        yield details(f"{title}: {counts}", "\n".join(_line(each) for each in own))


def _risk(change: Change, difference: Difference) -> str:
    verb = "deleted" if change.operation == "delete" else "replaced by an empty one"
    because = "; ".join(_property(each) for each in change.properties if each.replaces)
    lines = [f"- **{_named(change)} is {verb}.**"]
    if because:
        lines.append(f"  Because of {because}.")
    if change.name in difference.refused:
        lines.append(
            "  `pulumi up` refuses this until `langfuse:allowReplace` names it. Take a snapshot "
            "first (docs/operations.md)."
        )
    else:
        lines.append("  `langfuse:allowReplace` names it: **`pulumi up` will do it.**")
    return "\n".join(lines)


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = [f"- {line}" for line in lines]
    if found:
        yield f"**{title}:**\n\n" + "\n".join(found)


def _port(port: OpenPort) -> str:
    return f"{code(port.source)} → {code(port.target)}, port {code(port.ports)}"


def _rights(permissions: Sequence[Permission]) -> Iterator[str]:
    # One line for the actions that a policy treats alike.
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in permissions:
        key = (each.owner, each.effect, each.principal, each.resource, each.condition)
        alike.setdefault(key, []).append(each.action)
    for (owner, effect, principal, resource, condition), actions in alike.items():
        text = f"{code(owner)}: {effect} {', '.join(map(code, actions))}"
        text += f" on {code(resource)}" if resource else ""
        text += f" to {code(principal)}" if principal else ""
        text += f" if {code(condition)}" if condition else ""
        yield text


def _containers(difference: Difference) -> Iterator[str]:
    for each in difference.containers:
        told: list[str] = []
        if each.image:
            told.append(f"image {code(each.image[0])} → {code(each.image[1])}")
        for verb, names in (("added", each.added), ("removed", each.removed)):
            if names:
                told.append(f"{verb} {', '.join(map(code, names))}")
        if told:
            yield f"{code(each.container)}: {'; '.join(told)}"


def _named(change: Change) -> str:
    return f"{code(change.name)} ({code(change.type)})"


def _line(change: Change) -> str:
    told = _worth_telling(change)
    properties = told[:MOST_PROPERTIES]
    lines = [f"- {change.operation} {code(change.type)} {code(change.name)}"]
    lines += [f"  - {_property(each)}" for each in properties]
    left = len(told) - len(properties)
    return "\n".join([*lines, *([f"  - … and {left} more"] if left else [])])


def _worth_telling(change: Change) -> list[PropertyChange]:
    """Without what only follows from other changes, and without pictures of what is measured."""
    body = BODIES.get(change.type)
    return [
        each
        for each in change.properties
        if not (body and each.path.startswith(body))
        # What only the update can tell comes from another resource, which is told itself.
        and (each.new != LATER or each.replaces)
        and (each.old == each.new or _without_chance(each.old) != _without_chance(each.new))
    ]


def _without_chance(value: str | None) -> str | None:
    return None if value is None else without_chance(value)


def _property(change: PropertyChange) -> str:
    values = [_without_chance(each) for each in (change.old, change.new)]
    start = max(0, first_difference(values[0] or "", values[1] or "") - CONTEXT)
    old, new = (
        ABSENT if each is None else code(shortened(each, LONGEST, start)) for each in values
    )
    return f"{code(change.path)}: {old} → {new}"
