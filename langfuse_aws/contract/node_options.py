"""NODE_OPTIONS: the heap of Node.js in a container, and what a stack file adds to it.

Flags that a stack file gives stand beside the program's, so that one of them does not take the
bound off the heap; only a heap of their own replaces it.
"""

import re
from typing import Final

VARIABLE: Final = "NODE_OPTIONS"

HEAP_SHARE: Final = 0.75
"""Node's heap as a share of the task's memory; the rest is for buffers and native code."""

LARGEST_HEAP_SHARE: Final = 0.9
"""More than this of the memory leaves Node too little outside its heap: the task is killed."""

_HEAP: Final = re.compile(
    r"(?<!\S)--max[-_](?:old[-_]space|heap)[-_]size([-_]percentage)?(?:=(\S*))?(?!\S)"
)
"""A flag with the size of the heap: MiB, or a percentage. Node reads `-` and `_` alike.
https://nodejs.org/docs/latest-v24.x/api/cli.html#node_optionsoptions"""

_SIZE: Final = re.compile(r"[1-9][0-9]*(\.[0-9]+)?")


def problem(options: str, memory_mib: int) -> str | None:
    """Say what is wrong with the heap in a task of `memory_mib`; None: nothing."""
    heaps = heaps_mib(options, memory_mib)
    if None in heaps:
        return "must give the heap as --max-old-space-size=MIB, or Node.js does not start"
    largest = int(memory_mib * LARGEST_HEAP_SHARE)
    if any(heap is not None and heap > largest for heap in heaps):
        return (
            f"must give a heap of at most {largest} MiB: the task has {memory_mib} MiB, and "
            "Node.js needs some outside its heap"
        )
    return None


def heaps_mib(options: str, memory_mib: int) -> list[float | None]:
    """The heaps (MiB) that flags give a task of `memory_mib`; None for one without its number."""
    return [
        float(size) * (memory_mib / 100 if percentage else 1) if _SIZE.fullmatch(size) else None
        for percentage, size in _HEAP.findall(options.replace('"', ""))
    ]


def with_heap(memory_mib: int, own: str) -> str:
    """Build the variable's value for a task of `memory_mib`, with a stack file's `own` flags."""
    if heaps_mib(own, memory_mib):
        return own
    return f"--max-old-space-size={heap_mib(memory_mib)} {own}".strip()


def heap_mib(memory_mib: int) -> int:
    """Node's heap limit (MiB) in a task of `memory_mib`."""
    return int(memory_mib * HEAP_SHARE)
