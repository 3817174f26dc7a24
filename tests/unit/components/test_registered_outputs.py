"""What a component tells of itself in the state: what its class offers to other components.

Proves it for every component that the program has. An engine shows these outputs with the resource;
a component that registers none, or registers twice, is never finished to it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import get_annotations
from typing import Any, Final

import pulumi
import pytest
from pydantic.alias_generators import to_camel

from langfuse_aws.graph.model import STACK_TYPE
from tests.unit.stack_graph import ROOT, build, build_locked, unshared
from tests.unit.stacks_of_all import LOCKED, STACKS

PLAIN: Final = (pulumi.Output[str], pulumi.Output[Sequence[str]])
"""The type of what a state can show: not a reference to a secret, nor another component."""
Registered = list[tuple[pulumi.ComponentResource, Mapping[str, Any] | None]]


@cache
def registered() -> Registered:
    """Each call of every component of all stacks."""
    found: Registered = []
    finish = pulumi.ComponentResource.register_outputs

    def listen(self: pulumi.ComponentResource, outputs: Any) -> None:
        found.append((self, outputs))
        finish(self, outputs)

    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setattr(pulumi.ComponentResource, "register_outputs", listen)
        for name in ("everything", "App Runner", "asleep", "closed", "encrypted", "varied"):
            stack, config = STACKS[name]
            (build_locked if stack == LOCKED else build)(stack, config)
    return found


def test_every_component_is_finished_once() -> None:
    classes = {
        name
        for file in (ROOT / "components").rglob("*.py")
        for name in re.findall(r"class (\w+)\(pulumi\.ComponentResource\)", file.read_text("utf-8"))
    }
    assert classes - {type(each).__name__ for each, _ in registered()} == set()
    assert len(registered()) == len({id(each) for each, _ in registered()})


def test_the_token_of_a_component_is_the_name_of_its_class() -> None:
    wrong = {
        f"{type(each).__name__}: {each.pulumi_resource_type}"
        for each, _ in registered()
        if each.pulumi_resource_type not in (STACK_TYPE, f"langfuse:index:{type(each).__name__}")
    }
    assert wrong == set()


def test_a_component_registers_what_its_class_offers_by_the_same_name() -> None:
    wrong: set[str] = set()
    for component, outputs in registered():
        name = type(component).__name__
        offered = get_annotations(type(component))
        texts = {to_camel(each) for each, kind in offered.items() if kind in PLAIN}
        if not isinstance(outputs, dict) or bool(outputs) < bool(texts):
            wrong.add(f"{name} has {sorted(texts)} and registers {outputs}")
            continue
        named = {to_camel(each): getattr(component, each, None) for each in offered}
        wrong |= {f"{name}.{key}" for key, value in outputs.items() if named.get(key) is not value}
    assert wrong == set()
