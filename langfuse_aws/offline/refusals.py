"""What AWS and the provider refuse: rows of `rules.csv` applied to one request.

A refusal by name is a function that gives what is wrong, or nothing. It sees the request only, and
what exists in its account.
"""

import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from langfuse_aws.offline import snapshots
from langfuse_aws.offline.account import Account, Existing
from langfuse_aws.offline.rules import Rule, rules_of
from langfuse_aws.offline.unknown import UNKNOWN, any_unknown
from langfuse_aws.offline.version_order import is_older, parts

Properties = Mapping[str, Any]

LISTENER = "aws:lb/listener:Listener"
LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
CLUSTER = "aws:rds/cluster:Cluster"
INSTANCE = "aws:rds/instance:Instance"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
ROLE_POLICIES = (
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
)

DEFAULT_MINOR = 6
"""What a bare major version of PostgreSQL means here. AWS's own default moves."""

PAUSES_FROM = "16.3"
"""The version of Aurora PostgreSQL 16 from which it pauses."""

_MODIFICATIONS = 4
_DAY_SECONDS = 24 * 60 * 60
_LIMIT = re.compile(r"(length|bytes|value|count) <= (\d+)")
_PATTERN = "pattern "


@dataclass(frozen=True)
class Request:
    """What is asked of AWS. `subject` is what exists already, if it does."""

    account: Account
    type: str
    new: Properties
    subject: Existing | None = None

    @property
    def old(self) -> Properties:
        """What there is."""
        return self.subject.properties if self.subject else {}

    def others(self, *tokens: str) -> Iterable[Existing]:
        """What else exists of these types."""
        return (each for each in self.account.of_type(*tokens) if each is not self.subject)


@dataclass(frozen=True)
class Refusal:
    """What AWS says, and about which property."""

    rule: Rule
    detail: str

    @property
    def message(self) -> str:
        """One line."""
        return f"{self.rule.outcome} ({self.detail})"


def refused(request: Request, at: str) -> Refusal | None:
    """The first row of the table that refuses the request."""
    found = all_refused(request, at)
    return found[0] if found else None


def all_refused(request: Request, at: str) -> Sequence[Refusal]:
    """Every row of the table that refuses the request."""
    with request.account.lock:
        return [
            Refusal(rule, detail)
            for rule in rules_of(request.type, "refuses", "bound", "unique", "in use")
            if at in rule.at
            for detail in [_detail(rule, request)]
            if detail is not None
        ]


def _detail(rule: Rule, request: Request) -> str | None:
    if rule.rule == "in use":
        return _user(rule, request)
    if rule.by == "together":
        return _same(rule, request)
    if found := REFUSALS.get(rule.by):
        return found(rule, request)
    return _outside(rule, request)


# --- rows that are data


def _user(rule: Rule, request: Request) -> str | None:
    """What still uses the subject."""
    names = request.subject.names if request.subject else frozenset[str]()
    for user in rule.by.split():
        token, _, name = user.rpartition(".")
        for each in request.others(token):
            if not names.isdisjoint(_texts(each.get(name))):
                return f"by {token} {each.id}"
    return None


def _same(rule: Rule, request: Request) -> str | None:
    """What has the same properties."""
    wanted = _key(rule, request.new)
    if wanted is None:
        return None
    for each in request.others(rule.type):
        if _key(rule, each.properties) == wanted:
            given = [
                f"{name} {request.new[name]}" for name in rule.properties if name in request.new
            ]
            return ", ".join(given)
    return None


def _key(rule: Rule, properties: Properties) -> tuple[Any, ...] | None:
    values = {name: properties.get(name) for name in rule.properties}
    if any(value is None and name not in rule.optional for name, value in values.items()):
        return None
    return tuple(values.values())


def _outside(rule: Rule, request: Request) -> str | None:
    """The value that is outside of a bound."""
    for name in rule.properties:
        for value in _at(request.new, name.split(".")):
            if value == UNKNOWN or value is None:
                continue
            if rule.by.startswith(_PATTERN):
                if not re.fullmatch(rule.by.removeprefix(_PATTERN), str(value)):
                    return f"{name} {value!r}"
            elif (size := _size(rule, name, value, request)) is not None:
                return size
    return None


def _size(rule: Rule, name: str, value: Any, request: Request) -> str | None:
    limit = _LIMIT.fullmatch(rule.by)
    if limit is None:
        message = f"rules.csv: nothing is known of {rule.by!r}, in {rule.label}"
        raise LookupError(message)
    measure, most = limit.group(1), int(limit.group(2))
    if measure == "count":
        size = 1 + sum(1 for each in request.others(rule.type) if each.get(name) == value)
    elif measure == "value":
        size = value
    else:
        size = len(str(value).encode() if measure == "bytes" else str(value))
    return f"{name}: {size}, at most {most}" if size > most else None


def _at(value: Any, path: Sequence[str]) -> Iterable[Any]:
    """Everything at a path through objects and lists."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _at(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        yield from _at(cast("Properties", value).get(path[0]), path[1:])


def _texts(value: Any) -> Iterable[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Properties", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)


# --- refusals by name


def _is_set(rule: Rule, request: Request) -> str | None:
    (name,) = rule.properties
    return f"{name} is true" if request.old.get(name) else None


def _attached_policies(_rule: Rule, request: Request) -> str | None:
    names = request.subject.names if request.subject else frozenset[str]()
    if request.old.get("forceDetachPolicies"):
        return None
    return next(
        (f"by {each.id}" for each in request.others(*ROLE_POLICIES) if each.get("role") in names),
        None,
    )


def _without_new_deployment(_rule: Rule, request: Request) -> str | None:
    strategies = [_strategies(properties) for properties in (request.old, request.new)]
    if strategies[0] == strategies[1] or request.new.get("forceNewDeployment") is True:
        return None
    return f"{strategies[0]} becomes {strategies[1]}"


def _strategies(properties: Properties) -> Any:
    given = cast("list[Properties]", properties.get("capacityProviderStrategies") or [])
    if any_unknown(given):
        return given
    return sorted(
        (str(each.get("capacityProvider")), each.get("base") or 0, each.get("weight") or 0)
        for each in given
    )


def _grace_period_without_balancers(_rule: Rule, request: Request) -> str | None:
    (was, had), (wanted, has) = (
        (
            properties.get("healthCheckGracePeriodSeconds") or 0,
            bool(properties.get("loadBalancers")),
        )
        for properties in (request.old, request.new)
    )
    if wanted and not has:
        return f"{wanted} seconds without load balancers"
    if request.subject and had != has and was != wanted:
        return f"{was} becomes {wanted} seconds as load balancers come or go"
    return None


def _target_group_elsewhere(_rule: Rule, request: Request) -> str | None:
    mine = _load_balancer(request.type, request.new, request.account)
    wanted = _target_groups(request.new)
    for each in request.others(LISTENER, LISTENER_RULE):
        theirs = _load_balancer(each.type, each.properties, request.account)
        shared = wanted & _target_groups(each.properties)
        if shared and theirs != mine:
            return f"{min(shared)} belongs to {theirs}"
    return None


def _target_groups(properties: Properties) -> set[str]:
    actions = [properties.get("defaultActions"), properties.get("actions")]
    return {text for text in _texts(actions) if ":targetgroup/" in text}


def _load_balancer(token: str, properties: Properties, account: Account) -> Any:
    if token == LISTENER:
        return properties.get("loadBalancerArn")
    arn = properties.get("listenerArn")
    listener = account.find(LISTENER, str(arn))
    return listener.get("loadBalancerArn") if listener else arn


def _record_exists(rule: Rule, request: Request) -> str | None:
    if request.new.get("allowOverwrite") or (
        request.subject and _record(request.old) == _record(request.new)
    ):
        return None
    for each in request.others(rule.type):
        if _record(each.properties) == _record(request.new):
            return f"{request.new.get('type')} {request.new.get('name')}"
    return None


def _record(properties: Properties) -> tuple[str, ...]:
    name = str(properties.get("name")).rstrip(".").lower()
    others = (str(properties.get(key)) for key in ("zoneId", "type", "setIdentifier"))
    return (name, *others)


def _subnet_in_use(_rule: Rule, request: Request) -> str | None:
    gone = set(request.old.get("subnetIds") or ()) - set(request.new.get("subnetIds") or ())
    names = request.subject.names if request.subject else frozenset[str]()
    for each in request.others(CLUSTER, CLUSTER_INSTANCE, INSTANCE, CACHE):
        if gone and names & {each.get("dbSubnetGroupName"), each.get("subnetGroupName")}:
            return f"{', '.join(sorted(gone))} by {each.id}"
    return None


def _less_storage(_rule: Rule, request: Request) -> str | None:
    wanted, there = request.new.get("allocatedStorage"), request.old.get("allocatedStorage")
    if wanted is None or there is None or int(wanted) >= int(there):
        return None
    return f"{there} GiB become {wanted}"


def _older_than_snapshot(_rule: Rule, request: Request) -> str | None:
    snapshot = snapshots.beginning(request.account, request.type, request.new)
    wanted = parts(request.new.get("engineVersion"))
    if snapshot is None or not wanted:
        return None
    asked = ".".join(map(str, wanted if len(wanted) > 1 else (*wanted, DEFAULT_MINOR)))
    there = snapshot.get("engineVersion")
    return f"{asked} for a snapshot of {there}" if is_older(asked, there) else None


def _older_version(_rule: Rule, request: Request) -> str | None:
    wanted, there = request.new.get("engineVersion"), _version(request.old)
    return f"{there} becomes {wanted}" if is_older(wanted, there) else None


def _cannot_pause(_rule: Rule, request: Request) -> str | None:
    least = next(iter(_at(request.new, ["serverlessv2ScalingConfiguration", "minCapacity"])), None)
    version = request.old.get("engineVersionActual") or request.new.get("engineVersion")
    older = is_older(version, PAUSES_FROM)
    return f"{version} pauses from {PAUSES_FROM} on" if least == 0 and older else None


def _major_upgrade(_rule: Rule, request: Request) -> str | None:
    wanted, there = request.new.get("engineVersion"), _version(request.old)
    if request.new.get("allowMajorVersionUpgrade") or not is_older(
        ".".join(map(str, parts(there)[:1])), ".".join(map(str, parts(wanted)[:1]))
    ):
        return None
    return f"{there} becomes {wanted}"


def _version(properties: Properties) -> Any:
    return properties.get("engineVersionActual") or properties.get("engineVersion")


def _snapshot_exists(rule: Rule, request: Request) -> str | None:
    name = request.old.get("finalSnapshotIdentifier")
    if request.old.get("skipFinalSnapshot") or name is None:
        return None
    return str(name) if request.account.find(snapshots.OF_TYPE[rule.type][0], str(name)) else None


def _without_final_snapshot(_rule: Rule, request: Request) -> str | None:
    old = request.old
    if old.get("skipFinalSnapshot") or old.get("finalSnapshotIdentifier"):
        return None
    return "the deletion would need one"


def _smaller(_rule: Rule, request: Request) -> str | None:
    wanted, there = request.new.get("size"), request.old.get("size")
    if wanted is None or there is None or int(wanted) >= int(there):
        return None
    return f"{there} GiB become {wanted}"


def _smaller_than_snapshot(_rule: Rule, request: Request) -> str | None:
    snapshot = snapshots.beginning(request.account, request.type, request.new)
    wanted, there = request.new.get("size"), snapshot.get("volumeSize") if snapshot else None
    if wanted is None or there is None or int(wanted) >= int(there):
        return None
    return f"{wanted} GiB for a snapshot of {there}"


def _modified_too_often(rule: Rule, request: Request) -> str | None:
    if request.subject is None or all(
        request.old.get(name) == request.new.get(name) for name in rule.properties
    ):
        return None
    since = time.monotonic() - _DAY_SECONDS
    recent = sum(1 for modified in request.subject.modified if modified > since)
    return f"{recent} times in 24 hours" if recent >= _MODIFICATIONS else None


def _tiering_missing(_rule: Rule, request: Request) -> str | None:
    kind = str(request.new.get("nodeType"))
    return kind if ".r6gd." in kind and not request.new.get("dataTieringEnabled") else None


def _of_another_region(rule: Rule, request: Request) -> str | None:
    region = request.new.get("region")
    for name in rule.properties:
        for value in _at(request.new, name.split(".")):
            prefix, *rest = str(value).split(":", 4)
            if region and prefix == "arn" and len(rest) > 3 and rest[2] not in ("", region):
                return f"{value} is not of {region}"
    return None


def _block(value: Any) -> ipaddress.IPv4Network | None:
    """A block that is written as the provider wants it."""
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError:
        return None
    return network if str(network) == str(value) else None


def _not_canonical(_rule: Rule, request: Request) -> str | None:
    value = request.new.get("cidrIpv4")
    if value is None or value == UNKNOWN or _block(value):
        return None
    return f"got {value}"


def _not_a_vpc_block(_rule: Rule, request: Request) -> str | None:
    value = request.new.get("cidrBlock")
    if value is None or value == UNKNOWN:
        return None
    network = _block(value)
    return None if network and 16 <= network.prefixlen <= 28 else f"got {value}"


def _reserved_block(_rule: Rule, request: Request) -> str | None:
    network = _block(request.new.get("cidrBlock"))
    if network and (network.is_loopback or network.is_link_local or network.is_multicast):
        return str(network)
    return None


def _start_time_of_before(rule: Rule, request: Request) -> str | None:
    if request.new.get("startTime"):
        return None
    changed = [name for name in rule.properties if request.old.get(name) != request.new.get(name)]
    return f"{', '.join(changed)} without startTime" if changed else None


REFUSALS: Mapping[str, Callable[[Rule, Request], str | None]] = {
    "attached_policies": _attached_policies,
    "cannot_pause": _cannot_pause,
    "grace_period_without_balancers": _grace_period_without_balancers,
    "is_set": _is_set,
    "less_storage": _less_storage,
    "major_upgrade": _major_upgrade,
    "modified_too_often": _modified_too_often,
    "not_a_vpc_block": _not_a_vpc_block,
    "not_canonical": _not_canonical,
    "of_another_region": _of_another_region,
    "older_than_snapshot": _older_than_snapshot,
    "older_version": _older_version,
    "record_exists": _record_exists,
    "reserved_block": _reserved_block,
    "smaller": _smaller,
    "smaller_than_snapshot": _smaller_than_snapshot,
    "snapshot_exists": _snapshot_exists,
    "start_time_of_before": _start_time_of_before,
    "subnet_in_use": _subnet_in_use,
    "target_group_elsewhere": _target_group_elsewhere,
    "tiering_missing": _tiering_missing,
    "without_final_snapshot": _without_final_snapshot,
    "without_new_deployment": _without_new_deployment,
}
