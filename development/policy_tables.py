"""Writes the tables of the policy pack's rules and their exceptions, from the rules themselves."""

from __future__ import annotations

from langfuse_aws.policy.exposure import CONNECTS_ANYWHERE
from langfuse_aws.policy.permissions import NOTHING_NARROWER
from langfuse_aws.policy.rules import THEMES
from langfuse_aws.review.markdown import table


def rule_tables() -> str:
    """Every rule, by theme."""
    head = ("Rule", "What must hold", "Why", "Level", "Remedy")
    sections: list[str] = []
    for theme, rules in THEMES.items():
        rows = [
            (f"`{rule.id}`", rule.what, rule.why, rule.level, f"{rule.remedy}.") for rule in rules
        ]
        sections.append(f"### {theme}\n\n{table(head, rows)}")
    return "\n\n".join(sections)


def anywhere_table() -> str:
    """The security groups that may connect to anywhere."""
    rows = [(f"`…-{end}`", why) for end, why in CONNECTS_ANYWHERE.items()]
    return table(("Security group", "What for"), rows)


def narrower_table() -> str:
    """The actions that may have every resource."""
    return table(("Action", "Why"), [(f"`{each}`", why) for each, why in NOTHING_NARROWER.items()])
