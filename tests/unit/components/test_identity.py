"""Type tokens and URNs, which are for ever: a change here replaces resources of running stacks.

When one changes on purpose, add an alias in the same commit and write the list again with
`UPDATE_GOLDEN=1 pytest tests/unit/components/test_identity.py`.
"""

import json
import os
from pathlib import Path

import pytest

from tests.unit.stack_graph import shipped, varied
from tests.unit.stacks_of_all import STACKS, graphs

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str, found: list[str]) -> list[str]:
    """The lines of a golden file, which are written again if that is asked for."""
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text("\n".join(found) + "\n", encoding="utf-8")
    return file.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("stack", ["dev", "staging", "prod", "everything", "App Runner", "asleep"])
def test_no_released_resource_changes_its_urn(stack: str) -> None:
    prefix = f"urn:pulumi:{STACKS[stack][0]}::langfuse::"
    urns = sorted(urn.removeprefix(prefix) for urn in graphs()[stack].urns.values())
    assert urns == golden(f"urns-{stack.lower().replace(' ', '-')}.txt", urns)


def test_nothing_that_is_generated_once_is_generated_anew() -> None:
    """Another input makes another value: a new salt, say, with which no API key is valid."""
    found = sorted(
        {
            f"{each.type} {each.name.removeprefix(f'langfuse-{STACKS[stack][0]}-')} "
            f"{json.dumps(each.inputs, sort_keys=True)}"
            for stack, graph in graphs().items()
            for each in graph.registrations
            if each.type.startswith("random:")
        }
    )
    assert found == golden("generated.txt", found)


def test_no_resource_forgets_what_it_was_called_before() -> None:
    """Without its alias, a stack of an earlier release would have it made anew."""
    found = {
        f"{urn.partition('::langfuse::')[2]} was {name or 'the same'} in {where or 'the same'}"
        for graph in (shipped("staging"), shipped("prod"))
        for key, urn in graph.urns.items()
        for name, parent in zip(
            graph.options[key].aliases, graph.options[key].earlier_parents, strict=True
        )
        for where in [parent.partition("::langfuse::pulumi:pulumi:Stack$")[2]]
        if name or where  # or another type: the provider's own
    }
    assert sorted(found) == golden("aliases.txt", sorted(found))


def test_components_have_tokens_of_the_langfuse_package() -> None:
    graph = shipped("staging")
    components = {each.type for each in graph.registrations if not each.custom} - {"awsx:ec2:Vpc"}
    assert components == {
        f"langfuse:index:{name}"
        for name in (
            "AccessLogs",
            "Backups",
            "Certificate",
            "ClickHouse",
            "ClickHouseBackup",
            "ClickHouseHost",
            "Cluster",
            "ContainerService",
            "Dashboard",
            "DataPlane",
            "Images",
            "Ingress",
            "LangfuseWeb",
            "LangfuseWorker",
            "LoadBalancer",
            "Migration",
            "NatInstance",
            "Network",
            "Observability",
            "Postgres",
            "Redis",
            "Storage",
            "StoredSecret",
        )
    }


def test_every_resource_has_a_component_above_it() -> None:
    graph = shipped("prod")
    roots = {
        each.type for each in graph.registrations if graph.options_of(each).parent.endswith("Stack")
    }
    orphans = {
        each.type
        for each in graph.registrations
        if "langfuse:index:" not in graph.urns[each.type, each.name]
    }
    assert orphans == set(), f"made outside of a component; at the root: {roots}"


def test_a_budget_mails_before_the_money_is_spent() -> None:
    budget = varied().one("aws:budgets/budget:Budget").inputs
    assert (budget["limitAmount"], budget["limitUnit"]) == ("300.0", "USD")
    told = [
        (each["notificationType"], each["threshold"], each["subscriberEmailAddresses"])
        for each in budget["notifications"]
    ]
    assert told == [
        ("ACTUAL", 80, ["ops@example.com"]),
        ("FORECASTED", 100, ["ops@example.com"]),
    ]
    assert shipped("dev").of_type("aws:budgets/budget:Budget") == []
