"""Draws what a preview found: each resource that would change, with its values before and after."""

from collections.abc import Iterator
from typing import Final

from rich.text import Text

from langfuse_aws.automation.cli.progress import described
from langfuse_aws.automation.terminal import console
from langfuse_aws.review.property_changes import (
    LATER,
    PlannedStep,
    PropertyChange,
    first_difference,
    shortened,
)

INDENT: Final = "    "
DEEPER: Final = "      "
ARROW: Final = " → "
NOTHING: Final = "(none)"
REPLACES: Final = " (replaces)"
LEAST_VALUE: Final = 12
"""Columns that a value gets in any case."""
WHOLE: Final = len(LATER)
"""Characters of a value that is not cut beside a longer one."""
CONTEXT: Final = 8
"""Characters before the first that differs, in texts that are cut."""


def drawn(step: PlannedStep, columns: int) -> Iterator[Text]:
    """The lines of a step, none of which is wider than `columns`."""
    yield from described(step.operation, step.type, step.name).wrap(console, columns)
    for change in step.properties:
        yield from _change(change, columns)


def _change(change: PropertyChange, columns: int) -> Iterator[Text]:
    path, suffix = shortened(change.path, len(change.path)), REPLACES if change.replaces else ""
    old, new = (NOTHING if each is None else each for each in (change.old, change.new))
    fixed = len(ARROW) + len(suffix)
    beside = columns - len(INDENT) - len(path) - len(": ") - fixed
    if beside >= min(len(old) + len(new), 2 * LEAST_VALUE):
        yield Text.assemble(INDENT, path, (": ", "dim"), *_values(old, new, beside, suffix))
        return
    for line in Text.assemble(path, (":", "dim")).wrap(console, columns - len(INDENT)):
        yield Text.assemble(INDENT, line)
    below = max(columns - len(DEEPER) - fixed, 2 * LEAST_VALUE)
    yield Text.assemble(DEEPER, *_values(old, new, below, suffix))


def _values(old: str, new: str, columns: int, suffix: str) -> list[str | tuple[str, str]]:
    # What one of them does not need, the other may have.
    for_old = max(columns // 2, columns - len(new))
    if len(old) <= WHOLE or len(new) <= WHOLE:
        for_old = len(old) if len(old) <= len(new) else columns - len(new)
    widths = for_old, max(columns - for_old, columns - len(old))
    start = max(0, first_difference(old, new) - CONTEXT)
    before, after = (
        shortened(text, min(width, columns), start)
        for text, width in zip((old, new), widths, strict=True)
    )
    return [(before, "red"), (ARROW, "dim"), (after, "green"), (suffix, "bold magenta")]
