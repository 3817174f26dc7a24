"""Tags of what Auto Scaling launches.

Proves what launch templates and groups ask for, with default tags as the repository's stack files
set them. It does not prove that EC2 heeds them.
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from langfuse_aws.components.shared.launch_template import LAUNCHED
from tests.unit.stack_graph import Graph, shipped
from tests.unit.stacks_of_all import graphs

STACKS = ("dev", "staging", "prod")


def launched(graph: Graph) -> list[tuple[str, dict[str, Any]]]:
    """What each launch template tags, and how."""
    return [
        (each["resourceType"], each["tags"])
        for template in graph.of_type("aws:ec2/launchTemplate:LaunchTemplate")
        for each in template.inputs.get("tagSpecifications", [])
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_instances_volumes_and_network_interfaces_get_the_default_tags(stack: str) -> None:
    graph = shipped(stack)
    templates = graph.of_type("aws:ec2/launchTemplate:LaunchTemplate")
    found = launched(graph)
    brought = [
        any(each.get("networkInterfaceId") for each in template.inputs["networkInterfaces"])
        for template in templates
    ]
    expected = [LAUNCHED[:-1] if existing else LAUNCHED for existing in brought]
    assert [kind for kind, _ in found] == [kind for kinds in expected for kind in kinds], (
        "a network interface that exists has tags already"
    )
    for kind, tags in found:
        assert {"Project": "langfuse", "Stack": stack}.items() <= tags.items(), kind
        assert tags["Name"] in {each.name for each in templates}, "and say whose they are"


@pytest.mark.parametrize("stack", STACKS)
def test_the_root_volume_is_the_one_that_amazon_linux_starts_from(stack: str) -> None:
    """Another device would be a second volume, beside a root of the image's own size and key."""
    for template in shipped(stack).of_type("aws:ec2/launchTemplate:LaunchTemplate"):
        (mapping,) = template.inputs["blockDeviceMappings"]
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
        assert mapping["deviceName"] == "/dev/xvda"
        # The size of the images' snapshots, which is the least: a byte more is paid for.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-ami-storage-config.html
        assert mapping["ebs"]["volumeSize"] == (8 if template.name.endswith("-nat") else 30)


@pytest.mark.parametrize("stack", STACKS)
def test_a_group_has_the_default_tags_and_passes_them_on(stack: str) -> None:
    for group in shipped(stack).of_type("aws:autoscaling/group:Group"):
        assert group.inputs["tags"] == [
            {"key": key, "value": value, "propagateAtLaunch": True}
            for key, value in [("Name", group.name), ("Project", "langfuse"), ("Stack", stack)]
        ], "the provider's default tags do not come to groups by themselves"


@pytest.mark.parametrize("stack", STACKS)
def test_whoever_names_no_version_of_a_template_gets_the_newest(stack: str) -> None:
    templates = shipped(stack).of_type("aws:ec2/launchTemplate:LaunchTemplate")
    assert templates
    for template in templates:
        assert template.inputs["updateDefaultVersion"] is True, (
            f"{template.name}: version 1 would stay EC2's default, and an instance that somebody "
            "starts by hand in an emergency would have the first boot script and disk"
        )


SWITCHES = ("associatePublicIpAddress", "deleteOnTermination", "encrypted", "ebsOptimized")
"""Which the provider has as texts, `true` and `false`, and reads anything else as not set."""


def switches(value: Any) -> Iterator[tuple[str, Any]]:
    """What of a launch template is a switch, wherever it is."""
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from switches(each)
    elif isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from [(key, each)] if key in SWITCHES else switches(each)


def test_a_switch_of_a_launch_template_is_on_or_off() -> None:
    found = [
        each
        for graph in graphs().values()
        for template in graph.of_type("aws:ec2/launchTemplate:LaunchTemplate")
        for each in switches(template.inputs)
    ]
    assert len(found) > 20
    assert {value for _, value in found} <= {"true", "false"}
    assert {value for key, value in found if key == "deleteOnTermination"} == {"true"}
