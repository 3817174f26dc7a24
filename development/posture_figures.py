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

_PULL_THROUGH: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache"
FURTHER: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "grafana.enabled": ("prod", {"grafana": {"enabled": True}}),
    "images.source": (
        "dev",
        {
            "images": {
                "source": "pullThrough",
                "githubSecretArn": f"{_PULL_THROUGH}/github-AbCdEf",
                "dockerHubSecretArn": f"{_PULL_THROUGH}/docker-hub-AbCdEf",
            }
        },
    ),
    "ingress.waf": ("prod", {"ingress": {"waf": {}}}),
    "storage.kms": ("dev", {"storage": {"kms": True}}),
}
"""Settings that no stack file has and that make what further rules look at, each with the stack
file that it is added to."""

UNSEEN: Final[Mapping[str, Mapping[str, str]]] = {
    "web.platform": {"CKV2_AWS_23": "Route53 A Record has Attached Resource"}
}
"""The same, where the images of a stack must be locked, and so none is recorded here."""


def graph(stack: str, key: str) -> ResourceGraph:
    """The resources of a stack file, `with` or `without` a customer key."""
    return recorded(stack, {**shipped_config(stack), **KEYS[key]})


def further_graph(setting: str) -> ResourceGraph:
    """The resources of the stack file that one of `FURTHER` is added to."""
    stack, added = FURTHER[setting]
    config = shipped_config(stack)
    sections = {key: {**config.get(key, {}), **value} for key, value in added.items()}
    return recorded(stack, {**config, **sections})


def resources(graph: ResourceGraph) -> int:
    """How many of a graph's resources are AWS's."""
    return sum(each.custom and each.type.startswith("aws:") for each in graph.resources)


def figures(scans: Mapping[str, Mapping[str, Scan]], further: Mapping[str, Scan]) -> dict[str, Any]:
    """What the file holds, from the scans of each stack `with` and `without` a key, and by setting.

    Of a setting, only rules count that no stack file fails.
    """
    found = [each for of_stack in scans.values() for each in of_stack.values()]
    (version,) = {each.version for each in found}
    rules = {failed.rule: failed.what for each in found for failed in each.failed}
    return {
        "checkov": version,
        "further": {
            setting: {
                failed.rule: failed.what for failed in each.failed if failed.rule not in rules
            }
            for setting, each in further.items()
        },
        "rules": rules,
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
        further = {setting: scan(further_graph(setting), checkov) for setting in FURTHER}
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    text = json.dumps(figures(scans, further), ensure_ascii=False, indent=1, sort_keys=True)
    FILE.write_text(f"{text}\n", encoding="utf-8")
    print(f"wrote development/{FILE.name}; make docs writes docs/security.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
