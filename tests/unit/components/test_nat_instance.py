"""The NAT instance: its boot script, its Auto Scaling group, and what waits for it.

The boot script is run for real, by bash, in a temporary folder, with stubs for everything that
would touch a machine. Proves what it does, in which order, and what it tells the group. It does not
prove that Amazon Linux's own tools behave as the stubs do, nor that a kernel forwards by these
rules.
"""

import base64
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from langfuse_aws.components.network.nat_instance import (
    BOOT_SECONDS,
    HOOK,
    INSTALL_ATTEMPTS,
    INSTALL_SECONDS,
    PAUSE_SECONDS,
    user_data,
)
from tests.unit.boot_script import Boot, noted, run
from tests.unit.stack_graph import Graph, shipped

GROUP: Final = "langfuse-staging-nat-eni-0123456789abcdef0"
TELL: Final = (
    "aws autoscaling complete-lifecycle-action --lifecycle-hook-name forwards "
    f"--auto-scaling-group-name {GROUP} --instance-id i-0123456789abcdef0 "
    "--lifecycle-action-result"
)
INSTALL: Final = "dnf install -y nftables"
SWAP: Final = "/swapfile none swap nofail 0 0\n"

# What each stub does once it has noted its call. $ROOT is the temporary folder.
STUBS: Final[Mapping[str, str]] = {
    "aws": "",
    "chmod": "",
    "curl": 'case "$*" in *api/token*) echo TOKEN;; *) echo i-0123456789abcdef0;; esac',
    "dd": "",
    "dnf": 'cp "$ROOT/nft" "$ROOT/tools/nft"',
    "mkswap": "",
    "shutdown": "",
    "sleep": "",
    "swapon": "",
    "sysctl": 'cat "${2:?}" > /dev/null',
    "systemctl": '[[ -e $ROOT/etc/nat.nft ]] || echo "enabled before it was saved" >> "$CALLS"',
    "timeout": 'shift; "$@"',
}
NFT: Final = '#!/bin/bash\necho "nft $*" >> "$CALLS"\n'


def boot(
    root: Path,
    behaviours: Mapping[str, str] | None = None,
    *,
    with_nft: bool = False,
    script: str | None = None,
) -> Boot:
    """Run the boot script in `root`, with other behaviours of some stubs."""
    tools = root / "tools"
    for folder in ("tools", "etc/sysctl.d", "etc/systemd/system"):
        (root / folder).mkdir(parents=True)
    for program in ("cat", "cp", "seq"):
        (tools / program).symlink_to(shutil.which(program) or f"/bin/{program}")
    for nft in [root / "nft", *([tools / "nft"] if with_nft else [])]:
        nft.write_text(NFT)
        nft.chmod(0o755)
    text = script or user_data(region="eu-west-1", cidr="10.0.0.0/16", group=GROUP)
    for path in ("/etc/", "/swapfile"):
        text = text.replace(path, f"{root}{path}")
    return run(root, text, noted({**STUBS, **(behaviours or {})}))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """A boot of Amazon Linux as it comes, where everything goes well."""
    return boot(tmp_path_factory.mktemp("first"))


def failing(times: int, then: str = STUBS["dnf"]) -> dict[str, str]:
    """`dnf` that fails some times: killed for memory, or for a lock that the SSM agent holds."""
    counted = (
        f'echo >> "$ROOT/tries"; mapfile -t tries < "$ROOT/tries"; (( ${{#tries[@]}} > {times} ))'
    )
    return {"dnf": f"{counted} || exit 137\n{then}"}


# --- the boot script


def test_it_forwards_and_only_then_says_so(first: Boot) -> None:
    ours = [call for call in first.calls if call.split()[0] != "curl"]
    assert ours == [
        "sysctl -p /etc/sysctl.d/90-nat.conf",
        "dd if=/dev/zero of=/swapfile bs=1M count=1024",
        "chmod 600 /swapfile",
        "mkswap /swapfile",
        "swapon /swapfile",
        f"timeout {INSTALL_SECONDS} {INSTALL}",
        INSTALL,
        "nft -c -f /etc/nat.nft",
        "systemctl enable --now nat.service",
        f"{TELL} CONTINUE",
    ], "forwarding, swap before dnf, the rules tried and saved before they are enabled, the word"
    assert first.code == 0, first.log


def test_rules_are_saved_for_every_later_start(first: Boot) -> None:
    assert first.file("/etc/sysctl.d/90-nat.conf") == "net.ipv4.ip_forward=1\n"
    assert first.file("/etc/nat.nft").splitlines() == [
        "add table ip nat",
        "flush table ip nat",
        "table ip nat {",
        "  chain postrouting {",
        "    type nat hook postrouting priority srcnat; policy accept;",
        "    ip saddr 10.0.0.0/16 ip daddr != 10.0.0.0/16 masquerade",
        "  }",
        "}",
    ], "by addresses: the name of an interface may not be known yet (terraform-aws-fck-nat#75)"
    unit = first.file("/etc/systemd/system/nat.service").splitlines()
    assert [line for line in unit if line.startswith("ExecStart=")] == [
        "ExecStart=/usr/sbin/sysctl -p /etc/sysctl.d/90-nat.conf",
        "ExecStart=/usr/sbin/nft -f /etc/nat.nft",
    ], "user data runs once in an instance's life: a reboot has the unit alone"
    assert "WantedBy=multi-user.target" in unit, "and it starts by itself"
    assert "FailureAction=poweroff" in unit, (
        "an instance that cannot forward must not stay in service"
    )
    assert first.file("/etc/fstab") == SWAP, "the agent updates itself after a reboot too"


def test_nothing_is_asked_of_a_program_that_amazon_linux_2023_has_not(first: Boot) -> None:
    used = {call.split()[0] for call in first.calls}
    assert not used & {"service", "iptables", "iptables-save", "chkconfig"}, "no initscripts there"
    assert "enabled before it was saved" not in first.calls


def test_an_image_that_brings_nft_needs_no_package(tmp_path: Path) -> None:
    result = boot(tmp_path, {"dnf": "exit 1"}, with_nft=True)
    assert result.named("dnf") == result.named("dd") == [], "no mirror, no memory, no lock matters"
    assert (result.code, result.calls[-1]) == (0, f"{TELL} CONTINUE")


def test_dnf_that_fails_twice_is_tried_a_third_time(tmp_path: Path) -> None:
    result = boot(tmp_path, failing(2))
    assert result.named("dnf") == [INSTALL] * 3, "killed, or without the lock, and then not"
    assert result.named("sleep") == [f"sleep {PAUSE_SECONDS}"] * 2, "a lock needs time to go"
    assert (result.code, result.calls[-1]) == (0, f"{TELL} CONTINUE"), "patience is not a failure"


def test_an_install_that_hangs_is_ended(tmp_path: Path) -> None:
    hangs = {"timeout": f'[[ $1 == {INSTALL_SECONDS} ]] && exit 124\nshift; "$@"'}
    result = boot(tmp_path, hangs)
    assert len(result.named("timeout")) == INSTALL_ATTEMPTS, "dnf waits for its lock without an end"
    assert result.calls[-2:] == [f"{TELL} ABANDON", "shutdown -h now"]


def test_when_dnf_always_fails_the_instance_is_abandoned_and_ends(tmp_path: Path) -> None:
    result = boot(tmp_path, {"dnf": "exit 1"})
    assert result.named("dnf") == [INSTALL] * INSTALL_ATTEMPTS, "bounded"
    assert result.named("systemctl") == [], "there is nothing to load rules with"
    assert result.calls[-2:] == [f"{TELL} ABANDON", "shutdown -h now"], "another instance tries"
    assert result.code != 0, "and cloud-init's log says so"
    assert f"no nftables yet ({INSTALL_ATTEMPTS} of {INSTALL_ATTEMPTS})" in result.log


@pytest.mark.parametrize("broken", ["curl", "sysctl", "systemctl"])
def test_a_step_that_fails_abandons_the_instance(tmp_path: Path, broken: str) -> None:
    result = boot(tmp_path, {broken: "exit 1"})
    assert f"{TELL} CONTINUE" not in result.calls, f"it does not forward without {broken}"
    assert result.named("aws")[0].endswith("ABANDON"), "the group need not wait for its time-out"
    assert result.calls[-1] == "shutdown -h now"
    assert result.code != 0


def test_rules_that_the_kernel_refuses_are_not_enabled(tmp_path: Path) -> None:
    result = boot(tmp_path, {"nft": "exit 1"}, with_nft=True)
    assert result.named("systemctl") == [], "FailureAction would end the instance without a word"
    assert result.calls[-2:] == [f"{TELL} ABANDON", "shutdown -h now"]


def test_no_swap_is_no_reason_not_to_try(tmp_path: Path) -> None:
    result = boot(tmp_path, {"dd": "exit 1"})
    assert result.named("swapon") == [], "there is no file"
    assert not (tmp_path / "etc/fstab").exists(), "nor is one expected after a reboot"
    assert result.calls[-1] == f"{TELL} CONTINUE", "it may do without"


def test_an_api_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    counted = 'echo >> "$ROOT/told"; mapfile -t told < "$ROOT/told"; (( ${#told[@]} > 2 ))'
    result = boot(tmp_path, {"aws": counted})
    assert result.named("aws") == [f"{TELL} CONTINUE"] * 3
    assert result.named("shutdown") == [], "it forwards"
    never = tmp_path / "never"
    never.mkdir()
    silent = boot(never, {"aws": "exit 255"})
    assert len(silent.named("aws")) == 5, "bounded: the hook's time-out abandons it then"


def test_every_attempt_fits_into_the_time_that_the_hook_gives() -> None:
    assert INSTALL_ATTEMPTS * (INSTALL_SECONDS + PAUSE_SECONDS) < BOOT_SECONDS, (
        "an instance that is abandoned while it tries is one that would have come up"
    )


# --- what is registered

INTERFACE: Final = "aws:ec2/networkInterface:NetworkInterface"
ROUTE: Final = "aws:ec2/route:Route"
NAT: Final = "langfuse-staging-nat"


def group_of(graph: Graph) -> Any:
    return graph.one("aws:autoscaling/group:Group", NAT)


def template_of(graph: Graph) -> dict[str, Any]:
    return graph.one("aws:ec2/launchTemplate:LaunchTemplate", NAT).inputs


def test_the_group_is_made_once_its_instance_says_that_it_forwards() -> None:
    group = group_of(shipped("staging")).inputs
    assert (group["minSize"], group["maxSize"], group["desiredCapacity"]) == (1, 1, 1)
    assert group["initialLifecycleHooks"] == [
        {
            "name": HOOK,
            "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "heartbeatTimeout": BOOT_SECONDS,
            "defaultResult": "ABANDON",
        }
    ], "initial, or the first instance would be in service before there is a hook"
    assert group["waitForCapacityTimeout"] == "15m", "`up` ends there, and not at ClickHouse"
    assert 2 * INSTALL_ATTEMPTS * PAUSE_SECONDS + BOOT_SECONDS < 15 * 60, "time for a second one"
    assert group["ignoreFailedScalingActivities"] is True, "the group tries again by itself"


def test_a_lost_instance_is_replaced_at_the_same_interface_and_address() -> None:
    graph = shipped("staging")
    interface, group, template = graph.one(INTERFACE), group_of(graph).inputs, template_of(graph)
    assert interface.inputs["sourceDestCheck"] is False, "AWS drops what it forwards otherwise"
    assert template["networkInterfaces"] == [
        {"deviceIndex": 0, "networkInterfaceId": interface.id}
    ], "no other interface, address or security group: EC2 refuses them beside it"
    address = graph.one("aws:ec2/eip:Eip").inputs
    assert (address["networkInterface"], address["domain"]) == (interface.id, "vpc")
    assert (group["availabilityZones"], "vpcZoneIdentifiers" in group) == (["us-east-1a"], False)
    subnets = graph.one("awsx:ec2:Vpc").outputs["publicSubnetIds"]
    assert interface.inputs["subnetId"] == subnets[0], "in the group's zone"
    assert group["instanceMaintenancePolicy"] == {
        "minHealthyPercentage": 0,
        "maxHealthyPercentage": 100,
    }, "the old instance ends first: it has the interface"


def test_a_changed_boot_script_makes_a_group_that_is_waited_for() -> None:
    graph = shipped("staging")
    options = graph.options_of(group_of(graph))
    assert options.replace_on_changes == {"launchTemplate", "#initerror"}, (
        "an update waits for no instance (terraform-provider-aws#34189), and after a failed start "
        "the next `up` would find nothing to do"
    )
    assert options.delete_before_replace, "there is one network interface"


def test_whoever_needs_the_way_out_waits_for_an_instance_that_forwards() -> None:
    graph = shipped("staging")
    group = graph.urns["aws:autoscaling/group:Group", NAT]
    routes = graph.of_type(ROUTE)
    assert {route.inputs["networkInterfaceId"] for route in routes} == {graph.one(INTERFACE).id}
    for route in routes:
        assert group in graph.options_of(route).dependencies
    for token, name, subnets in (
        ("aws:autoscaling/group:Group", "langfuse-staging-clickhouse", "vpcZoneIdentifiers"),
        ("aws:ecs/service:Service", "langfuse-staging-web", "networkConfiguration"),
        ("aws:ecs/service:Service", "langfuse-staging-worker", "networkConfiguration"),
    ):
        origins = graph.options_of(graph.one(token, name)).origins[subnets]
        assert {graph.urns[ROUTE, route.name] for route in routes} <= set(origins), name
    for token in ("aws:rds/subnetGroup:SubnetGroup", "aws:elasticache/subnetGroup:SubnetGroup"):
        (store,) = graph.of_type(token)
        found = graph.options_of(store).origins["subnetIds"]
        assert not any("ec2/route" in each for each in found), "a store has no way out"


def test_the_script_knows_its_group_and_its_role_may_speak_for_it_alone() -> None:
    graph = shipped("staging")
    name = group_of(graph).inputs["name"]
    assert name == f"{NAT}-{graph.one(INTERFACE).id}"
    script = base64.b64decode(template_of(graph)["userData"]).decode()
    assert script == user_data(region="us-east-1", cidr="10.0.0.0/16", group=name)
    assert graph.policy(NAT) == [
        {
            "Effect": "Allow",
            "Action": ["autoscaling:CompleteLifecycleAction"],
            "Resource": [
                f"arn:aws:autoscaling:us-east-1:*:autoScalingGroup:*:autoScalingGroupName/{name}"
            ],
        }
    ]
    (attached,) = [
        each.inputs["policyArn"]
        for each in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if each.name.startswith(NAT)
    ]
    assert attached == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", "a shell, by SSM"


def test_the_instance_is_hardened_and_what_it_launches_is_tagged() -> None:
    template = template_of(shipped("staging"))
    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    (root,) = template["blockDeviceMappings"]
    assert root["ebs"]["encrypted"] == "true"
    assert template["imageId"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/")
    assert [each["resourceType"] for each in template["tagSpecifications"]] == [
        "instance",
        "volume",
    ], "the network interface exists, and has the provider's default tags"
