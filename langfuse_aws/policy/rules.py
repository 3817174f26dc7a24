"""All rules, by theme."""

from collections.abc import Mapping
from typing import Final

from langfuse_aws.policy import (
    containers,
    data_safety,
    encryption,
    exposure,
    operation,
    permissions,
    secret_values,
    transport,
)
from langfuse_aws.policy.rule import Rule

THEMES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Exposure": exposure.RULES,
    "Data on its way": transport.RULES,
    "Data at rest": encryption.RULES,
    "Secrets": secret_values.RULES,
    "Permissions": permissions.RULES,
    "Tasks and services": containers.RULES,
    "Losing data": data_safety.RULES,
    "Operation": operation.RULES,
}

RULES: Final = tuple(rule for rules in THEMES.values() for rule in rules)
