"""Writes what checkov finds in the stacks into docs/security.md, from `posture_figures.json`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from development.posture_figures import FILE, STACKS, UNSEEN
from langfuse_aws.policy.accepted import accepted
from langfuse_aws.review.markdown import table


@cache
def kept() -> dict[str, Any]:
    """What `make posture-figures` has found."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def posture_counts() -> str:
    """How many checks each stack passes and fails, with and without a customer key."""
    head = ("Stack", "AWS resources", "Passed", "Failed", "Failed, of all")
    rows = [
        (
            f"`{stack}`{' with `langfuse:encryption: customerKey`' if key == 'with' else ''}",
            str(found["resources"]),
            str(found["passed"]),
            str(_failed(found)),
            f"{100 * _failed(found) / (found['passed'] + _failed(found)):.1f} %",
        )
        for stack in STACKS
        for key, found in sorted(kept()["stacks"][stack].items(), reverse=True)
    ]
    said = (
        f"checkov {kept()['checkov']} with its default rules, over the resources of the three "
        "stack files as they are after `up`:"
    )
    return f"{said}\n\n{table(head, rows)}"


def posture_rules() -> str:
    """Each rule that fails: in how many resources of which stack, and why that is accepted."""
    head = ("Rule", "What it asks", *(f"`{stack}`" for stack in STACKS), "Accepted because")
    rows = [
        (f"`{rule}`", what, *(_cell(stack, rule) for stack in STACKS), accepted()[rule])
        for rule, what in sorted(kept()["rules"].items())
    ]
    return table(head, rows)


def further() -> dict[str, dict[str, str]]:
    """What each rule asks that a stack fails with a setting alone, by the setting."""
    return {**kept()["further"], **{setting: dict(rules) for setting, rules in UNSEEN.items()}}


def posture_further() -> str:
    """Each rule that fails with a setting alone, and why that is accepted."""
    head = ("Rule", "What it asks", "With", "Accepted because")
    rows = sorted(
        (f"`{rule}`", what, f"`{setting}`", accepted()[rule])
        for setting, rules in further().items()
        for rule, what in rules.items()
    )
    return table(head, rows)


def _failed(found: dict[str, Any]) -> int:
    return sum(len(names) for names in found["failed"].values())


def _cell(stack: str, rule: str) -> str:
    """The resources that fail a rule; in brackets with a customer key, where that differs."""
    without, with_key = (
        len(kept()["stacks"][stack][key]["failed"].get(rule, ())) for key in ("without", "with")
    )
    return str(without) if without == with_key else f"{without} ({with_key})"
