"""Keeps what checkov finds in the stacks in `posture_figures.json`: `make posture-figures`.

checkov is no dependency of the project, so the page and its tests read that file. What is asked
about are the recorded graphs of the stack files, whose values are those that an AWS would have told
after `up`: a preview does not know a task's containers, and no rule fails for them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.posture.checkov import Scan, program, scan
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.settings.model import CUSTOMER_KEY

FILE: Final = Path(__file__).with_suffix(".json")
STACKS: Final = ("dev", "staging", "prod")
KEYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "without": {},
    "with": {"encryption": CUSTOMER_KEY},
}
"""What a stack file has besides, by whether there is a customer key."""


def graph(stack: str, key: str) -> ResourceGraph:
    """The resources of a stack file, `with` or `without` a customer key."""
    return recorded(stack, {**shipped_config(stack), **KEYS[key]})


def resources(graph: ResourceGraph) -> int:
    """How many of a graph's resources are AWS's."""
    return sum(each.custom and each.type.startswith("aws:") for each in graph.resources)


def figures(scans: Mapping[str, Mapping[str, Scan]]) -> dict[str, Any]:
    """What the file holds, from the scans of each stack `with` and `without` a key."""
    found = [each for of_stack in scans.values() for each in of_stack.values()]
    (version,) = {each.version for each in found}
    return {
        "checkov": version,
        "rules": {failed.rule: failed.what for each in found for failed in each.failed},
        "stacks": {
            stack: {
                key: {
                    "resources": resources(graph(stack, key)),
                    "passed": each.passed,
                    "failed": _by_rule(each),
                }
                for key, each in of_stack.items()
            }
            for stack, of_stack in scans.items()
        },
    }


def _by_rule(scanned: Scan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in scanned.failed:
        found.setdefault(each.rule, []).append(each.resource.name)
    return {rule: sorted(names) for rule, names in found.items()}


def main() -> int:
    """Write the file."""
    checkov = program()
    if checkov is None:
        print(
            "error: checkov is not on PATH; docs/security.md says how it gets there",
            file=sys.stderr,
        )
        return 1
    try:
        scans = {stack: {key: scan(graph(stack, key), checkov) for key in KEYS} for stack in STACKS}
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    text = json.dumps(figures(scans), ensure_ascii=False, indent=1, sort_keys=True)
    FILE.write_text(f"{text}\n", encoding="utf-8")
    print(f"wrote development/{FILE.name}; make docs writes docs/security.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
