"""What the provider has of a resource: no input that it does not know, and all that it needs.

Inputs within inputs are plain dictionaries, in which a misspelt key goes as far as AWS, or nowhere.
Proves it by the types of pulumi-aws, which are made of the provider's schema, in every stack. It
does not prove that a value is one that AWS takes.
"""

import keyword
import re
from collections.abc import Awaitable, Iterator, Mapping
from functools import cache
from typing import Any, Final, cast, get_args, get_type_hints

import pulumi
import pulumi_aws as aws
from typing_extensions import is_typeddict

from tests.unit.stacks_of_all import graphs

Properties = Mapping[str, Any]

INPUT: Final = {"Output": pulumi.Output, "Awaitable": Awaitable, "T": object}
"""What `pulumi.Input` names."""


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def resource_class(token: str) -> Any:
    """`aws:ec2/vpc:Vpc` → `pulumi_aws.ec2.Vpc`."""
    _, place, name = token.split(":")
    module = place.partition("/")[0]
    found = aws if module == "index" else getattr(aws, module + "_" * keyword.iskeyword(module))
    return getattr(found, name)


@cache
def members(kind: Any) -> Mapping[str, Any]:
    """The types of what a resource, data source or dictionary may have, by the provider's names."""
    typed = getattr(kind, "_internal_init", kind)  # of a resource; the others are typed themselves
    hints = get_type_hints(typed, localns=INPUT)
    return {camel(name): hint for name, hint in hints.items()}


def data_source(token: str) -> Any:
    """`aws:ec2/getVpc:getVpc` → `pulumi_aws.ec2.get_vpc_output`."""
    _, place, name = token.split(":")
    module = place.partition("/")[0]
    function = re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name)
    return getattr(aws if module == "index" else getattr(aws, module), f"{function}_output")


def dictionary(hint: Any) -> Any:
    """The dictionary that a value may be, or each value of a list; None: it is of another kind."""
    if is_typeddict(hint):
        return hint
    for each in get_args(hint):
        if below := dictionary(each):
            return below
    return None


def faults(kind: Any, value: Properties, path: str) -> Iterator[str]:
    """What is unknown, and what is missing, within a value too."""
    known = members(kind)
    if is_typeddict(kind):
        needed = {camel(each) for each in kind.__required_keys__}
        yield from (f"{path}: no {each}" for each in needed if value.get(each) is None)
    for key, each in value.items():
        if key not in known:
            yield f"{path}: unknown {key}"
        elif below := dictionary(known[key]):
            parts = cast("list[Any]", each if isinstance(each, list) else [each])
            for part in parts:
                if isinstance(part, Mapping):  # a policy may be a text
                    yield from faults(below, cast("Properties", part), f"{path}.{key}")


def test_the_provider_knows_every_input_and_has_all_that_it_needs() -> None:
    found, types = set[str](), set[str]()
    for graph in graphs().values():
        for each in graph.registrations:
            if each.type.startswith("aws:"):
                types.add(each.type)
                found |= set(faults(resource_class(each.type), each.inputs, each.type))
    assert found == set()
    assert len(types) > 70


def test_a_misspelt_and_a_missing_key_are_found_wherever_they_are() -> None:
    group = resource_class("aws:lb/targetGroup:TargetGroup")
    assert [*faults(group, {"prot": 1, "healthCheck": {"pathh": "/", "path": "/"}}, "group")] == [
        "group: unknown prot",
        "group.healthCheck: unknown pathh",
    ]
    logs = resource_class("aws:lb/loadBalancer:LoadBalancer")
    assert [*faults(logs, {"accessLogs": {"enabled": True}}, "alb")] == [
        "alb.accessLogs: no bucket"
    ]
