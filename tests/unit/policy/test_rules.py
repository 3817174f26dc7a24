"""Every rule of `policy/` by itself, on resources made by hand.

It proves what each rule says and lets pass. That the stacks keep the rules, and that the engine
hears of a violation, are shown by `policy/test_stacks.py` and the engine's tests.
"""

import pytest

from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.policy.rule import JudgedStack
from langfuse_aws.policy.rules import RULES
from tests.unit.policy_cases import (
    Case,
    containers,
    data_safety,
    encryption,
    exposure,
    operation,
    permissions,
    secret_values,
    transport,
)

BY_ID = {rule.id: rule for rule in RULES}
CASES: tuple[Case, ...] = (
    *exposure.CASES,
    *transport.CASES,
    *encryption.CASES,
    *secret_values.CASES,
    *permissions.CASES,
    *containers.CASES,
    *data_safety.CASES,
    *operation.CASES,
)
ABSENT = {"no-access-key"}
"""Rules on types that must not be there at all: nothing of such a type keeps them."""


def told(case: Case) -> tuple[str, ...]:
    stack = JudgedStack(ResourceGraph((case.subject, *case.others)), case.protected)
    return tuple(BY_ID[case.rule].problems(case.subject, stack))


@pytest.mark.parametrize("rule", BY_ID)
def test_a_rule_says_exactly_what_is_wrong(rule: str) -> None:
    cases = [case for case in CASES if case.rule == rule]
    assert [told(case) for case in cases] == [case.problems for case in cases]


def test_every_rule_has_a_case_that_breaks_it_and_one_that_keeps_it() -> None:
    assert {case.rule for case in CASES if case.problems} == set(BY_ID)
    assert {case.rule for case in CASES if not case.problems} == set(BY_ID) - ABSENT


def test_every_rule_is_tried_on_every_type_that_it_names() -> None:
    named = {(rule.id, token) for rule in RULES for token in rule.types}
    untried = named - {(case.rule, case.subject.type) for case in CASES}
    assert untried == set()


def test_no_two_rules_share_an_id_and_each_says_what_why_and_what_to_do() -> None:
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert rule.what.endswith("."), rule.id
        assert rule.why.endswith("."), rule.id
        assert rule.remedy, rule.id
        assert not rule.remedy.endswith("."), f"{rule.id}: the message ends with it"


def test_no_fault_quotes_the_value_of_a_secret() -> None:
    problems = " ".join(fault for case in secret_values.CASES for fault in told(case))
    assert not [value for value in secret_values.SECRETS.values() if value in problems]
