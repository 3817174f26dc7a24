"""Runs the program on Pulumi's mocks and keeps what it registers: a graph in a quarter of a second.

The mocks are those of `offline/`, so values are the ones that an AWS would have told after `up`.
There is no engine: URNs have the direct parent's type only, nothing is diffed, and default tags,
those of the repository's stack files, are not merged.
"""

import asyncio
import json
import runpy
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, cast

import pulumi
import yaml
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import ROOT
from pulumi.runtime.stack import run_pulumi_func

from development.quick_mocks import QuickLoop, quick, unfinished_outputs
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.components.network.network import without_addresses
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.mocks import OfflineMocks
from langfuse_aws.offline.vpc_component import VPC, Vpc
from langfuse_aws.offline.wire import from_struct
from langfuse_aws.settings.loading import of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.secret_keys import SECRET_KEYS

PROJECT: Final = "langfuse"


class RecordingMonitor(MockMonitor):
    """Mocks see the inputs of a resource; the monitor sees what they come from, and the options."""

    def __init__(self, mocks: OfflineMocks) -> None:
        super().__init__(mocks)
        self.requests: dict[str, Any] = {}
        """The registrations as the engine would get them, by URN."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Note the request."""
        answer = super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self.requests[answer.urn] = request
        return answer  # pyright: ignore[reportUnknownVariableType]


@dataclass(frozen=True)
class Recording:
    """One run of the program."""

    mocks: OfflineMocks
    monitor: RecordingMonitor


def recorded(
    stack: str, config: Mapping[str, Any], *, region: str = DEFAULT_REGION
) -> ResourceGraph:
    """The graph of a stack with a `langfuse:` configuration, its keys without the namespace.

    What awsx makes for a VPC is there too. Raises what the program raises.
    """
    return _recorded(stack, json.dumps(config), region)


def run(stack: str, config: Mapping[str, Any], *, region: str = DEFAULT_REGION) -> Recording:
    """Run the program once for each stack, configuration and region."""
    return _run(stack, json.dumps(config), region)


def shipped_config(stack: str) -> dict[str, Any]:
    """The `langfuse:` keys of one of the stack files in the repository."""
    return cast("dict[str, Any]", json.loads(_shipped_config(stack)))


@cache
def _shipped_config(stack: str) -> str:
    text = (REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    return json.dumps(of_namespace(cast("dict[str, Any]", yaml.safe_load(text)["config"])))


@cache
def _recorded(stack: str, config_json: str, region: str) -> ResourceGraph:
    main = _run(stack, config_json, region)
    found = _resources(main)
    for vpc in [each for each in found if each.type == VPC]:
        arguments = main.mocks.one(VPC, vpc.name).inputs
        opts = pulumi.ResourceOptions(transformations=[_without_addresses])
        inside = on_mocks(stack, region, partial(Vpc, vpc.name, arguments, opts))
        (alone,) = [urn for urn, each in inside.monitor.requests.items() if each.type == VPC]
        found += [
            each
            for each in _resources(inside, {alone: vpc.urn})
            if each.custom or each.parent == vpc.urn
        ]
    return ResourceGraph(tuple(found))


def _without_addresses(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    """Do what the network's transform does in an engine: mocks know none."""
    asked = pulumi.ResourceTransformArgs(True, args.type_, args.name, dict(args.props), args.opts)
    found = without_addresses(asked)
    return found and pulumi.ResourceTransformationResult(dict(found.props), args.opts)


def _resources(recording: Recording, renamed: Mapping[str, str] | None = None) -> list[Resource]:
    """What was registered, sorted, since a run has no order; `renamed` has URNs and better ones."""
    better = renamed or {}

    def origins(request: Any) -> dict[str, list[str]]:
        found = {key: list[str](value.urns) for key, value in request.propertyDependencies.items()}
        return {key: sorted(better.get(urn, urn) for urn in urns) for key, urns in found.items()}

    found = [
        Resource.of(
            {
                "urn": urn,
                "type": request.type,
                "parent": better.get(request.parent, request.parent),
                "custom": request.custom,
                "inputs": from_struct(request.object),
                "outputs": _outputs(recording.monitor, urn) if request.custom else {},
                "protect": request.protect,
                "retainOnDelete": request.retainOnDelete,
                "propertyDependencies": origins(request),
            }
        )
        for urn, request in sorted(recording.monitor.requests.items())
    ]
    return [each for each in found if not each.type.startswith("pulumi:providers:")]


def _outputs(monitor: RecordingMonitor, urn: str) -> dict[str, Any]:
    made = monitor.resources[urn]
    state = cast("dict[str, Any]", made.state)  # pyright: ignore[reportUnknownMemberType]
    return {"id": made.id, **state}


@cache
def _run(stack: str, config_json: str, region: str) -> Recording:
    return run_program(stack, config_json, region)


def run_program(stack: str, config_json: str, region: str) -> Recording:
    """Run the program, also if it has been run like this before."""
    config = cast("dict[str, Any]", json.loads(config_json))
    pulumi.runtime.set_all_config(
        {
            "aws:region": region,
            **{
                f"{NAMESPACE}:{key}": value if isinstance(value, str) else json.dumps(value)
                for key, value in config.items()
            },
        },
        [f"{NAMESPACE}:{key}" for key in SECRET_KEYS],
    )

    def program() -> None:
        runpy.run_path(str(REPOSITORY / "__main__.py"))

    return on_mocks(stack, region, program)


def on_mocks(
    stack: str, region: str, program: Callable[[], object], project: str = PROJECT
) -> Recording:
    """Run a program; an output that it returns is waited for."""
    mocks = OfflineMocks(region, default_tags={"Project": project, "Stack": stack})
    monitor = RecordingMonitor(mocks)
    with _event_loop() as loop, quick():
        ROOT.set(None)  # the stack of an earlier run belongs to that run's loop
        pulumi.runtime.set_mocks(
            mocks, project=project, stack=stack, preview=False, monitor=monitor
        )

        unfinished_outputs().clear()  # what an earlier run has left behind

        async def run_it() -> None:
            await pulumi.Output.from_input(program()).future()

        loop.run_until_complete(run_pulumi_func(run_it))
    return Recording(mocks, monitor)


@contextmanager
def _event_loop() -> Generator[asyncio.AbstractEventLoop]:
    """Have a loop of one's own, and give back the one that was there, if any."""
    try:
        before = asyncio.get_event_loop()
    except RuntimeError:  # from Python 3.14 on, which makes none
        before = None
    loop = QuickLoop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    except BaseException:
        end(loop)
        raise
    finally:
        asyncio.set_event_loop(before)
    loop.close()  # a run that succeeds leaves no task, and looking for one takes longer each time


def end(loop: asyncio.AbstractEventLoop) -> None:
    """End what an error left unfinished before it can speak up elsewhere."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
