"""Builds a stack's resource graph under Pulumi's mocks and answers questions about it.

It proves what the program registers. It does not prove what AWS would answer: that is the business
of `tests/provider`.
"""

import copyreg
import hashlib
import json
import os
import pickle
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from inspect import unwrap
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
from pulumi.runtime.proto import resource_pb2

from development.recorded_graph import (
    Recording,
    RecordingMonitor,
    _recorded,  # pyright: ignore[reportPrivateUsage]
    run,
    run_program,
    shipped_config,
)
from langfuse_aws.graph.model import STACK_TYPE
from langfuse_aws.offline.mocks import OfflineMocks, Registration
from langfuse_aws.settings.versions import LANGFUSE_3
from tests.image_lock import locked

__all__ = [
    "CERTIFICATE",
    "ROOT",
    "VARIED",
    "Graph",
    "RecordingMonitor",
    "asked_of_data_sources",
    "build",
    "build_locked",
    "shipped",
    "shipped_config",
    "varied",
]

ROOT = Path(__file__).parents[2]
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
"""A certificate that the user has."""

_ARCHITECTURE = {"architecture": "x86_64"}
_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache"
VARIED: Mapping[str, Any] = {
    "size": "dev",
    "release": LANGFUSE_3,
    "domain": "langfuse.example.com",
    "web": _ARCHITECTURE,
    "worker": {
        **_ARCHITECTURE,
        "maxLagSeconds": 40,
        "environment": {
            "ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING": "true",
            "REDIS_KEY_PREFIX": "mine",
        },
    },
    "bootstrap": {"userEmail": "ada@example.com", "organization": "Acme, Inc."},
    "auth": {
        "disablePassword": True,
        "enforceSsoDomains": ["example.com"],
        "providers": {
            "google": {
                "clientId": "g-1",
                "allowedDomains": ["example.com"],
                "allowAccountLinking": True,
            },
            "azureAd": {"clientId": "a-1", "tenantId": "example.com"},
        },
    },
    "authSecrets": {"google": "varied-google", "azureAd": "varied-azure"},
    "smtp": {"mode": "ses", "from": "no-reply@example.com"},
    "alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 300},
    "grafana": {"enabled": True},
    "images": {
        "source": "pullThrough",
        "githubSecretArn": f"{_SECRET}/github-AbCdEf",
        "dockerHubSecretArn": f"{_SECRET}/docker-hub-AbCdEf",
    },
}


@dataclass(frozen=True)
class Options:
    """What the engine is told about a resource besides its inputs."""

    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: frozenset[str]
    replace_on_changes: frozenset[str]
    parent: str
    dependencies: frozenset[str]
    origins: Mapping[str, tuple[str, ...]]
    custom: bool
    replace_with: frozenset[str]
    aliases: tuple[str, ...]
    """Names that it had before; empty: the same."""
    earlier_parents: tuple[str, ...]
    """The URN of what each of them was in; empty: the same."""
    asks_before: frozenset[str]
    """Of create, update and delete: before which of them a hook may refuse it."""
    timeouts: Mapping[str, str]
    """How long the engine waits, by `create`, `update`, `delete`; empty: as the provider does."""

    @classmethod
    def of(cls, request: Any) -> "Options":
        """Read a registration."""
        return cls(
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            ignore_changes=frozenset(request.ignoreChanges),
            replace_on_changes=frozenset(request.replaceOnChanges),
            parent=request.parent,
            dependencies=frozenset(request.dependencies),
            origins={
                name: tuple(found.urns) for name, found in request.propertyDependencies.items()
            },
            custom=request.custom,
            replace_with=frozenset(request.replace_with),
            aliases=tuple(each.spec.name for each in request.aliases),
            earlier_parents=tuple(each.spec.parentUrn for each in request.aliases),
            asks_before=frozenset(
                kind
                for kind in ("create", "update", "delete")
                if getattr(request.hooks, f"before_{kind}")
            ),
            timeouts={
                kind: getattr(request.customTimeouts, kind)
                for kind in ("create", "update", "delete")
            },
        )


@dataclass(frozen=True)
class Graph:
    """Everything that one run of the program registered."""

    registrations: tuple[Registration, ...]
    options: Mapping[tuple[str, str], Options]
    urns: Mapping[tuple[str, str], str]

    def of_type(self, token: str) -> list[Registration]:
        """Every resource of a type, such as `aws:ecs/service:Service`."""
        return [found for found in self.registrations if found.type == token]

    def one(self, token: str, name: str | None = None) -> Registration:
        """The only resource of a type, or the one with a name."""
        found = [each for each in self.of_type(token) if name in (None, each.name)]
        names = [each.name for each in self.of_type(token)]
        assert len(found) == 1, f"not one {token} {name or ''}; there are {names}"
        return found[0]

    def options_of(self, resource: Registration) -> Options:
        """The options a resource was registered with."""
        return self.options[resource.type, resource.name]

    def container(self, name: str) -> dict[str, Any]:
        """The definition of the container `web`, `worker` or `clickhouse`."""
        for task in self.of_type("aws:ecs/taskDefinition:TaskDefinition"):
            for definition in json.loads(task.inputs["containerDefinitions"]):
                if definition["name"] == name:
                    return definition
        raise AssertionError(f"no container {name}")

    def environment(self, container: str) -> dict[str, str]:
        """The plain environment of a container."""
        return {each["name"]: each["value"] for each in self.container(container)["environment"]}

    def secrets(self, container: str) -> dict[str, str]:
        """The references to secrets of a container."""
        return {each["name"]: each["valueFrom"] for each in self.container(container)["secrets"]}

    def policy(self, role: str) -> list[dict[str, Any]]:
        """The statements of a role's inline policy."""
        policy = self.one("aws:iam/rolePolicy:RolePolicy", role).inputs["policy"]
        return cast("list[dict[str, Any]]", json.loads(policy)["Statement"])

    def open_ports(self) -> set[tuple[str, str, int]]:
        """Who may enter what at which port, by the names of security groups and blocks."""
        groups = {
            group.id: group.name for group in self.of_type("aws:ec2/securityGroup:SecurityGroup")
        }
        rules = self.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        return {
            (
                groups.get(rule.inputs.get("referencedSecurityGroupId", ""), "")
                or rule.inputs["cidrIpv4"],
                groups[rule.inputs["securityGroupId"]],
                int(rule.inputs.get("toPort", -1)),
            )
            for rule in rules
        }


def build(stack: str, config: Mapping[str, Any], *, region: str = "us-east-1") -> Graph:
    """Run the program for a stack with a `langfuse:` configuration."""
    return _build(stack, json.dumps(config), region)


def kept_in(folder: Path) -> Callable[..., Recording]:
    """Run the program once for all processes of this test run: its files are in the folder."""
    folder.mkdir(exist_ok=True)

    @cache
    def run_once(*key: str) -> Recording:
        file = folder / hashlib.sha256(repr(key).encode()).hexdigest()
        if not file.exists():
            part = file.with_suffix(f".{os.getpid()}")
            part.write_bytes(pickle.dumps(run_program(*key)))
            part.rename(file)
        return cast("Recording", pickle.loads(file.read_bytes()))  # noqa: S301 -- written above

    return run_once


@contextmanager
def unshared() -> Generator[None]:
    """Build anew what is asked for, and give it to no other test: the program is patched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("development.recorded_graph._run", run_program)
        patch.setattr("development.recorded_graph._recorded", _recorded.__wrapped__)
        patch.setattr(f"{__name__}._build", unwrap(_build))  # once only, if this is within another
        yield


@contextmanager
def asked_of_data_sources() -> Generator[list[Any]]:
    """Note what each data source is asked, as a `pulumi.runtime.MockCallArgs`."""
    asked: list[Any] = []
    answer = OfflineMocks.call

    def call(mocks: OfflineMocks, args: pulumi.runtime.MockCallArgs) -> Any:
        asked.append(args)
        return answer(mocks, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OfflineMocks, "call", call)
        yield asked


def _registration(serialized: bytes) -> Any:
    return resource_pb2.RegisterResourceRequest.FromString(serialized)


copyreg.pickle(
    resource_pb2.RegisterResourceRequest,
    lambda request: (_registration, (request.SerializeToString(),)),
)


@cache
def _build(stack: str, config_json: str, region: str) -> Graph:
    done = run(stack, cast("dict[str, Any]", json.loads(config_json)), region=region)
    named = {
        (each.type, each.name): (urn, each)
        for urn, each in done.monitor.requests.items()
        if each.type != STACK_TYPE
    }
    return Graph(
        tuple(done.mocks.registrations),
        {key: Options.of(request) for key, (_, request) in named.items()},
        {key: urn for key, (urn, _) in named.items()},
    )


def build_locked(stack: str, config: Mapping[str, Any]) -> Graph:
    """The same for a stack that mirrors its images, all of them locked, and so in the offline ECR.

    Without that it refuses them: the repository's own lock is empty.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "langfuse_aws.components.runtime.images.read_lock",
            lambda _: locked(config),  # pyright: ignore
        )
        return build(stack, config)


def shipped(stack: str) -> Graph:
    """The graph of one of the stack files in the repository."""
    return build(stack, shipped_config(stack))


def varied() -> Graph:
    """A dev stack with settings of its own that have nothing to do with each other: one run."""
    return build("dev", VARIED)
