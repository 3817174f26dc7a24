"""What AWS would have refused of a stack's way from one state to another.

A simulation in a process of its own, as moto's server is, cannot be made stricter from here. What
it let through is found afterwards, by the table that the in-memory AWS acts by: what is new was
created, what differs was updated, what is gone was deleted, in the engine's order. What was
replaced counts as deleted first, since a state does not tell; a secret counts as absent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from offline.account import Account
from offline.refusals import Request, all_refused
from offline.wire import is_secret

Resource = Mapping[str, Any]
Key = tuple[str, str]


def refused(before: Sequence[Resource], after: Sequence[Resource], region: str) -> list[str]:
    """Each refusal, with the name of the resource; states are as `pulumi stack export` has them."""
    account = Account()
    old, new = _of_aws(before), _of_aws(after)
    urns = {urn for urn, _ in new}
    there = {
        key: account.add(each["type"], each["id"], _properties(each, "outputs", region))
        for key, each in old.items()
        if key in new or key[0] not in urns
    }
    found: list[str] = []
    for key, each in new.items():
        inputs, outputs = (_properties(each, part, region) for part in ("inputs", "outputs"))
        subject = there.get(key)
        steps = ("check", "create") if subject is None else ("check", "preview", "update")
        if subject is None or inputs != _properties(old[key], "inputs", region):
            found += _said(each, Request(account, each["type"], inputs, subject), steps)
        if subject is None:
            account.add(each["type"], each["id"], outputs)
        else:
            account.change(subject, outputs)
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


def _properties(resource: Resource, part: str, region: str) -> dict[str, Any]:
    given = cast("dict[str, Any]", {**resource.get("inputs", {}), **resource.get(part, {})})
    plain = {key: value for key, value in given.items() if not is_secret(value)}
    return {"region": region, **plain}


def _said(resource: Resource, request: Request, steps: Iterable[str]) -> list[str]:
    name = resource["urn"].rpartition("::")[2]
    return [
        f"{name} ({request.type}): {refusal.message}"
        for step in steps
        for refusal in all_refused(request, step)
    ]
