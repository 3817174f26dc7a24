"""What AWS would have refused of a stack's way from one state to another.

A simulation in a process of its own, as moto's server is, cannot be made stricter from here. What
it let through is found afterwards, by the table that the in-memory AWS acts by: what is new was
created, what differs was updated, what is gone was deleted, in the engine's order. What was
replaced counts as deleted first, since a state does not tell; a secret counts as absent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from langfuse_aws.offline import text_rules
from langfuse_aws.offline.account import Account
from langfuse_aws.offline.refusals import Request, all_refused
from langfuse_aws.offline.wire import is_secret

Resource = Mapping[str, Any]
Key = tuple[str, str]


def refused(before: Sequence[Resource], after: Sequence[Resource], region: str) -> list[str]:
    """Each refusal, with the name of the resource; states are as `pulumi stack export` has them."""
    account = Account()
    old, new = _of_aws(before), _of_aws(after)
    urns = {urn for urn, _ in new}
    there = {
        key: account.add(each["type"], each["id"], _properties(each, region))
        for key, each in old.items()
        if key in new or key[0] not in urns
    }
    found: list[str] = []
    for key, each in new.items():
        inputs = _inputs(each, region)
        subject = there.get(key)
        steps = ("check", "create") if subject is None else ("check", "preview", "update")
        if subject is None or inputs != _inputs(old[key], region):
            found += _said(each, Request(account, each["type"], inputs, subject), steps)
            faults = text_rules.faults(each["type"], inputs)
            found += [f"{_name(each)} ({each['type']}): {fault}" for fault in faults]
        if subject is None:
            account.add(each["type"], each["id"], _properties(each, region))
        else:
            account.change(subject, _properties(each, region))
    for key, each in reversed(old.items()):
        if key not in new and key[0] not in urns:
            found += _said(each, Request(account, each["type"], {}, there[key]), ("delete",))
            account.remove(each["type"], each["id"])
    return found


def _of_aws(state: Sequence[Resource]) -> dict[Key, Resource]:
    return {
        (each["urn"], each["id"]): each
        for each in state
        if each["type"].startswith("aws:") and each.get("id") and not each.get("external")
    }


def _inputs(resource: Resource, region: str) -> dict[str, Any]:
    given = cast("dict[str, Any]", resource.get("inputs", {}))
    return {"region": region} | {key: each for key, each in given.items() if not is_secret(each)}


def _properties(resource: Resource, region: str) -> dict[str, Any]:
    """What was asked for, and what else was told: the simulation forgets some of the former."""
    outputs = cast("dict[str, Any]", resource.get("outputs", {}))
    told = {key: each for key, each in outputs.items() if not is_secret(each)}
    return told | _inputs(resource, region)


def _name(resource: Resource) -> str:
    return str(resource["urn"].rpartition("::")[2])


def _said(resource: Resource, request: Request, steps: Iterable[str]) -> list[str]:
    return [
        f"{_name(resource)} ({request.type}): {refusal.message}"
        for step in steps
        for refusal in all_refused(request, step)
    ]
