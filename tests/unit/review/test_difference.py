"""The difference between two graphs, its report and its gates, on graphs made by hand.

That the engine's graphs have this form, and what a real change gives, tests/engine/test_diff shows.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from langfuse_aws.cost.bill import IdleCost
from langfuse_aws.cost.prices import SourceClass
from langfuse_aws.graph.model import SECRET, UNKNOWN, Resource, ResourceGraph
from langfuse_aws.graph.open_ports import OpenPort
from langfuse_aws.graph.preview import Step
from langfuse_aws.review import gates
from langfuse_aws.review.difference import (
    Change,
    ContainerChange,
    Difference,
    difference,
)
from langfuse_aws.review.facts import Permission, exposures, permissions
from langfuse_aws.review.markdown import code, html_code
from langfuse_aws.review.property_changes import PropertyChange
from langfuse_aws.review.report import CUT, LONGEST_COMMENT, MARK, report

PREFIX = "urn:pulumi:prod::langfuse::"
CLUSTER = "aws:rds/cluster:Cluster"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"


def resource(kind: str, name: str, parent: str = "", **inputs: Any) -> Resource:
    return Resource(urn=f"{PREFIX}{kind}::{name}", type=kind, parent=parent, inputs=inputs)


DATA_PLANE = Resource(
    urn=f"{PREFIX}langfuse:index:DataPlane::data", type="langfuse:index:DataPlane", custom=False
)
POSTGRES = Resource(
    urn=f"{PREFIX}x$langfuse:index:Postgres::pg",
    type="langfuse:index:Postgres",
    custom=False,
    parent=DATA_PLANE.urn,
)


def graph(*resources: Resource) -> ResourceGraph:
    return ResourceGraph((DATA_PLANE, POSTGRES, *resources))


def step(operation: str, old: Resource | None, new: Resource | None, **changed: str) -> Step:
    there = new or old
    assert there is not None
    return Step(operation, there.urn, old, new, changed)


def compared(
    before: ResourceGraph,
    after: ResourceGraph,
    *steps: Step,
    allowed: tuple[str, ...] = (),
    allowed_before: tuple[str, ...] = (),
    cost: tuple[float | None, float | None] = (None, None),
    known_from: SourceClass = "AWS",
    missing: tuple[str, ...] = (),
) -> Difference:
    costs = {
        id(graph): IdleCost(usd, known_from, missing if usd is None else ())
        for graph, usd in zip((before, after), cost, strict=True)
    }
    return difference(
        "prod",
        before,
        after,
        steps,
        lambda each: each.type == CLUSTER,
        allowed,
        lambda each: costs[id(each)],
        allowed_before,
    )


OLD = resource(CLUSTER, "pg", POSTGRES.urn, databaseName="a", masterPassword=SECRET)
NEW = resource(CLUSTER, "pg", POSTGRES.urn, databaseName="b", masterPassword=SECRET)
RENAMED = step("replace", OLD, NEW, databaseName="update-replace", masterPassword="update")


# --- what stops


SERVICE = resource(
    "aws:ecs/service:Service", "langfuse-prod-clickhouse", deploymentMinimumHealthyPercent=0
)
DEFINITION = resource(TASK, "langfuse-prod-clickhouse", containerDefinitions="[]")
TEMPLATE = resource(
    "aws:ec2/launchTemplate:LaunchTemplate", "langfuse-prod-clickhouse", userData=""
)
IN_TURN = replace(SERVICE, inputs={"deploymentMinimumHealthyPercent": 66})
OTHER = resource(TASK, "langfuse-prod-clickhouse-backup", containerDefinitions="[]")


@pytest.mark.parametrize(
    ("service", "done", "stops"),
    [
        (SERVICE, step("replace", DEFINITION, DEFINITION), True),
        (SERVICE, step("update", TEMPLATE, TEMPLATE, userData="update"), True),
        (SERVICE, step("replace", TEMPLATE, TEMPLATE), True),
        (SERVICE, step("update", DEFINITION, DEFINITION, tags="update"), False),
        (SERVICE, step("replace", OTHER, OTHER), False),
        (SERVICE, step("delete", TEMPLATE, None), False),
        (IN_TURN, step("replace", DEFINITION, DEFINITION), False),
    ],
)
def test_a_service_that_stops_before_it_starts_anew_is_told(
    service: Resource, done: Step, stops: bool
) -> None:
    there = graph(service, DEFINITION, TEMPLATE, OTHER)
    found = compared(there, there, done)
    assert found.stops == (("langfuse-prod-clickhouse",) if stops else ())
    line = (
        "**`langfuse-prod-clickhouse` of `prod` stops before it starts anew, and what the worker "
        "writes meanwhile is dropped.** Stop the worker first, or load the events again afterwards "
        "(docs/operations.md, Dropped rows)."
    )
    assert (line in report([found])) is stops


def test_a_service_that_is_new_stops_nothing() -> None:
    new = step("replace", DEFINITION, DEFINITION)
    assert compared(graph(DEFINITION), graph(SERVICE, DEFINITION), new).stops == ()


# --- protection


def stores(**kept: Any) -> Resource:
    """What the guard remembers of each store: what keeps it from being deleted."""
    there = {f"{CLUSTER} {name}": by for name, by in kept.items()}
    return resource("pulumi:index:Stash", "langfuse-prod-stores", input=there)


def unprotected(
    before: Resource, after: Resource, kept: Any, allowed: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    found = compared(graph(before), graph(after, stores(pg=kept)), allowed=allowed)
    return {each.name: each.lifted for each in found.unprotected}


# The comparison takes Pulumi's protection off the base's state, so that a store which stays as it
# is has none in the head's graph.
BARE = resource(CLUSTER, "pg", POSTGRES.urn)
GUARD = ("langfuse:allowReplace",)
PROTECTED = replace(BARE, protect=True)
RETAINED = replace(BARE, retain_on_delete=True)


@pytest.mark.parametrize(
    ("before", "kept", "lifted"),
    [
        (PROTECTED, [], ("protect",)),
        (PROTECTED, ["protect"], None),
        (PROTECTED, ["retainOnDelete"], ("protect",)),
        (RETAINED, [], ("retainOnDelete",)),
        (RETAINED, ["retainOnDelete"], None),
        (replace(RETAINED, protect=True), [], ("protect", "retainOnDelete")),
        (BARE, [], None),
        (BARE, ["protect"], None),
        (PROTECTED, True, None),
    ],
)
def test_pulumis_protection_that_goes_is_told(
    before: Resource, kept: Any, lifted: tuple[str, ...] | None
) -> None:
    assert unprotected(before, BARE, kept) == ({"pg": lifted} if lifted else {})


@pytest.mark.parametrize(
    ("before", "after", "lifted"),
    [
        ({"deletionProtection": True}, {"deletionProtection": False}, "deletionProtection"),
        ({"deletionProtection": True}, {}, "deletionProtection"),
        ({"forceDestroy": False}, {"forceDestroy": True}, "forceDestroy"),
        ({}, {"forceDestroy": True}, "forceDestroy"),
        ({"skipFinalSnapshot": False}, {"skipFinalSnapshot": True}, "skipFinalSnapshot"),
        ({"deletionProtection": True}, {"deletionProtection": True}, None),
        ({"deletionProtection": False}, {"deletionProtection": True}, None),
        ({"forceDestroy": True}, {"forceDestroy": True}, None),
        ({"skipFinalSnapshot": True}, {}, None),
    ],
)
def test_aws_own_protection_that_goes_is_told(
    before: dict[str, Any], after: dict[str, Any], lifted: str | None
) -> None:
    old, new = (resource(CLUSTER, "pg", POSTGRES.urn, **each) for each in (before, after))
    assert unprotected(old, new, []) == ({"pg": (lifted,)} if lifted else {})


def test_a_store_that_may_newly_be_replaced_by_name_has_lost_pulumis_protection() -> None:
    assert unprotected(PROTECTED, BARE, ["protect"], ("pg",)) == {"pg": ("protect",)}
    assert unprotected(RETAINED, BARE, ["retainOnDelete"], ("pg",)) == {"pg": GUARD}
    assert unprotected(BARE, BARE, [], ("pg", "other")) == {"pg": GUARD}, "of dev, for one"
    ends = graph(BARE), graph(BARE, stores(pg=[]))
    assert compared(*ends, allowed=("pg",), allowed_before=("pg",)).unprotected == ()


def test_what_goes_altogether_or_bears_no_data_is_not_told_as_unprotected() -> None:
    gone = compared(graph(PROTECTED), graph(stores()), step("delete", PROTECTED, None))
    assert gone.unprotected == ()
    alarm = replace(resource(GROUP, "g"), protect=True)
    bare = resource(GROUP, "g")
    assert compared(graph(alarm), graph(bare, stores())).unprotected == ()


def test_protection_that_is_removed_is_first_in_bold_and_has_a_gate() -> None:
    before = graph(PROTECTED, replace(OLD, urn=f"{PREFIX}{CLUSTER}::other", protect=True))
    after = graph(BARE, replace(OLD, urn=f"{PREFIX}{CLUSTER}::other"), stores(pg=[], other=[]))
    found = compared(before, after, cost=(1, 1))
    assert trips("unprotect", found)
    assert not trips("replace-data", found)
    assert not trips("unprotect", compared(before, before, cost=(1, 1)))
    text = report([found], [("unprotect", "prod")], ["A note."])
    assert text.startswith(
        f"{MARK}\n\n## What this change does to the stacks\n\n"
        "**Protection of 2 stores of `prod` is removed: from then on, a mistake deletes them.**\n\n"
        f"- `other` (`{CLUSTER}`): `protect`\n"
        f"- `pg` (`{CLUSTER}`): `protect`\n\n"
        "A note."
    )
    one = compared(graph(PROTECTED), graph(BARE, stores(pg=[])))
    assert "**Protection of 1 store of `prod` is removed: " in report([one])
    assert "Protection" not in report([compared(before, before)])


# --- changes


def test_a_replaced_store_is_at_risk_with_the_property_and_refused() -> None:
    found = compared(graph(OLD), graph(NEW), RENAMED)
    (change,) = found.changes
    assert change == Change(
        operation="replace",
        type=CLUSTER,
        name="pg",
        component="DataPlane data",
        properties=(
            PropertyChange("databaseName", "a", "b", replaces=True),
            PropertyChange("masterPassword", SECRET, SECRET, replaces=False),
        ),
    )
    assert found.at_risk == (change,)
    assert found.refused == ("pg",)
    assert compared(graph(OLD), graph(NEW), RENAMED, allowed=("pg",)).refused == ()


def test_a_deleted_store_is_at_risk_and_an_updated_or_new_one_is_not() -> None:
    gone = compared(graph(OLD), graph(), step("delete", OLD, None))
    assert [each.name for each in gone.at_risk] == ["pg"]
    assert gone.at_risk[0].component == "DataPlane data", "it is known from the base"
    assert gone.at_risk[0].properties == ()
    for harmless in (
        step("update", OLD, NEW, databaseName="update"),
        step("create", None, NEW),
        step("replace", resource(TASK, "t"), resource(TASK, "t")),
    ):
        assert compared(graph(OLD), graph(NEW), harmless).at_risk == ()


def test_components_and_bookkeeping_are_no_changes() -> None:
    stash = resource("pulumi:index:Stash", "pg-cluster")
    found = compared(
        graph(), graph(stash), step("create", None, stash), step("create", None, POSTGRES)
    )
    assert found.changes == ()


def test_changes_are_sorted_by_component_type_and_name_and_counted() -> None:
    free = [resource(GROUP, name) for name in ("b", "a")]
    steps = [RENAMED, *(step("create", None, each) for each in free)]
    found = compared(graph(OLD), graph(NEW, *free), *steps)
    assert [each.name for each in found.changes] == ["a", "b", "pg"]
    assert (found.count("create"), found.count("replace", "delete")) == (2, 1)


def properties_of(old: Any, new: Any, **changed: str) -> list[tuple[str, str | None, str | None]]:
    before, after = resource(TASK, "t", **old), resource(TASK, "t", **new)
    found = compared(graph(before), graph(after), step("update", before, after, **changed))
    return [(each.path, each.old, each.new) for each in found.changes[0].properties]


@pytest.mark.parametrize(
    ("old", "new", "path", "told"),
    [
        ({"size": 1}, {"size": 2}, "size", ("1", "2")),
        ({}, {"on": True}, "on", (None, "true")),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, "a[0].b", ("x", "y")),
        ({"a": []}, {"a": ["x"]}, "a[0]", (None, "x")),
        ({"tags": {"a.b": "x"}}, {"tags": {}}, 'tags["a.b"]', ("x", None)),
        ({"id": "x"}, {"id": UNKNOWN}, "id", ("x", "known after the update")),
        ({"o": {"b": 1, "a": 2}}, {}, "o", ('{"a": 2, "b": 1}', None)),
        ({"t": "x" * 200}, {"t": "x"}, "t", ("x" * 200, "x")),
    ],
)
def test_a_value_is_told_as_text(
    old: Any, new: Any, path: str, told: tuple[str | None, str | None]
) -> None:
    assert properties_of(old, new, **{path: "update"}) == [(path, *told)]


def test_documents_are_compared_inside_and_their_items_by_name() -> None:
    def document(*variables: tuple[str, str], cpu: int = 0) -> dict[str, str]:
        named = [{"name": name, "value": value} for name, value in variables]
        return {"doc": json.dumps([{"name": "web", "cpu": cpu, "environment": named}])}

    before = document(("A", "1"), ("B", "2"))
    after = document(("NEW", "0"), ("A", "1"), ("B", "3"), cpu=5)
    assert properties_of(before, after, doc="update") == [
        ("doc: web.cpu", "0", "5"),
        ("doc: web.environment.B.value", "2", "3"),
        ("doc: web.environment.NEW", None, '{"name": "NEW", "value": "0"}'),
    ]
    assert properties_of({"d": "[1,2]"}, {"d": "[1]"}, d="update") == [("d: 1", "2", None)]
    doubled = [{"d": json.dumps([{"name": "a"}, {"name": "a", "b": value}])} for value in (1, 2)]
    assert properties_of(*doubled, d="update") == [("d: 1.b", "1", "2")]
    assert properties_of({"d": "[1,"}, {"d": "[1]"}, d="update") == [("d", "[1,", "[1]")]


# --- ports, exposure, permissions, containers


def rule(name: str, source: str, port: int) -> Resource:
    return resource(
        INGRESS, name, cidrIpv4=source, securityGroupId="sg", fromPort=port, toPort=port,
        ipProtocol="tcp",
    )  # fmt: skip


def test_ports_that_open_and_close_are_told_by_names() -> None:
    group = replace(resource(GROUP, "clickhouse"), outputs={"id": "sg"})
    inside, outside = rule("in", "10.0.0.0/16", 8123), rule("out", "0.0.0.0/0", 9000)
    found = compared(graph(group, inside), graph(group, outside))
    assert found.opened == (OpenPort("0.0.0.0/0", "clickhouse", "9000"),)
    assert found.closed == (OpenPort("10.0.0.0/16", "clickhouse", "8123"),)
    assert found.opened[0].public
    assert not found.closed[0].public
    assert OpenPort("::/0", "x", "1").public


BLOCKED = {
    "blockPublicAcls": True,
    "blockPublicPolicy": True,
    "ignorePublicAcls": True,
    "restrictPublicBuckets": True,
}
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"


@pytest.mark.parametrize(
    ("kind", "closed", "open_", "phrase"),
    [
        (
            "aws:rds/instance:Instance",
            {"publiclyAccessible": False},
            {"publiclyAccessible": True},
            "Instance x is publicly accessible",
        ),
        (
            "aws:lb/loadBalancer:LoadBalancer",
            {"internal": True},
            {"internal": False},
            "LoadBalancer x faces the internet",
        ),
        (
            "aws:ecs/service:Service",
            {"networkConfiguration": {"assignPublicIp": False}},
            {"networkConfiguration": {"assignPublicIp": True}},
            "tasks of x have public addresses",
        ),
        (
            "aws:ec2/launchTemplate:LaunchTemplate",
            {"networkInterfaces": [{"associatePublicIpAddress": "false"}]},
            {"networkInterfaces": [{"associatePublicIpAddress": "true"}]},
            "instances of x have public addresses",
        ),
        (
            BLOCK,
            BLOCKED,
            {**BLOCKED, "blockPublicPolicy": False},
            "bucket x may be public: blockPublicPolicy not set",
        ),
        (
            "aws:s3/bucketPolicy:BucketPolicy",
            {"policy": '{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*"}}'},
            {"policy": '{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:G"}}'},
            "policy of x lets everybody s3:G",
        ),
    ],
)
def test_what_faces_the_internet_is_told(
    kind: str, closed: Mapping[str, Any], open_: Mapping[str, Any], phrase: str
) -> None:
    before, after = graph(resource(kind, "x", **closed)), graph(resource(kind, "x", **open_))
    assert exposures(before) == set()
    assert compared(before, after).exposed == (phrase,)
    assert compared(after, before).concealed == (phrase,)


def test_an_http_api_faces_the_internet() -> None:
    api = resource("aws:apigatewayv2/api:Api", "x")
    assert exposures(graph(api)) == {"Api x faces the internet"}


def policy(**statement: Any) -> Resource:
    document = json.dumps({"Statement": [{"Effect": "Allow", **statement}]})
    return resource(ROLE_POLICY, "web", policy=document)


def test_permissions_are_told_action_by_action() -> None:
    before = graph(policy(Action="s3:GetObject", Resource=["a", "b"]))
    after = graph(
        policy(Action=["s3:GetObject", "s3:*"], Resource="a", Condition={"Bool": {"x": "true"}}),
        resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "ssm", policyArn="arn:p"),
    )
    found = compared(before, after)
    condition = '{"Bool":{"x":"true"}}'
    assert found.granted == (
        Permission("ssm", "Allow", "", "managed policy arn:p", "", ""),
        Permission("web", "Allow", "", "s3:*", "a", condition),
        Permission("web", "Allow", "", "s3:GetObject", "a", condition),
    )
    assert found.revoked == (
        Permission("web", "Allow", "", "s3:GetObject", "a", ""),
        Permission("web", "Allow", "", "s3:GetObject", "b", ""),
    )
    assert [each.wildcard for each in found.granted] == [False, True, False]
    assert not replace(found.granted[1], effect="Deny").wildcard
    assert replace(found.granted[1], action="*").wildcard


def test_all_but_some_actions_and_who_may_are_told() -> None:
    role = resource(
        "aws:iam/role:Role",
        "r",
        assumeRolePolicy='{"Statement":[{"Effect":"Allow","NotAction":"a:B","NotResource":"c",'
        '"Principal":{"Service":"ecs"}}]}',
    )
    assert permissions(graph(role)) == {
        Permission("r", "Allow", '{"Service":"ecs"}', "all but a:B", "all but c", "")
    }


def test_documents_that_are_unknown_or_secret_give_no_facts() -> None:
    for text in (f'{{"Statement": "{UNKNOWN}"}}', SECRET):
        assert permissions(graph(resource(ROLE_POLICY, "web", policy=text))) == set()


def test_a_container_tells_its_image_and_the_names_of_variables_only() -> None:
    def task(image: str, plain: str, secret: str) -> Resource:
        container = {
            "name": "web",
            "image": image,
            "environment": [{"name": plain, "value": "hush"}],
            "secrets": [{"name": secret, "valueFrom": "arn"}],
        }
        return resource(TASK, "t", containerDefinitions=json.dumps([container]))

    found = compared(graph(task("w:1", "A", "B")), graph(task("w:2", "B", "C"))).containers
    assert found == (ContainerChange("t/web", ("w:1", "w:2"), added=("C",), removed=("A",)),)
    assert compared(graph(task("w", "A", "B")), graph(task("w", "A", "B"))).containers == ()


# --- the report


def test_the_report_has_first_what_can_hurt_then_the_cost_and_folds_the_rest() -> None:
    group = replace(resource(GROUP, "clickhouse"), outputs={"id": "sg"})
    outside = rule("out", "0.0.0.0/0", 9000)
    before = graph(OLD, group)
    after = graph(NEW, group, outside, policy(Action=["s3:A", "s3:*"], Resource="r"))
    found = compared(before, after, RENAMED, step("create", None, outside), cost=(100, 120.5))
    assert report([found], [("replace-data", "prod")], ["A note."]) == (
        f"""{MARK}

## What this change does to the stacks

**Data of `prod` is lost:**

- **`pg` (`{CLUSTER}`) is replaced by an empty one.**
  Because of `databaseName`: `a` → `b`.
  `pulumi up` refuses this until `langfuse:allowReplace` names it. Take a snapshot first \
(docs/operations.md).

**Newly open to the internet in `prod`:**

- `0.0.0.0/0` → `clickhouse`, port `9000`

**Newly allowed without bounds in `prod`:**

- `web`: Allow `s3:*` on `r`

A note.

**Stopped by these gates:**

- `replace-data` in `prod`

| Stack | replaced | removed | added | changed | data at risk | USD a month, prices from |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| `prod` | 1 | – | 1 | – | **1** | 100.00 → 120.50 (+20.50), AWS |

### `prod`

<details><summary>New open ports: 1</summary>

- `0.0.0.0/0` → `clickhouse`, port `9000`

</details>

<details><summary>New permissions: 1</summary>

- `web`: Allow `s3:*`, `s3:A` on `r`

</details>

<details><summary>Outside of components: 1 added</summary>

- create `{INGRESS}` `out`

</details>

<details><summary><code>DataPlane data</code>: 1 replaced</summary>

- replace `{CLUSTER}` `pg`
  - `databaseName`: `a` → `b`
  - `masterPassword`: `[secret]` → `[secret]`

</details>
"""  # noqa: RUF001
    )


def test_a_replacement_that_is_allowed_is_said_to_happen() -> None:
    text = report([compared(graph(OLD), graph(NEW), RENAMED, allowed=("pg",))])
    assert "`langfuse:allowReplace` names it: **`pulumi up` will do it.**" in text
    assert "refuses" not in text


def test_a_stack_that_stays_as_it_is_has_a_row_and_no_section() -> None:
    text = report([compared(graph(OLD), graph(OLD), cost=(5, 5.001))])
    assert "| `prod` | – | – | – | – | – | 5.00, AWS |" in text  # noqa: RUF001
    assert "###" not in text


def test_a_cost_is_told_no_more_exactly_than_its_prices_are_known() -> None:
    found = compared(graph(OLD), graph(OLD), cost=(683.26, 691.36), known_from="remembered")
    assert "| 680 → 690 (+8.1), remembered |" in report([found])
    cheaper = compared(graph(OLD), graph(OLD), cost=(691.36, 683.26))
    assert "| 691.36 → 683.26 (-8.10), AWS |" in report([cheaper])
    same = compared(graph(OLD), graph(OLD), cost=(691.36, 691.36), known_from="other page")
    assert "| 690, other page |" in report([same])


def test_a_cost_that_is_not_known_says_which_price_is_missing_and_stops() -> None:
    sentence = "pg: langfuse_aws/cost/prices.csv has no price of 'x' in eu-west-1: add a row."
    found = compared(graph(OLD), graph(NEW), cost=(100, None), missing=(sentence,))
    assert found.cost_missing == (sentence,)
    text = report([found], gates.tripped(gates.parse("cost>10%"), [found]))
    assert "- `cost>10%` in `prod`, whose cost is not known" in text
    assert f"**What `prod` costs is not known:**\n\n- {code(sentence)}\n" in text
    twice = compared(graph(OLD), graph(NEW), cost=(None, None), missing=(sentence,))
    assert twice.cost_missing == (sentence,), "before and after, said once"
    known = compared(graph(OLD), graph(NEW), cost=(100, 111))
    text = report([known], gates.tripped(gates.parse("cost>10%"), [known]))
    assert "not known" not in text


def test_what_is_taken_away_is_folded() -> None:
    group = replace(resource(GROUP, "clickhouse"), outputs={"id": "sg"})
    before = graph(group, rule("in", "10.0.0.0/16", 8123), policy(Action="a:B", Resource="r"))
    found = compared(before, graph(group), step("delete", group, None))
    text = report([found])
    assert "<summary>Closed and taken away: 2</summary>" in text
    assert "- port: `10.0.0.0/16` → `clickhouse`, port `8123`" in text
    assert "- permission: `web`: Allow `a:B` on `r`" in text


def test_a_replacement_that_loses_no_data_is_told_first_unless_it_is_how_things_are_deployed() -> (
    None
):
    alb = "aws:lb/targetGroup:TargetGroup"
    steps = [
        step("replace", resource(kind, "x", port=1), resource(kind, "x", port=2), port=by)
        for kind, by in ((alb, "update-replace"), (TASK, "update-replace"))
    ]
    before, after = (graph(*(getattr(each, side) for each in steps)) for side in ("old", "new"))
    text = report([compared(before, after, *steps)])
    assert (
        f"**Replaced in `prod`:**\n\n- `x` (`{alb}`), because of `port`: `1` → `2`\n\n| Stack |"
    ) in text
    assert f"- replace `{TASK}` `x`\n  - `port`: `1` → `2`\n" in text


REVISION = "arn:aws:ecs:us-east-1:123456789012:task-definition/langfuse-prod-web:{}"
ARN = "arn:aws:secretsmanager:us-east-1:1:secret:langfuse-prod-reader-{}"


@pytest.mark.parametrize(
    ("kind", "path", "old", "new"),
    [
        ("aws:ecs/service:Service", "taskDefinition", REVISION.format(8), REVISION.format(11)),
        ("aws:lambda/invocation:Invocation", "input", f'{{"t": "{REVISION.format(8)}"}}',
         f'{{"t": "{REVISION.format(9)}"}}'),
        ("aws:ecs/service:Service", "taskDefinition", REVISION.format(8), UNKNOWN),
        (TASK, "executionRoleArn", "arn:role/web-0a1b2c3", "arn:role/web-4d5e6f7"),
        (TASK, "x", ARN.format("66ce3d3-e6d34e"), ARN.format("0123abc-AbCdE9")),
        ("aws:cloudwatch/dashboard:Dashboard", "dashboardBody", '{"a": 1}', '{"a": 2}'),
    ],
)  # fmt: skip
def test_what_only_follows_from_chance_or_counting_is_not_told(
    kind: str, path: str, old: str, new: str
) -> None:
    before, after = (resource(kind, "x", **{path: each}) for each in (old, new))
    change = step("update", before, after, **{path: "update"})
    text = report([compared(graph(before), graph(after), change)])
    assert f"- update `{kind}` `x`\n\n" in text, "the resource is told, and no property"


def test_a_physical_name_is_told_without_its_random_end() -> None:
    def reader(end: str, action: str) -> Resource:
        return policy(Action=action, Resource=ARN.format(end))

    before, after = graph(reader("66ce3d3-e6d34e", "a:B")), graph(reader("0123abc-AbCdE9", "a:B"))
    assert compared(before, after).granted == (), "another name is no other permission"
    text = report([compared(before, graph(reader("0123abc-AbCdE9", "a:C")))])
    assert f"Allow `a:C` on `{ARN.format('')[:-1]}`" in text


def test_a_tag_is_told_once() -> None:
    change = {"tags.Image": "update", "tagsAll.Image": "update", "tagsAll.Team": "add"}
    tags = {"old": {"Image": "a"}, "new": {"Image": "b", "Team": "x"}}
    told = properties_of(
        {"tags": tags["old"], "tagsAll": tags["old"]},
        {"tags": {"Image": "b"}, "tagsAll": tags["new"]},
        **change,
    )
    assert told == [("tags.Image", "a", "b"), ("tagsAll.Team", None, "x")]


def test_a_long_value_is_told_from_where_it_differs() -> None:
    old, new = (resource(TASK, "t", text=f"{'x' * 200}{each}") for each in "ab")
    text = report([compared(graph(old), graph(new), step("update", old, new, text="update"))])
    assert "xa` → `…x" in text
    assert "xb`\n" in text


def test_what_a_pull_request_wrote_stays_text() -> None:
    assert code("a`b`|<img>@me\n# x") == "`a'b'\\|<img>@me # x`"
    assert html_code("<b>@me\n") == "<code>&lt;b&gt;@me </code>"
    evil = resource(GROUP, "`<img src=x>` @everybody | [x](http://y)\n\n# h")
    text = report([compared(graph(), graph(evil), step("create", None, evil))])
    assert "- create `aws:ec2/securityGroup:SecurityGroup` `'<img src=x>' @everybody \\|" in text
    assert "\n# h" not in text


def test_a_report_is_no_longer_than_a_comment_may_be() -> None:
    many = [resource(GROUP, f"group-{number}") for number in range(2000)]
    text = report([compared(graph(), graph(*many), *(step("create", None, one) for one in many))])
    assert len(text) == LONGEST_COMMENT
    assert text.endswith(CUT)


def test_only_the_first_properties_of_a_resource_are_told() -> None:
    old: dict[str, Any]
    new: dict[str, Any]
    old, new = ({f"k{number:02}": value for number in range(12)} for value in (1, 2))
    before, after = resource(TASK, "t", **old), resource(TASK, "t", **new)
    changed = dict.fromkeys(old, "update")
    text = report([compared(graph(before), graph(after), step("update", before, after, **changed))])
    assert "  - `k09`: `1` → `2`\n  - … and 2 more\n" in text


def test_a_long_value_is_cut_in_the_report() -> None:
    before, after = (resource(TASK, "t", text=each) for each in ("x" * 121, "y" * 120))
    change = step("update", before, after, text="update")
    text = report([compared(graph(before), graph(after), change)])
    assert f"  - `text`: `{'x' * 119}…` → `{'y' * 120}`\n" in text


# --- gates


def trips(name: str, found: Difference) -> bool:
    return gates.tripped(gates.parse(name), [found]) == [(name, "prod")]


def test_each_gate_trips_for_its_own_reason() -> None:
    quiet = compared(graph(OLD), graph(OLD), cost=(100, 100))
    names = ["replace-data", "public-ingress", "iam-wildcard", "cost>0", "cost>0%"]
    assert gates.tripped(gates.parse(",".join(names)), [quiet]) == []
    at_risk = compared(graph(OLD), graph(NEW), RENAMED)
    assert trips("replace-data", at_risk)
    assert not trips("public-ingress", at_risk)
    assert trips("public-ingress", replace(quiet, opened=(OpenPort("::/0", "x", "1"),)))
    assert not trips("public-ingress", replace(quiet, opened=(OpenPort("web", "x", "1"),)))
    assert trips("public-ingress", replace(quiet, exposed=("x faces the internet",)))
    assert trips(
        "iam-wildcard", replace(quiet, granted=(Permission("r", "Allow", "", "*", "", ""),))
    )


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("cost>10%", 100.0, 110.0, False),
        ("cost>10%", 100.0, 110.1, True),
        ("cost>10%", 0.0, 1.0, True),
        ("cost>10%", 0.0, 0.0, False),
        ("cost>10%", 100.0, 50.0, False),
        ("cost>10", 100.0, 110.0, False),
        ("cost>10", 100.0, 110.5, True),
        ("cost>2.5", 100.0, 102.6, True),
        ("cost>0", None, 5.0, True),
        ("cost>0", 5.0, None, True),
        ("cost>10%", None, None, True),
    ],
)
def test_cost_gates_compare_the_rise(
    name: str, before: float | None, after: float | None, expected: bool
) -> None:
    found = compared(graph(OLD), graph(NEW), cost=(before, after))
    assert trips(name, found) is expected


@pytest.mark.parametrize("name", ["replace", "cost>", "cost>x%", "cost<5"])
def test_a_gate_that_is_none_is_one_line_with_those_there_are(name: str) -> None:
    with pytest.raises(gates.GateError, match=f"--fail-on: {name}: is no gate. Gates are replace-"):
        gates.parse(f"public-ingress, {name}")


def test_no_gates_are_no_gates() -> None:
    assert gates.parse(" , ") == []
