"""What the component for other languages makes, and how it fails.

It proves that the component makes what the program makes, below itself, with the same protection
and the same guard. That an engine can start the plugin is proven by tests/engine/test_plugin.py.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from inspect import get_annotations
from typing import Any, cast

import pulumi
import pytest
from pulumi.errors import InputPropertiesError
from pydantic.alias_generators import to_camel

import plugin.component
from development.recorded_graph import Recording, on_mocks, recorded
from langfuse_aws.components.protection.release_guard import ReleaseGuard
from langfuse_aws.cost.bill import bill
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from plugin.component import Langfuse
from plugin.provider import LangfuseProvider
from tests.unit.stack_graph import VARIED, Options, unshared, varied

TOKEN = "langfuse:index:Langfuse"
STACK = "pulumi:pulumi:Stack"
STASH = "pulumi:index:Stash"
SERVICE = "aws:ecs/service:Service"
UUID = "random:index/randomUuid:RandomUuid"
SECRET = "aws:secretsmanager/secret:Secret"

ORIGINS: dict[str, set[str]] = {}
"""The resources that each output of the component waits for."""


@cache
def made() -> tuple[dict[str, Any], Recording]:
    """The state and the registrations of a component with the configuration of `varied`."""
    found: dict[str, Any] = {}

    def program() -> Any:
        provider = LangfuseProvider()
        found.update(provider.construct("tracing", TOKEN, ARGUMENTS, None).state)
        waited = [pulumi.Output.from_input(origins(key, each)) for key, each in found.items()]
        return pulumi.Output.all(*waited).apply(
            lambda _: pulumi.Output.all(**found).apply(found.update)
        )

    async def origins(key: str, output: pulumi.Output[Any]) -> None:
        ORIGINS[key] = {
            f"{each.pulumi_resource_type} {each.pulumi_resource_name}"
            for each in await output.resources()
        }

    return found, on_mocks("dev", DEFAULT_REGION, program, project="platform")


ARGUMENTS: Any = json.loads(json.dumps(VARIED), parse_int=float)
"""As a program sends them: every number is a float."""


def shapes(options: Mapping[tuple[str, str], Options], prefix: str, top: str) -> dict[str, Any]:
    """Each resource with its options, where the prefix of names and the type of the top are not."""

    def short(urn: str) -> str:
        *_, kinds, name = urn.split("::")
        kind = kinds.split("$")[-1]
        return "the top" if kind == top else f"{kind} {name.removeprefix(prefix)}"

    return {
        f"{kind} {name.removeprefix(prefix)}": replace(
            each,
            parent=short(each.parent),
            origins={key: tuple(sorted(map(short, urns))) for key, urns in each.origins.items()},
            # Who waits for the data plane may see this late child of it, or not.
            dependencies=frozenset(map(short, each.dependencies)) - {f"{STASH} -stores"},
        )
        for (kind, name), each in options.items()
        if prefix in name and kind not in (TOKEN, STACK)
    }


def options(recording: Recording) -> dict[tuple[str, str], Options]:
    requests = recording.monitor.requests.values()
    return {(each.type, each.name): Options.of(each) for each in requests}


def test_the_component_makes_what_the_program_makes_and_guards_and_protects_it_the_same() -> None:
    component = shapes(options(made()[1]), "platform-dev-tracing", TOKEN)
    assert component == shapes(varied().options, "langfuse-dev", STACK)
    assert len(component) > 150


def test_every_output_that_is_declared_is_there_and_is_the_programs() -> None:
    declared = set(get_annotations(Langfuse))
    state = made()[0]
    assert set(state) == {to_camel(name) for name in declared}
    program = bill(recorded("dev", VARIED), DEFAULT_REGION)

    def told(kind: str, label: str, output: str) -> str:
        return made()[1].mocks.one(kind, f"platform-dev-tracing{label}").outputs[output]

    assert state == {
        "url": "https://langfuse.example.com",
        "healthUrl": "https://langfuse.example.com/api/public/health",
        "organization": "platform-dev-tracing",
        "project": "platform-dev-tracing",
        "publicKey": f"pk-lf-{told(UUID, '-bootstrap-public-key', 'result')}",
        "secretKeySecretArn": told(SECRET, "-bootstrap", "arn"),
        "clusterName": told("aws:ecs/cluster:Cluster", "", "name"),
        "webServiceName": told(SERVICE, "-web", "name"),
        "workerServiceName": told(SERVICE, "-worker", "name"),
        "dashboardUrl": "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#dashboards/dashboard/platform-dev-tracing-us-east-1",
        "monthlyCostUsd": round(program.sums.configured, 2),
        "logGroupNames": [
            told("aws:cloudwatch/logGroup:LogGroup", f"-{label}", "name")
            for label in ("web", "worker", "migration", "clickhouse", "clickhouse-backup")
        ],
        "grafanaUrl": "https://langfuse.example.com/grafana",
        "grafanaPasswordSecretArn": told(SECRET, "-grafana", "arn"),
    }


@pytest.mark.parametrize(
    ("output", "service"),
    [("webServiceName", "-web"), ("workerServiceName", "-worker"), ("grafanaUrl", "-grafana")],
)
def test_an_output_of_a_service_is_told_when_the_service_runs(output: str, service: str) -> None:
    made()
    assert f"{SERVICE} platform-dev-tracing{service}" in ORIGINS[output]


def test_the_program_exports_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[str] = []

    def export(name: str, _: object) -> None:
        exported.append(name)

    monkeypatch.setattr("langfuse_aws.components.program.pulumi.export", export)
    with unshared():
        varied()
    assert sorted(exported) == sorted(get_annotations(Langfuse))


def test_what_does_not_fit_aws_is_one_message_and_other_failures_keep_their_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "langfuse:network.zones: 4: this region has 3. Lower it."

    def fail(error: Exception) -> None:
        def in_the_constructor(*_: Any) -> None:
            raise error

        monkeypatch.setattr(plugin.component, "read", in_the_constructor)
        LangfuseProvider().construct("tracing", TOKEN, cast("Any", {"size": "dev"}), None)

    with pytest.raises(InputPropertiesError) as refused:
        fail(pulumi.RunError(text))
    assert refused.value.message == "network.zones: 4: this region has 3. Lower it."
    with pytest.raises(Exception, match="a fault of ours") as fault:
        fail(KeyError("a fault of ours"))
    assert not isinstance(fault.value, InputPropertiesError)


def test_what_the_guard_says_is_in_the_words_of_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def deploy(*arguments: Any) -> dict[str, Any]:
        _, settings, *_, how_to_allow, how_to_set = arguments
        said.extend(
            [how_to_allow.format("a-store"), *ReleaseGuard(settings, how_to_set).faults({})]
        )
        return {}

    monkeypatch.setattr(plugin.component, "deploy", deploy)

    def program() -> None:
        LangfuseProvider().construct("tracing", TOKEN, cast("Any", {"size": "dev"}), None)

    on_mocks("dev", DEFAULT_REGION, program, project="platform")
    allow, release = said
    assert allow == 'allowReplace: ["a-store"] among the arguments of the component'
    for each in (LANGFUSE_3, LANGFUSE):
        assert f'release: "{each}" among the arguments of the component' in release


def test_an_unknown_argument_is_named_although_the_schema_does_not_have_it() -> None:
    with pytest.raises(InputPropertiesError, match='domian: "x": unknown key'):
        LangfuseProvider().construct(
            "tracing", TOKEN, cast("Any", {"size": "dev", "domian": "x"}), None
        )
