"""The offline providers under the real engine: a small program, from preview to destroy."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from development import pulumi_cli
from langfuse_aws.offline.serving import providers
from langfuse_aws.offline.unknown import UNKNOWN
from tests.small_program import SmallProgram

pytestmark = pytest.mark.xdist_group("offline provider")  # most share a stack

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """\
name: small
runtime: python
config:
  aws:defaultTags: {value: {tags: {Owner: team}}}
"""

PROGRAM = """\
import json, os
import pulumi, pulumi_aws as aws, pulumi_awsx as awsx, pulumi_random as random

wanted = json.loads(os.environ.get("WANTED", "{}"))
network = awsx.ec2.Vpc(
    "net",
    cidr_block="10.1.0.0/16",
    number_of_availability_zones=2,
    nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(
        strategy=awsx.ec2.NatGatewayStrategy.SINGLE
    ),
    subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
)
password = random.RandomPassword("password", length=20, special=False)
pulumi.CustomResource("random:index/randomBytes:RandomBytes", "raw", {"length": 9, "hex": None})
group = aws.ec2.SecurityGroup(
    "group", vpc_id=network.vpc_id, description=wanted.get("description", "first")
)
subnets = aws.rds.SubnetGroup("database", subnet_ids=network.private_subnet_ids)
database = aws.rds.Cluster(
    "database",
    engine="aurora-postgresql",
    master_username="owner",
    master_password=password.result,
    db_subnet_group_name=subnets.name,
    backup_retention_period=wanted.get("days", 1),
    skip_final_snapshot=True,
    vpc_security_group_ids=[group.id],
)
template = aws.ec2.LaunchTemplate("template", image_id=wanted.get("image", "ami-1"))
workers = aws.autoscaling.Group(
    "workers",
    max_size=1,
    min_size=0,
    launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
        id=template.id, version=template.latest_version.apply(str)
    ),
)
abroad = aws.Provider(
    "abroad", region="eu-west-1", default_tags=aws.ProviderDefaultTagsArgs(tags={"Owner": "eu"})
)
topic = aws.sns.Topic(
    "topic",
    tags=wanted.get("tags", {"Own": "tag"}),
    opts=pulumi.ResourceOptions(provider=abroad),
)
unlisted = aws.cloudfront.KeyGroup("unlisted", items=["key"])
if "target" in wanted:
    aws.lb.TargetGroup(wanted["target"], port=80, protocol="HTTP", vpc_id=network.vpc_id)
if "existing" in wanted:
    aws.ec2.SecurityGroup.get("existing", wanted["existing"])
if "asked" in wanted:
    pulumi.runtime.invoke("aws:x/getY:getY", {})
pulumi.export("endpoint", database.endpoint)
pulumi.export("privateSubnets", network.private_subnet_ids)
pulumi.export("topic", topic.arn)
pulumi.export("user", database.master_username)
pulumi.export("topicTags", topic.tags_all)
pulumi.export("groupTags", group.tags_all)
pulumi.export("version", template.latest_version)
pulumi.export("password", password.result)
pulumi.export("account", aws.get_caller_identity().account_id)
pulumi.export("defaultTags", aws.get_default_tags().tags)
pulumi.export("tagsAbroad", aws.get_default_tags(opts=pulumi.InvokeOptions(provider=abroad)).tags)
"""


def steps(program: SmallProgram, **wanted: Any) -> dict[str, dict[str, Any]]:
    """What a preview plans, by logical name, without what stays the same."""
    plan = json.loads(program.run("preview", "--json", **wanted).stdout)
    changing = (step for step in plan["steps"] if step["op"] != "same")
    return {f"{step['op']} {step['urn'].split('::')[-1]}": step for step in changing}


def outputs_of(program: SmallProgram) -> dict[str, Any]:
    """The stack's outputs, without secrets."""
    return json.loads(program.run("stack", "output", "--json").stdout)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    path = pulumi_cli.search_path(pulumi_cli.ensure())
    with providers({**os.environ, "PATH": path}) as served:
        yield served


def new_stack(folder: Path, environment: dict[str, str]) -> SmallProgram:
    return SmallProgram.of(folder, PROGRAM, environment, PROJECT)


@pytest.fixture
def stack(tmp_path: Path, environment: dict[str, str]) -> SmallProgram:
    return new_stack(tmp_path, environment)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> SmallProgram:
    """A stack that is up; tests leave it as it is."""
    created = new_stack(tmp_path_factory.mktemp("deployed"), environment)
    created.up()
    return created


def test_a_preview_knows_the_inputs_only(stack: SmallProgram) -> None:
    shown = stack.run("preview").stdout
    assert "+  aws:ec2:Route net-private-2 create" in shown
    outputs = shown.partition("Outputs:")[2]
    for known in ('account       : "123456789012"', 'user          : "owner"', 'Owner: "team"'):
        assert known in outputs
    for unknown in ("endpoint", "privateSubnets", "topic", "version"):
        assert f"{unknown:14}: [unknown]" in outputs
    assert "password      : [secret]" in outputs


def test_an_update_gives_what_aws_would(deployed: SmallProgram) -> None:
    outputs = outputs_of(deployed)
    assert outputs["account"] == "123456789012"
    assert outputs["endpoint"].endswith(".us-east-1.rds.amazonaws.com")
    assert len(outputs["privateSubnets"]) == 2
    assert all(subnet.startswith("subnet-") for subnet in outputs["privateSubnets"])


def test_each_provider_has_its_own_configuration(deployed: SmallProgram) -> None:
    outputs = outputs_of(deployed)
    assert outputs["topic"].startswith("arn:aws:sns:eu-west-1:123456789012:topic-")
    assert outputs["topicTags"] == {"Owner": "eu", "Own": "tag"}
    assert outputs["groupTags"] == {"Owner": "team"}
    assert (outputs["defaultTags"], outputs["tagsAbroad"]) == ({"Owner": "team"}, {"Owner": "eu"})


def test_the_network_is_nested_as_awsx_nests_it(deployed: SmallProgram) -> None:
    urns = {resource["urn"] for resource in deployed.state()}
    types = {urn.split("::")[-1] + " " + urn.split("::")[2] for urn in urns}
    vpc = "awsx:ec2:Vpc$aws:ec2/vpc:Vpc"
    subnet = f"{vpc}$aws:ec2/subnet:Subnet"
    table = f"{subnet}$aws:ec2/routeTable:RouteTable"
    assert {
        f"net {vpc}",
        f"net {vpc}$aws:ec2/internetGateway:InternetGateway",
        f"net-public-1 {subnet}",
        f"net-private-2 {table}",
        f"net-private-2 {table}$aws:ec2/routeTableAssociation:RouteTableAssociation",
        f"net-private-2 {table}$aws:ec2/route:Route",
        f"net-1 {subnet}$aws:ec2/eip:Eip",
        f"net-1 {subnet}$aws:ec2/natGateway:NatGateway",
    } <= types
    assert sum(name.endswith("natGateway:NatGateway") for name in types) == 1


def test_secrets_are_ciphertext_in_the_state(deployed: SmallProgram) -> None:
    state = deployed.run("stack", "export").stdout
    shown = deployed.run("stack", "output", "--json", "--show-secrets").stdout
    plain = json.loads(shown)["password"]
    assert len(plain) == 20
    assert plain not in state
    assert json.dumps(plain)[1:-1] not in state
    resources = {
        resource["urn"].split("::")[-1]: resource
        for resource in deployed.state()
        if resource["urn"].split("::")[-1] in ("database", "password", "raw")
        and "subnetGroup" not in resource["urn"]
    }
    assert "ciphertext" in resources["raw"]["outputs"]["hex"]
    assert "ciphertext" in resources["password"]["outputs"]["result"]
    assert "ciphertext" in resources["password"]["outputs"]["bcryptHash"]
    assert "ciphertext" in resources["database"]["inputs"]["masterPassword"]
    assert "ciphertext" in resources["database"]["outputs"]["masterPassword"]


def test_nothing_changes_by_itself(deployed: SmallProgram) -> None:
    deployed.run("preview", "--expect-no-changes")
    deployed.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    deployed.run("preview", "--expect-no-changes")


def test_a_replacement_is_shown_with_its_property(deployed: SmallProgram) -> None:
    planned = steps(deployed, description="second")
    step = planned["replace group"]
    assert step["replaceReasons"] == ["description"]
    assert step["detailedDiff"]["description"] == {"kind": "update-replace", "inputDiff": True}
    assert set(planned) == {"replace group", "update database"}


def test_an_update_is_shown_with_its_property(deployed: SmallProgram) -> None:
    planned = steps(deployed, days=7)
    assert set(planned) == {"update database"}
    diff = planned["update database"]["detailedDiff"]
    assert diff == {"backupRetentionPeriod": {"kind": "update", "inputDiff": True}}


def test_an_update_tells_which_outputs_will_change(deployed: SmallProgram) -> None:
    planned = steps(deployed, image="ami-2")
    assert set(planned) == {"update template", "update workers"}
    template = planned["update workers"]["newState"]["inputs"]["launchTemplate"]
    assert template["version"] == UNKNOWN


def test_a_stack_is_changed_and_destroyed(stack: SmallProgram) -> None:
    stack.up()
    before = outputs_of(stack)
    stack.up(days=7, image="ami-2", description="second")
    after = outputs_of(stack)
    assert (before.pop("version"), after.pop("version")) == (1, 2)
    assert before == after
    stack.run("preview", "--expect-no-changes", days=7, image="ami-2", description="second")
    stack.run("destroy", "--yes", "--skip-preview")
    assert stack.state() == []


def test_what_cannot_be_is_said(deployed: SmallProgram) -> None:
    refused = {
        "at most 32 are allowed": {"target": "x" * 30},
        "'mine' cannot be imported: nothing exists offline": {"existing": "mine"},
        "aws:x/getY:getY is not answered by langfuse_aws/offline/invokes.py": {"asked": True},
    }
    for message, wanted in refused.items():
        assert message in deployed.refused("preview", **wanted)


def test_engines_share_the_providers(tmp_path: Path, environment: dict[str, str]) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    stacks = [new_stack(folder, environment) for folder in folders]
    with ThreadPoolExecutor() as pool:
        for update in [pool.submit(stack.up) for stack in stacks]:
            update.result()
    outputs = [outputs_of(stack) for stack in stacks]
    assert outputs[0]["topic"] != outputs[1]["topic"]
    assert all(len(found["privateSubnets"]) == 2 for found in outputs)


def test_a_command_runs_with_the_providers() -> None:
    script = "import os; print(os.environ['PULUMI_DEBUG_PROVIDERS']); raise SystemExit(7)"
    command = [sys.executable, "-m", "langfuse_aws.offline", "--", sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert {part.split(":")[0] for part in done.stdout.strip().split(",")} == {
        "aws",
        "awsx",
        "random",
    }
    assert done.stderr == ""


def test_a_text_that_aws_does_not_take_is_refused_when_it_is_sent(deployed: SmallProgram) -> None:
    tags = {"Own": "tag", "Team": "R&D"}
    assert steps(deployed, tags=tags).keys() == {"update topic"}, "no preview sends it"
    output = deployed.refused("up", tags=tags)
    assert "Team 'R&D': does not match" in output, "and the property is named"
