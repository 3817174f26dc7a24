"""The catalogue of resource types: it has a row for each type of every stack, and no other.

What a row says is not proven here, but that all who need to know of a type do: who prices it, and
whose permission makes it.
"""

import re

from langfuse_aws.automation.preflight.actions import rows
from langfuse_aws.cost.types import PRICED
from langfuse_aws.graph.resource_types import RESOURCE_TYPES
from tests.unit.stack_graph import ROOT
from tests.unit.stacks_of_all import graphs, of_vpc

UNGUARDED = {"aws:secretsmanager/secret:Secret"}
"""Types that bear data and that the guard leaves alone: a secret's generated values are guarded
where they are generated, and make the same secret again."""


def registered() -> set[str]:
    """The types of all stacks, and those that some other stack may have; components are none."""
    made = {
        each.type
        for graph in graphs().values()
        for each in graph.registrations
        if graph.options_of(each).custom
    }
    return made | of_vpc() | in_code()


def in_code() -> set[str]:
    """The types of AWS that a component makes when something asks for them."""
    found: set[str] = set()
    for file in (ROOT / "components").rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        for module, name in re.findall(r"\baws\.(\w+)\.([A-Z]\w+)\(", source):
            if not name.endswith("Args"):
                found.add(f"aws:{module.rstrip('_')}/{name[0].lower()}{name[1:]}:{name}")
    assert "aws:wafv2/webAcl:WebAcl" in found
    return found


def test_every_type_that_a_stack_has_is_in_the_catalogue_with_all_that_its_row_asks_for() -> None:
    permitted = {token for row in rows() for token in row.types}
    lacking: list[str] = []
    for token in sorted(registered()):
        facts = RESOURCE_TYPES.get(token)
        if facts is None:
            lacking.append(f"{token}: a row of langfuse_aws/graph/resource_types.py")
        elif facts.cost == "priced" and token not in PRICED:
            lacking.append(f"{token}: a pricer of langfuse_aws/cost/types.py")
        if token.startswith("aws:") and token not in permitted:
            lacking.append(f"{token}: IAM actions, in automation/preflight/permissions.csv")
    assert lacking == []


def test_the_catalogue_has_no_type_that_no_stack_has() -> None:
    assert set(RESOURCE_TYPES) - registered() == set()
    assert list(RESOURCE_TYPES) == sorted(RESOURCE_TYPES)


def test_rows_agree_with_themselves_and_with_who_prices_them() -> None:
    assert {token for token, each in RESOURCE_TYPES.items() if each.cost == "priced"} == set(PRICED)
    bearing = {token for token, each in RESOURCE_TYPES.items() if each.bears != "nothing"}
    guarded = {token for token in bearing if RESOURCE_TYPES[token].replaced_by}
    assert bearing - guarded == UNGUARDED, "what replaces it?"
    for token, each in RESOURCE_TYPES.items():
        assert token in bearing or not (each.begins_with or each.protected_by), token
        assert each.cost != "by use" or each.cost_note, f"{token}: why is it not priced?"
        for minutes in (each.minutes_to_create, each.minutes_to_delete):
            assert minutes is None or 1 <= minutes[0] <= minutes[1], token
