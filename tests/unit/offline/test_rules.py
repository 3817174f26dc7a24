"""Every row of `offline/rules.csv`: the in-memory AWS acts by it, or the row says why it does not.

A row that is data is driven with a case made from it; a row that names a function, with the case
that CASES has for it. Each is refused, or replaced, and is not when the violation is taken away.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2
from pydantic.alias_generators import to_camel

from langfuse_aws.components.protection.replacement_guard import INITIAL_INPUTS, REPLACEMENT_INPUTS
from langfuse_aws.offline import changes, naming, snapshots
from langfuse_aws.offline.account import CLUSTER_SNAPSHOT, DB_SNAPSHOT, VOLUME_SNAPSHOT, Made
from langfuse_aws.offline.catalog import EVERYTHING, resource_type
from langfuse_aws.offline.changes import CONDITIONS
from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.refusals import REFUSALS
from langfuse_aws.offline.rules import Rule, table
from langfuse_aws.offline.wire import from_struct, to_struct
from tests.unit.stack_graph import shipped

Properties = Mapping[str, Any]

CLUSTER = "aws:rds/cluster:Cluster"
INSTANCE = "aws:rds/instance:Instance"
CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
SERVICE = "aws:ecs/service:Service"
APP_RUNNER = "aws:apprunner/service:Service"
LISTENER = "aws:lb/listener:Listener"
LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
VOLUME = "aws:ebs/volume:Volume"
RECORD = "aws:route53/record:Record"
VPC = "aws:ec2/vpc:Vpc"
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/"
TARGETS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1"


class RefusedError(Exception):
    """The provider aborted a call."""

    def __init__(self, message: str, kept: str = "") -> None:
        super().__init__(message)
        self.kept = kept
        """The type of the detail that the engine gets."""


@dataclass
class Context:
    """A connection, as gRPC shows it."""

    name: str = "engine"
    trailing: Sequence[tuple[str, bytes]] = ()

    def peer(self) -> str:
        """Who asks."""
        return self.name

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, bytes]]) -> None:
        """Keep what is sent beside an error."""
        self.trailing = metadata

    def abort(self, _code: Any, message: str) -> None:
        """End the call."""
        kept = "ErrorResourceInitFailed" if b"ErrorResourceInitFailed" in bytes(self) else ""
        raise RefusedError(message, kept)

    def __bytes__(self) -> bytes:
        return b"".join(value for _, value in self.trailing)


@dataclass
class Engine:
    """Asks the provider what an engine would ask."""

    provider: AwsProvider = field(default_factory=AwsProvider)
    context: Context = field(default_factory=Context)
    states: dict[str, tuple[str, Properties, Struct]] = field(
        default_factory=dict[str, tuple[str, Properties, Struct]]
    )

    def connect(self, stack: str) -> "Engine":
        """Begin as the engine of a stack."""
        configured = provider_pb2.ConfigureRequest(id=stack)
        self.provider.Configure(configured, self.context)
        return self

    def check(self, token: str, inputs: Properties, name: str = "one") -> list[str]:
        """What Check refuses."""
        return [failure.reason for failure in self._checked(token, inputs, name).failures]

    def _checked(self, token: str, inputs: Properties, name: str) -> Any:
        asked = provider_pb2.CheckRequest(
            type=token, name=name, news=to_struct(inputs), randomSeed=name.encode()
        )
        return self.provider.Check(asked, self.context)

    def create(self, token: str, inputs: Properties, name: str = "one") -> str:
        """Make something; gives its ID."""
        properties = self._checked(token, inputs, name).inputs
        asked = provider_pb2.CreateRequest(type=token, name=name, properties=properties)
        made = self.provider.Create(asked, self.context)
        self.knows(token, from_struct(properties), name, made.id, made.properties)
        return made.id

    def knows(
        self,
        token: str,
        inputs: Properties,
        name: str = "one",
        resource_id: str = "id",
        outputs: Struct | None = None,
    ) -> None:
        """Have something in the state."""
        self.states[f"{token} {name}"] = (resource_id, inputs, outputs or to_struct(inputs))

    def fields(self, token: str, inputs: Properties, name: str) -> dict[str, Any]:
        """What is told of a change; what Pulumi fills in stays."""
        found, old, state = self.states[f"{token} {name}"]
        kept = {
            key: value
            for key, value in old.items()
            if key in ("region", "tagsAll", naming.DEFAULTS, *old.get(naming.DEFAULTS, ()))
        }
        same = {"type": token, "name": name, "id": found, "old_inputs": to_struct(old)}
        return {**same, "olds": state, "news": to_struct({**kept, **inputs})}

    def diff(self, token: str, inputs: Properties, name: str = "one") -> Any:
        """What would change."""
        asked = provider_pb2.DiffRequest(**self.fields(token, inputs, name))
        return self.provider.Diff(asked, self.context)

    def update(self, token: str, inputs: Properties, name: str = "one") -> None:
        """Change something."""
        asked = provider_pb2.UpdateRequest(**self.fields(token, inputs, name))
        changed = self.provider.Update(asked, self.context)
        found, _, _ = self.states[f"{token} {name}"]
        self.knows(token, from_struct(asked.news), name, found, changed.properties)

    def refresh(self, token: str, name: str = "one") -> None:
        """Read something into the state."""
        found, old, state = self.states[f"{token} {name}"]
        asked = provider_pb2.ReadRequest(
            type=token, name=name, id=found, inputs=to_struct(old), properties=state
        )
        read = self.provider.Read(asked, self.context)
        self.knows(token, from_struct(read.inputs), name, found, read.properties)

    def delete(self, token: str, name: str = "one") -> None:
        """Delete something."""
        found, old, state = self.states[f"{token} {name}"]
        asked = provider_pb2.DeleteRequest(
            type=token, name=name, id=found, old_inputs=to_struct(old), properties=state
        )
        self.provider.Delete(asked, self.context)


def engine(*begin_with: Made) -> Engine:
    return Engine(AwsProvider(begin_with=begin_with)).connect("stack")


def refusal(act: Callable[[], Any]) -> str:
    """The message of a refusal; empty if there is none."""
    try:
        act()
    except RefusedError as error:
        return str(error)
    return ""


# --- the table


def label(rule: Rule) -> str:
    return rule.label


def of(*kinds: str) -> list[Rule]:
    return [rule for rule in table() if rule.by and rule.rule in kinds]


REPLACED = [rule for rule in of("replaces") if rule.by == "always"]
REPLACED_IF = [rule for rule in of("replaces") if rule.by != "always"]
TOGETHER = [rule for rule in of("unique") if rule.by == "together"]


def test_a_row_is_whole() -> None:
    broken = [label(rule) for rule in table() if not is_whole(rule)]
    assert broken == [], "acted by or saying why not, with words, a source and a moment"


def is_whole(rule: Rule) -> bool:
    sourced = re.search(r"https://|hashicorp/|pulumi/", rule.source) and "shared" not in rule.source
    worded = bool(rule.condition and rule.outcome)
    timed = rule.at <= {"check", "preview", "create", "update", "delete", "start"}
    return bool(rule.by) != bool(rule.why_not) and worded and timed and bool(sourced)


def test_no_two_rows_say_the_same() -> None:
    labels = [rule.label for rule in table() if rule.by]
    assert len(labels) == len(set(labels))


def test_every_type_of_the_program_that_offline_knows_has_its_replacements_in_the_table() -> None:
    graph = shipped("prod")
    known = {rule.type for rule in of("replaces")}
    without = {each.type for each in graph.registrations if each.type.startswith("aws:")} - known
    assert without <= {"aws:ec2/internetGateway:InternetGateway"}, "nothing replaces it"


@pytest.fixture(autouse=True)
def any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take any text: its bounds are another table's, and test_text_rules.py has them."""
    monkeypatch.setattr("langfuse_aws.offline.text_rules.faults", lambda *_: [])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


# --- what replaces


def changed(token: str, path: str) -> tuple[Properties, Properties]:
    """Inputs before and after a change at a path."""

    def nested(value: str) -> Properties:
        inputs: Any = value
        for key in reversed(path.split(".")):
            inputs = {key: inputs}
        return inputs

    named = resource_type(token).naming
    base = {named.property: "same"} if named and named.property != path else {}
    return {**base, **nested("old")}, {**base, **nested("new")}


def test_a_change_replaces() -> None:
    for rule in REPLACED:
        for path in rule.properties:
            old, new = changed(rule.type, "kind" if path in EVERYTHING else path)
            asked = engine()
            asked.knows(rule.type, old)
            assert asked.diff(rule.type, new).replaces, f"{label(rule)}: {path}"


@pytest.mark.parametrize("rule", of("stays"), ids=label)
def test_a_change_is_made_in_place(rule: Rule) -> None:
    for path in rule.properties:
        old, new = changed(rule.type, path)
        found = changes.compare(rule.type, dict(old), dict(new))
        assert found.changes
        assert not found.replaces


@pytest.mark.parametrize("rule", of("deletes first"), ids=label)
def test_a_replacement_deletes_first(rule: Rule) -> None:
    path = next(
        name for each in of("replaces") if each.type == rule.type for name in each.properties
    )
    old, new = changed(rule.type, "policyArn" if path in EVERYTHING else path)
    assert changes.compare(rule.type, dict(old), dict(new)).delete_first


CONDITIONAL: Mapping[str, tuple[Properties, Properties, Properties]] = {
    "another_kind_of_peer": (
        {"cidrIpv4": "10.0.0.0/8"},
        {"referencedSecurityGroupId": "sg-1"},
        {"cidrIpv4": "11.0.0.0/8"},
    ),
    "before_transit_changes": (
        {"engineVersion": "6.2", "transitEncryptionEnabled": False},
        {"engineVersion": "6.2", "transitEncryptionEnabled": True},
        {"engineVersion": "6.2", "transitEncryptionEnabled": False, "port": None},
    ),
    "lower_version": (
        {"engineVersion": "8.1"},
        {"engineVersion": "8.0"},
        {"engineVersion": "8.2"},
    ),
    "not_an_interface": (
        {"privateDnsEnabled": True, "vpcEndpointType": "Gateway"},
        {"privateDnsEnabled": False, "vpcEndpointType": "Gateway"},
        {"privateDnsEnabled": True, "vpcEndpointType": "Gateway", "policy": "p"},
    ),
    "not_aurora": (
        {"engine": "postgres", "storageType": "io1"},
        {"engine": "postgres", "storageType": "gp3"},
        {"engine": "postgres", "storageType": "io1", "iops": 1},
    ),
    "not_to_valkey": ({"engine": "valkey"}, {"engine": "redis"}, {"engine": "valkey"}),
    "replaced_on_user_data": (
        {"userData": "a", "userDataReplaceOnChange": True},
        {"userData": "b", "userDataReplaceOnChange": True},
        {"userData": "b"},
    ),
}
"""What there is, a change that replaces it, and one that does not."""


@pytest.mark.parametrize("rule", REPLACED_IF, ids=label)
def test_a_change_replaces_under_its_condition(rule: Rule) -> None:
    old, replacing, other = CONDITIONAL[rule.by]
    assert changes.compare(rule.type, dict(old), dict(replacing)).replaces
    assert not changes.compare(rule.type, dict(old), dict(other)).replaces


@pytest.mark.parametrize("rule", of("read back"), ids=label)
def test_what_aws_has_is_what_a_change_starts_from(rule: Rule) -> None:
    for name in rule.properties:
        inputs = {name: "8.0"}
        read = {**inputs, name: "8.1"}
        difference = changes.compare(rule.type, inputs, inputs, read)
        assert [change.property for change in difference.changes] == [name]
        replaces = {
            each for row in of("replaces") if row.type == rule.type for each in row.properties
        }
        assert difference.replaces == ([name] if name in replaces else [])
        assert not changes.compare(rule.type, inputs, inputs, read, [name]).changes
        assert not changes.compare(rule.type, inputs, inputs, inputs).changes


@pytest.mark.parametrize(
    "token", [token for token in REPLACEMENT_INPUTS if token.startswith("aws:")]
)
def test_the_guard_watches_what_the_table_says_replaces_data(token: str) -> None:
    watched = {to_camel(name) for name in REPLACEMENT_INPUTS[token]} | set(
        INITIAL_INPUTS.get(token, ())
    )
    always = {
        name
        for rule in of("replaces")
        if rule.type == token and rule.by == "always"
        for name in rule.properties
    }
    begins = {"restoreToPointInTime", "s3Import", "snapshotArns", "snapshotName"}
    assert always - watched <= begins, "the program never sets what these begin with"
    stays = {name for rule in of("stays") if rule.type == token for name in rule.properties}
    assert not watched & stays, "these change in place"
    raised_by_aws = {"allocatedStorage", "engineVersion"}
    assert watched - always - {"region"} - raised_by_aws <= {
        name for rule in of("replaces") if rule.type == token for name in rule.properties
    }, "these replace nothing"


# --- what is unique, in use or bound


@pytest.mark.parametrize("rule", TOGETHER, ids=label)
def test_what_is_unique_is_refused_a_second_time(rule: Rule) -> None:
    inputs = dict.fromkeys(rule.properties, "same")
    asked = engine()
    asked.create(rule.type, inputs, "one")
    assert rule.outcome in refusal(lambda: asked.create(rule.type, inputs, "two"))
    asked.update(rule.type, {**inputs, "tags": {"a": "b"}}, "one")
    for name in rule.properties:
        another = engine()
        another.create(rule.type, inputs, "one")
        another.create(rule.type, {**inputs, name: "other"}, "two")
        if name == rule.properties[0]:
            assert rule.outcome in refusal(
                lambda another=another: another.update(rule.type, inputs, "two")
            )


FINISHED = {"skipFinalSnapshot": True}


@pytest.mark.parametrize("rule", of("in use"), ids=label)
def test_what_is_in_use_is_not_deleted(rule: Rule) -> None:
    named = resource_type(rule.type).naming
    inputs = {named.property: "used", **FINISHED} if named else {"a": "b"}
    for user in rule.by.split():
        token, _, name = user.rpartition(".")
        asked = engine()
        used = asked.create(rule.type, inputs, "used")
        asked.create(token, {name: [used], **FINISHED}, "user")
        assert rule.outcome in refusal(lambda asked=asked: asked.delete(rule.type, "used")), user
        asked.delete(token, "user")
        asked.delete(rule.type, "used")


def bounded() -> list[Rule]:
    return [rule for rule in of("bound") if rule.by not in REFUSALS]


def beyond(rule: Rule) -> tuple[Any, Any]:
    """A value within a bound, and one outside."""
    if rule.by.startswith("pattern"):
        pattern = rule.by.removeprefix("pattern ")
        return next(each for each in ("fine", "1.5") if re.fullmatch(pattern, each)), "jürgen's"
    limit = int(rule.by.rpartition(" ")[2])
    if rule.by.startswith("value"):
        return limit, limit + 1
    return "x" * limit, "x" * (limit + 1)


@pytest.mark.parametrize("rule", bounded(), ids=label)
def test_what_is_outside_of_a_bound_is_refused(rule: Rule) -> None:
    asked = engine()
    if rule.by.startswith("count"):
        (name,) = rule.properties
        for number in range(int(rule.by.rpartition(" ")[2])):
            asked.create(rule.type, {name: "same", "ipProtocol": number}, str(number))
        one_more = {name: "same", "ipProtocol": "more"}
        assert rule.outcome in refusal(lambda: asked.create(rule.type, one_more, "more"))
        asked.create(rule.type, {**one_more, name: "another"}, "another")
        return
    for path in rule.properties:
        within, outside = (dict(_at(path.split("."), value)) for value in beyond(rule))
        if "check" in rule.at:
            assert any(rule.outcome in each for each in asked.check(rule.type, outside))
            assert asked.check(rule.type, within) == []
            continue
        if "create" in rule.at:
            assert rule.outcome in refusal(lambda outside=outside: asked.create(rule.type, outside))
        asked.create(rule.type, within)
        if "update" in rule.at:
            assert rule.outcome in refusal(lambda outside=outside: asked.update(rule.type, outside))


def _at(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def test_a_budget_of_nothing_is_refused() -> None:
    asked = engine()
    assert "not a number above 0" in refusal(
        lambda: asked.create("aws:budgets/budget:Budget", {"name": "b", "limitAmount": "0.0"})
    )
    asked.create("aws:budgets/budget:Budget", {"name": "b", "limitAmount": "0.1"})


# --- what a function refuses


@dataclass(frozen=True)
class Case:
    """What there is, what is refused, and what is not."""

    there: Properties | None
    violating: Properties
    fine: Properties
    begin_with: Sequence[Made] = ()
    beside: Sequence[Made] = ()
    """What is made before."""


RESTORED = {"snapshotIdentifier": "arn:aws:rds:us-east-1:123456789012:snapshot:kept"}
FINAL = {"finalSnapshotIdentifier": "last", "identifier": "db", "clusterIdentifier": "db"}
ATTACHED = {"role": "host", "policyArn": "arn:aws:iam::123456789012:policy/of-somebody-else"}
RULE = {"securityGroupId": "sg-1", "ipProtocol": "tcp"}
BEHIND = {"loadBalancers": [{"containerPort": 3000}]}
GRACE = {"healthCheckGracePeriodSeconds": 60}
SPOT = {"capacityProviderStrategies": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
PLAIN = {"capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}]}


def forwards(balancer: str, **more: Any) -> Properties:
    forward = [{"type": "forward", "targetGroupArn": TARGETS}]
    return {"loadBalancerArn": BALANCER + balancer, "port": 443, "defaultActions": forward, **more}


ABSENT: Mapping[str, Properties] = {
    LISTENER: {"loadBalancerArn": BALANCER + "second/2", "port": 443},
    LISTENER_RULE: {"listenerArn": "l/1"},
}
"""What there is before an update of what is no other case's."""

RULE_OF = {"actions": forwards("")["defaultActions"], "listenerArn": "l/1"}


def record(**more: Any) -> Properties:
    return {"zoneId": "Z1", "name": "langfuse.example.com", "type": "A", **more}


GROUP_USERS: Mapping[str, tuple[str, Properties]] = {
    "aws:rds/subnetGroup:SubnetGroup": (CLUSTER, {"dbSubnetGroupName": "group"}),
    "aws:elasticache/subnetGroup:SubnetGroup": (CACHE, {"subnetGroupName": "group"}),
}

HERE = "us-east-1"


def pausing(least: float) -> Properties:
    """A cluster's capacity."""
    return {"serverlessv2ScalingConfiguration": {"minCapacity": least, "maxCapacity": 2}}


def of_region(rule: Rule, region: str) -> dict[str, Any]:
    """The rule's properties, with things of the region."""
    found: dict[str, Any] = {"region": HERE}
    for path in rule.properties:
        value: Any = f"arn:aws:service:{region}:123456789012:thing/1"
        for key in reversed(path.split(".")[1:]):
            value = {key: value}
        found[path.split(".")[0]] = value
    return found


CASES: Mapping[str, Callable[[Rule], Case]] = {
    "attached_policies": lambda _: Case(
        {"name": "host"},
        {},
        {"name": "host", "forceDetachPolicies": True},
        beside=[("aws:iam/rolePolicyAttachment:RolePolicyAttachment", ATTACHED)],
    ),
    "cannot_pause": lambda rule: Case(
        {**pausing(0.5), "engineVersion": "16.2"} if "update" in rule.at else None,
        {**pausing(0), "engineVersion": "16.2"},
        {**pausing(0.5), "engineVersion": "16.2"},
    ),
    "grace_period_without_balancers": lambda rule: (
        Case({"taskDefinition": "a"}, {**BEHIND, **GRACE}, {**BEHIND})
        if "update" in rule.at
        else Case(None, GRACE, {**BEHIND, **GRACE})
    ),
    "is_set": lambda rule: Case({rule.properties[0]: True}, {}, {rule.properties[0]: False}),
    "less_storage": lambda rule: (
        Case({"allocatedStorage": 100}, {"allocatedStorage": 20}, {"allocatedStorage": 200})
        if "update" in rule.at
        else Case(
            None,
            {**RESTORED, "allocatedStorage": 20},
            {**RESTORED, "allocatedStorage": 100},
            [(DB_SNAPSHOT, {"id": "kept", "allocatedStorage": 100})],
        )
    ),
    "major_upgrade": lambda _: Case(
        {"engineVersion": "16"},
        {"engineVersion": "17"},
        {"engineVersion": "17", "allowMajorVersionUpgrade": True},
    ),
    "modified_too_often": lambda _: Case({"size": 1}, {"size": 9}, {"size": 5}),
    "not_a_vpc_block": lambda _: Case(
        None, {"cidrBlock": "10.0.0.0/255.255.0.0"}, {"cidrBlock": "10.0.0.0/16"}
    ),
    "not_canonical": lambda _: Case(
        None, {**RULE, "cidrIpv4": "203.0.113.7"}, {**RULE, "cidrIpv4": "203.0.113.7/32"}
    ),
    "of_another_region": lambda rule: Case(
        None, of_region(rule, "eu-west-1"), of_region(rule, HERE)
    ),
    "older_than_snapshot": lambda _: Case(
        None,
        {**RESTORED, "engineVersion": "16"},
        {**RESTORED, "engineVersion": "16.9"},
        [(CLUSTER_SNAPSHOT, {"id": "kept", "engineVersion": "16.9"})],
    ),
    "older_version": lambda _: Case(
        {"engineVersion": "16.9"}, {"engineVersion": "16.8"}, {"engineVersion": "16"}
    ),
    "record_exists": lambda rule: Case(
        None if "create" in rule.at else record(type="CNAME"),
        record(name="Langfuse.example.com."),
        record(allowOverwrite=True),
        [(RECORD, record(id="by hand"))],
    ),
    "reserved_block": lambda _: Case(
        None, {"cidrBlock": "127.0.0.0/16"}, {"cidrBlock": "10.0.0.0/16"}
    ),
    "smaller": lambda _: Case({"size": 40}, {"size": 20}, {"size": 60}),
    "smaller_than_snapshot": lambda _: Case(
        None,
        {"snapshotId": "snap-1", "size": 20},
        {"snapshotId": "snap-1", "size": 40},
        [(VOLUME_SNAPSHOT, {"id": "snap-1", "volumeSize": 40})],
    ),
    "snapshot_exists": lambda rule: Case(
        FINAL,
        {},
        {**FINAL, "finalSnapshotIdentifier": "another"},
        [(snapshots.OF_TYPE[rule.type][0], {"id": "last"})],
    ),
    "start_time_of_before": lambda _: Case(
        {"scheduledActionName": "sleep", "recurrence": "0 19 * * 1"},
        {"scheduledActionName": "sleep", "recurrence": "0 20 * * 1"},
        {
            "scheduledActionName": "sleep",
            "recurrence": "0 20 * * 1",
            "startTime": "2030-01-07T20:00:00Z",
        },
    ),
    "subnet_in_use": lambda rule: Case(
        {"name": "group", "subnetIds": ["subnet-1", "subnet-2"]},
        {"name": "group", "subnetIds": ["subnet-1"]},
        {"name": "group", "subnetIds": ["subnet-1", "subnet-2", "subnet-3"]},
        beside=[GROUP_USERS[rule.type]],
    ),
    "target_group_elsewhere": lambda rule: Case(
        None,
        forwards("second/2") if rule.type == LISTENER else {**RULE_OF, "listenerArn": "l/2"},
        {**forwards("first/1"), "port": 80}
        if rule.type == LISTENER
        else {**RULE_OF, "actions": []},
        beside=[(LISTENER, forwards("first/1"))],
    ),
    "tiering_missing": lambda _: Case(
        {"nodeType": "cache.r7g.large"},
        {"nodeType": "cache.r6gd.xlarge"},
        {"nodeType": "cache.r6gd.xlarge", "dataTieringEnabled": True},
    ),
    "without_final_snapshot": lambda _: Case(
        {"identifier": "db", "clusterIdentifier": "db"}, {}, {**FINAL}
    ),
    "without_new_deployment": lambda _: Case(PLAIN, SPOT, {**SPOT, "forceNewDeployment": True}),
}


def by_function() -> list[Rule]:
    return [rule for rule in of("refuses", "bound", "unique") if rule.by in REFUSALS]


def test_there_is_a_case_for_each_function() -> None:
    assert set(CASES) == set(REFUSALS) == {rule.by for rule in by_function()}
    assert set(CONDITIONAL) == set(CONDITIONS)


@pytest.mark.parametrize("rule", by_function(), ids=label)
def test_a_function_refuses_its_case(rule: Rule) -> None:
    case = CASES[rule.by](rule)

    def begun() -> Engine:
        asked = engine(*case.begin_with)
        for number, (token, inputs) in enumerate(case.beside):
            asked.create(token, inputs, f"beside {number}")
        return asked

    def act(inputs: Properties, at: str) -> str:
        asked = begun()
        if at == "create" or (at == "start" and case.there is None):
            return refusal(lambda: asked.create(rule.type, inputs))
        if at == "check":
            return " ".join(asked.check(rule.type, inputs))
        if at == "delete":
            asked.create(rule.type, {"skipFinalSnapshot": False, **(inputs or case.there or {})})
            return refusal(lambda: asked.delete(rule.type))
        asked.create(rule.type, case.there or ABSENT.get(rule.type, {}))
        if rule.by == "modified_too_often":
            for size in (2, 3, 4) if inputs == case.fine else (2, 3, 4, 5):
                asked.update(rule.type, {"size": size})
        ask = asked.diff if at == "preview" else asked.update
        return refusal(lambda: ask(rule.type, inputs))

    for at in sorted(rule.at):
        assert rule.outcome in act(case.violating, at), at
        assert rule.outcome not in act(case.fine, at), at


# --- services


def service(task: str, **more: Any) -> Properties:
    return {"name": "web", "cluster": "c", "taskDefinition": task, **more}


def image(release: str) -> Properties:
    source = {"imageRepository": {"imageIdentifier": release}}
    return {"serviceName": "web", "sourceConfiguration": source}


def test_a_service_that_never_started_is_kept_and_nothing_starts_it_by_itself() -> None:
    asked = engine()
    asked.provider.fails_to_start["one"] = "tasks failed to start"
    with pytest.raises(RefusedError, match="tasks failed to start") as found:
        asked.create(SERVICE, service("first"))
    assert found.value.kept == "ErrorResourceInitFailed", "it is in the state all the same"
    assert asked.provider.runs("one") is None
    (there,) = asked.provider.account(asked.context).of_type(SERVICE)
    asked.states[f"{SERVICE} one"] = (
        there.id,
        service("first"),
        to_struct(there.properties),
    )
    asked.provider.fails_to_start.clear()
    asked.update(SERVICE, service("first"))
    assert asked.provider.runs("one") is None, "no difference: nothing is sent"
    asked.update(SERVICE, service("first", desiredCount=2))
    assert asked.provider.runs("one") is None, "no deployment"
    asked.update(SERVICE, service("second"))
    assert asked.provider.runs("one") == "second"


def test_a_deployment_that_fails_later_is_rolled_back_and_said() -> None:
    asked = engine()
    asked.create(SERVICE, service("first"))
    asked.provider.fails_to_start["one"] = "tasks failed to start"
    with pytest.raises(RefusedError, match="tasks failed to start") as found:
        asked.update(SERVICE, service("second"))
    assert found.value.kept == "ErrorResourceInitFailed"
    assert asked.provider.runs("one") == "first"
    asked.provider.fails_to_start.clear()
    asked.knows(SERVICE, service("second"), "one", asked.states[f"{SERVICE} one"][0])
    asked.update(SERVICE, service("second"))
    assert asked.provider.runs("one") == "first", "no difference: nothing is sent"
    asked.refresh(SERVICE)
    asked.update(SERVICE, service("second"))
    assert asked.provider.runs("one") == "second", "a refresh reads what runs"
    asked.refresh(SERVICE)
    assert asked.states[f"{SERVICE} one"][1]["taskDefinition"] == "second"


def test_app_runner_goes_back_without_a_word() -> None:
    asked = engine()
    asked.create(APP_RUNNER, image("first"))
    asked.provider.fails_to_start["one"] = "health check"
    asked.update(APP_RUNNER, image("second"))
    assert asked.provider.runs("one") == "first"
    state = from_struct(asked.states[f"{APP_RUNNER} one"][2])
    read = image("first")["sourceConfiguration"]
    assert state["sourceConfiguration"] == read, "the provider reads what runs at the end"


def test_app_runner_says_a_first_start_that_fails() -> None:
    asked = engine()
    asked.provider.fails_to_start["one"] = "health check"
    with pytest.raises(RefusedError, match="health check") as found:
        asked.create(APP_RUNNER, image("first"))
    assert found.value.kept == "ErrorResourceInitFailed"


def test_what_happens_to_services_is_in_the_table() -> None:
    assert {rule.by for rule in of("ineffective")} == {
        "clock_is_ahead",
        "first_start",
        "nothing_to_send",
        "rolled_back",
    }


# --- parameter groups


@pytest.mark.parametrize(
    ("token", "family", "parameter", "kept"),
    [
        ("aws:rds/parameterGroup:ParameterGroup", "postgres16", ("rds.force_ssl", "1"), False),
        ("aws:rds/parameterGroup:ParameterGroup", "postgres16", ("rds.force_ssl", "0"), True),
        (
            "aws:rds/clusterParameterGroup:ClusterParameterGroup",
            "aurora-postgresql16",
            ("timezone", "UTC"),
            False,
        ),
        (
            "aws:rds/clusterParameterGroup:ClusterParameterGroup",
            "aurora-postgresql16",
            ("rds.force_ssl", "1"),
            True,
        ),
    ],
)
def test_a_parameter_with_its_familys_value_changes_with_every_update(
    token: str, family: str, parameter: tuple[str, str], kept: bool
) -> None:
    given = dict(zip(("name", "value"), parameter, strict=True))
    asked = engine()
    asked.create(token, {"family": family, "parameters": [given]})
    found = asked.diff(token, {"family": family, "parameters": [given]}).diffs
    assert list(found) == ([] if kept else ["parameters"])
    later = {"family": family, "parameters": [{**given, "applyMethod": "pending-reboot"}]}
    asked.create(token, later, "two")
    assert not asked.diff(token, later, "two").diffs


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_second_up_changes_no_parameter_group(stack: str) -> None:
    groups = [each for each in shipped(stack).registrations if "ParameterGroup" in each.type]
    assert any(each.type.startswith("aws:rds/") for each in groups)
    asked = engine()
    for each in groups:
        asked.create(each.type, each.inputs, each.name)
        changed = asked.diff(each.type, each.inputs, each.name).detailedDiff
        assert not changed, f"{each.name}: {list(changed)}"


# --- snapshots


@pytest.mark.parametrize("token", [CLUSTER, INSTANCE])
def test_a_restored_database_is_what_its_snapshot_was(token: str) -> None:
    kind, key = snapshots.OF_TYPE[token]
    asked = engine((kind, {"id": "kept", "storageEncrypted": False}))
    asked.create(token, {key: "kept", "storageEncrypted": True})
    difference = asked.diff(token, {key: "kept", "storageEncrypted": True})
    assert difference.replaces == ["storageEncrypted"], "though no input has changed"


def test_a_final_snapshot_stays_and_its_name_is_taken() -> None:
    asked = engine()
    asked.create(INSTANCE, {**FINAL, "allocatedStorage": 100})
    asked.delete(INSTANCE)
    asked.create(INSTANCE, FINAL)
    assert "SnapshotAlreadyExists" in refusal(lambda: asked.delete(INSTANCE))
    smaller = {"identifier": "restored", "snapshotIdentifier": "last", "allocatedStorage": 20}
    assert "cannot be reduced" in refusal(lambda: asked.create(INSTANCE, smaller))


def test_what_a_hand_changes_counts_and_a_refresh_reads_it() -> None:
    asked = engine()
    found = asked.create(CLUSTER, {**FINAL, "deletionProtection": True})
    assert "cannot delete what is protected" in refusal(lambda: asked.delete(CLUSTER))
    asked.provider.change_by_hand(CLUSTER, found, deletionProtection=False)
    assert from_struct(asked.states[f"{CLUSTER} one"][2])["deletionProtection"]
    asked.refresh(CLUSTER)
    assert not from_struct(asked.states[f"{CLUSTER} one"][2])["deletionProtection"]
    asked.delete(CLUSTER)


def test_protection_is_lifted_off_what_is_named_alone() -> None:
    asked = engine()
    for name in ("one", "two"):
        inputs = {**FINAL, "clusterIdentifier": name, "deletionProtection": True}
        asked.create(CLUSTER, inputs, name)
    arn = from_struct(asked.states[f"{CLUSTER} one"][2])["arn"]
    asked.provider.unprotect({arn})
    asked.delete(CLUSTER, "one")
    assert "cannot delete what is protected" in refusal(lambda: asked.delete(CLUSTER, "two"))


def test_a_cache_that_aws_has_upgraded_would_be_replaced_after_a_refresh() -> None:
    asked = engine()
    found = asked.create(CACHE, {"replicationGroupId": "c", "engineVersion": "8.0"})
    wanted = {"replicationGroupId": "c", "engineVersion": "8.0"}
    asked.provider.change_by_hand(CACHE, found, engineVersion="8.1")
    assert not asked.diff(CACHE, wanted).replaces
    asked.refresh(CACHE)
    assert list(asked.diff(CACHE, wanted).replaces) == ["engineVersion"]


# --- accounts


VAULT = "aws:backup/vault:Vault"


def test_each_stack_has_an_account_of_its_own() -> None:
    first = engine()
    first.create(VAULT, {"name": "copies"})
    second = Engine(first.provider, Context("another engine")).connect("another stack")
    second.create(VAULT, {"name": "copies"})
    again = Engine(first.provider, Context("a later engine")).connect("stack")
    assert "AlreadyExists" in refusal(lambda: again.create(VAULT, {"name": "copies"}))


def test_one_account_can_be_for_all() -> None:
    first = Engine(AwsProvider(shared=True)).connect("stack")
    first.create(VAULT, {"name": "copies"})
    second = Engine(first.provider, Context("another engine")).connect("another stack")
    assert "AlreadyExists" in refusal(lambda: second.create(VAULT, {"name": "copies"}))


def test_what_was_made_before_is_learned_from_what_the_engine_tells() -> None:
    before = engine()
    before.create(VAULT, {"name": "copies"})
    after = engine()
    after.states = before.states
    before.create(SERVICE, service("first"), "web")
    after.diff(VAULT, {"name": "copies"})
    after.diff(SERVICE, service("first"), "web")
    assert after.provider.runs("web") == "first"
    assert "AlreadyExists" in refusal(lambda: after.create(VAULT, {"name": "copies"}, "two"))
    after.delete(VAULT)
    after.create(VAULT, {"name": "copies"}, "two")


def test_a_preview_changes_nothing() -> None:
    asked = engine()
    properties = to_struct({"name": "copies"})
    planned = provider_pb2.CreateRequest(
        type=VAULT, name="one", properties=properties, preview=True
    )
    asked.provider.Create(planned, asked.context)
    asked.create(VAULT, {"name": "copies"})
    change = asked.fields(VAULT, {"name": "copies", "tags": {"a": "b"}}, "one")
    asked.provider.Update(provider_pb2.UpdateRequest(**change, preview=True), asked.context)
    (there,) = asked.provider.account(asked.context).of_type(VAULT)
    assert "tags" not in there.properties


def test_a_replacement_may_have_the_id_of_what_it_replaces() -> None:
    task = "aws:ecs/taskDefinition:TaskDefinition"
    asked = engine()
    asked.create(task, {"family": "web", "cpu": "256"}, "one")
    asked.create(task, {"family": "web", "cpu": "512"}, "two")
    asked.delete(task, "one")
    (there,) = asked.provider.account(asked.context).of_type(task)
    assert there.get("cpu") == "512"
