"""Whose credentials and region reach AWS, where another program gives a component its provider.

Proves that nothing is made and nothing is asked through another one. What is outside of the
component would go to whatever account the machine happens to be signed in to.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import pulumi
import pulumi_aws as aws
import pytest

from development.recorded_graph import Recording, on_mocks
from langfuse_aws.components import langfuse
from langfuse_aws.components.runtime import images
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.stack import Secrets
from tests.image_lock import locked
from tests.unit.components.test_encryption import GIVEN
from tests.unit.components.test_network import ADOPTED
from tests.unit.components.test_provider_schema import data_source, faults
from tests.unit.stack_graph import asked_of_data_sources
from tests.unit.stacks_of_all import STACKS

OWN: Final = "own"
"""The name of the provider that the other program gives."""

QUESTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "aws:ec2/getInstances:getInstances": {
        "filters": [{"name": "tag-key", "values": ["aws:ec2launchtemplate:version"]}],
        "instanceStateNames": ["pending", "running", "stopping", "shutting-down"],
    },
    "aws:iam/getRoles:getRoles": {"nameRegex": "^AWSServiceRoleForAutoScaling$"},
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
        "allAvailabilityZones": True,
        "filters": [{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
    },
    "aws:rds/getClusterSnapshot:getClusterSnapshot": {"includeShared": True},
    "aws:rds/getSnapshot:getSnapshot": {"includeShared": True},
    "aws:route53/getZone:getZone": {"privateZone": False},
}
"""What is asked whatever the settings: otherwise other zones, instances or roles are found."""

BEGINNING: Final = {
    "size": "dev",
    "network": ADOPTED,
    "postgres": {"snapshotIdentifier": "nightly"},
    "clickhouse": {"snapshotId": "snap-0123456789abcdef0"},
    "encryption": "customerKey",
    "images": {"source": "mirror"},
}
"""What looks most up: a VPC that exists, stores that begin with snapshots, images of the mirror."""


def text(value: Any) -> pulumi.Output[str]:
    return pulumi.Output.secret(value if isinstance(value, str) else json.dumps(value))


def run(config: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Recording, list[Any]]:
    lock = locked(config)
    monkeypatch.setattr(images, "read_lock", lambda _: lock)  # pyright: ignore

    def program() -> None:
        provider = aws.Provider(OWN, region="us-east-1")
        top = pulumi.ComponentResource(
            "langfuse:index:Langfuse", "top", opts=pulumi.ResourceOptions(providers=[provider])
        )
        secrets = Secrets.of(
            lambda key: text(config[key]) if key in config else None,
            lambda key: {name: text(value) for name, value in config.get(key, {}).items()},
        )
        langfuse.deploy("langfuse-top", load(config), secrets, top)

    with asked_of_data_sources() as asked:
        return on_mocks("dev", DEFAULT_REGION, program), asked


@pytest.mark.parametrize(
    "config",
    [
        BEGINNING,
        {
            **BEGINNING,
            "postgres": {"mode": "auroraServerless", "snapshotIdentifier": "nightly"},
            "encryption": GIVEN,
        },
        *(config for _, config in STACKS.values()),
    ],
    ids=["beginning", "beginning with a cluster and a given key", *STACKS],
)
def test_all_of_aws_is_reached_through_the_components_own_provider(
    config: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, asked = run(config, monkeypatch)
    made = [each for each in recording.monitor.requests.values() if each.type.startswith("aws:")]
    looked_up = [each for each in asked if each.token.startswith("aws:")]
    assert len(made) > 50
    assert len(looked_up) > 3
    strays = {f"{each.type} {each.name}" for each in made if f"::{OWN}::" not in each.provider}
    strays |= {each.token for each in looked_up if f"::{OWN}::" not in (each.provider or "")}
    assert strays == set()
    for each in looked_up:
        always = QUESTIONS.get(each.token, {})
        assert {key: each.args.get(key) for key in always} == always, each.token
    unknown = {
        fault
        for each in looked_up
        for fault in faults(data_source(each.token), each.args, each.token)
    }
    assert unknown == set()
