"""The aws and random providers as the engine sees them, over gRPC.

They hold nothing but the configuration of each connection; all state is the engine's. What is
imported exists by the name that it is asked for, and has no other input. `Check` validates nothing
but the length of names.
"""

# ruff: noqa: ARG002, N802 -- gRPC calls these methods by their names, with both arguments.

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar, NoReturn, cast

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import (
    ResourceProviderServicer,
    add_ResourceProviderServicer_to_server,
)

from offline import changes, invokes, model, naming, random_values, read_back
from offline.catalog import resource_type
from offline.facts import DEFAULT_REGION
from offline.unknown import UNKNOWN, has_unknown
from offline.wire import Properties, from_struct, to_struct

UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

_WORKERS = 16


class Provider(ResourceProviderServicer):
    """What both providers have in common. Secrets are unwrapped and marked by the engine."""

    package: ClassVar[str]

    def Handshake(self, request: Any, context: Any) -> Any:
        """Say what the provider understands."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False, accept_outputs=False)

    def Attach(self, request: Any, context: Any) -> Any:
        """Accept an engine that attaches to the running provider."""
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version of the SDK that the provider stands in for."""
        return plugin_pb2.PluginInfo(version=version(self.package))

    def GetSchema(self, request: Any, context: Any) -> Any:
        """There is no schema; the SDKs are generated already."""
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Accept any configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """A changed configuration replaces no resources by itself."""
        kinds = provider_pb2.DiffResponse
        same = request.old_inputs == request.news
        return kinds(changes=kinds.DIFF_NONE if same else kinds.DIFF_SOME)

    def Configure(self, request: Any, context: Any) -> Any:
        """Accept the configuration."""
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False, acceptOutputs=False, supportsPreview=True
        )

    def Read(self, request: Any, context: Any) -> Any:
        """Nothing drifts, so the state is what it was."""
        if not request.properties.fields:
            message = f"{request.type} {request.id!r} cannot be imported: nothing exists offline"
            _abort(context, grpc.StatusCode.NOT_FOUND, message)
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Any, context: Any) -> Any:
        """Nothing has to be done."""
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        """Every call ends by itself."""
        return Empty()


@dataclass(frozen=True)
class _Configuration:
    """What the configuration of an aws provider says."""

    region: str = ""
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def tags_with(self, given: Any) -> Any:
        """Given tags and the default tags that they do not override."""
        own = cast("dict[str, str]", given or {})
        return UNKNOWN if has_unknown([own, self.tags]) else self.tags | own


class AwsProvider(Provider):
    """The aws provider: the model of `offline.model` behind the engine's protocol."""

    package = "pulumi-aws"

    def __init__(self) -> None:
        self._configurations: dict[str, _Configuration] = {}
        self.made: dict[tuple[str, str], Properties] = {}
        """What exists that data sources look at, by type and ID."""

    def running(self) -> list[read_back.Running]:
        """What exists runs."""
        return [
            read_back.Running(token, properties, read_back.program(token, properties))
            for (token, _), properties in self.made.items()
        ]

    def Configure(self, request: Any, context: Any) -> Any:
        """Remember region and default tags; each provider resource has its own connection."""
        arguments = from_struct(request.args)
        tags = _nested(arguments.get("defaultTags")).get("tags", {})
        region = arguments.get("region") or os.environ.get("AWS_REGION") or DEFAULT_REGION
        self._configurations[context.peer()] = _Configuration(region, tags)
        return super().Configure(request, context)

    def _configuration(self, context: Any) -> _Configuration:
        default = _Configuration(os.environ.get("AWS_REGION") or DEFAULT_REGION)
        return self._configurations.get(context.peer(), default)

    def Check(self, request: Any, context: Any) -> Any:
        """Fill in what pulumi-aws fills in: the name, the region, and all tags."""
        entry = resource_type(request.type)
        configuration = self._configuration(context)
        inputs = from_struct(request.news)
        if entry.regional:
            inputs.setdefault("region", configuration.region)
        if entry.tagged:
            inputs["tagsAll"] = configuration.tags_with(inputs.get("tags"))
        try:
            inputs = naming.named(
                request.type, request.name, inputs, from_struct(request.olds), request.randomSeed
            )
        except naming.NameTooLongError as error:
            failure = provider_pb2.CheckFailure(property=error.property, reason=str(error))
            return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=[failure])
        return provider_pb2.CheckResponse(inputs=to_struct(inputs))

    def Diff(self, request: Any, context: Any) -> Any:
        """Compare the inputs."""
        self.made.setdefault((request.type, request.id), from_struct(request.olds))
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        return _diff_response(changes.compare(request.type, old, new))

    def Create(self, request: Any, context: Any) -> Any:
        """Make up a resource."""
        subject = (request.type, request.name, from_struct(request.properties))
        region = self._configuration(context).region
        if request.preview:
            outputs = model.preview_create(*subject, region)
            return provider_pb2.CreateResponse(properties=to_struct(outputs))
        resource_id, outputs = model.create(*subject, region)
        self.made[request.type, resource_id] = outputs
        return provider_pb2.CreateResponse(id=resource_id, properties=to_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        """Work out the outputs for changed inputs."""
        update = model.preview_update if request.preview else model.update
        outputs = update(
            request.type,
            request.name,
            request.id,
            from_struct(request.olds),
            from_struct(request.news),
            self._configuration(context).region,
        )
        if not request.preview:
            self.made[request.type, request.id] = outputs
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        """Nothing drifts; and what an import asks for is there, if its ID is its name."""
        entry = resource_type(request.type)
        if request.properties.fields or entry.naming is None:
            return super().Read(request, context)
        region = self._configuration(context).region
        inputs = {entry.naming.property: request.id} | (
            {"region": region} if entry.regional else {}
        )
        found, outputs = model.create(request.type, request.name, inputs, region)
        if found != request.id:
            return super().Read(request, context)
        return provider_pb2.ReadResponse(
            id=found, properties=to_struct(outputs), inputs=to_struct(inputs)
        )

    def Invoke(self, request: Any, context: Any) -> Any:
        """Answer a data source."""
        region = self._configuration(context).region
        arguments = from_struct(request.args)
        try:
            answer = read_back.answer(request.tok, arguments, self.running())
            if answer is None:
                answer = invokes.invoke(request.tok, arguments, region)
        except ValueError as error:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return provider_pb2.InvokeResponse(**cast("Any", {"return": to_struct(answer)}))


class RandomProvider(Provider):
    """The random provider: values that stay as long as their inputs do."""

    package = "pulumi-random"

    def Check(self, request: Any, context: Any) -> Any:
        """Accept any inputs."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        """Any change makes a new value."""
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        return _diff_response(changes.compare_all_replacing(old, new))

    def Create(self, request: Any, context: Any) -> Any:
        """Make a value."""
        inputs = from_struct(request.properties)
        secret = random_values.SECRET_OUTPUTS.get(request.type, ())
        if request.preview:
            unknown = dict.fromkeys(random_values.COMPUTED.get(request.type, ()), UNKNOWN)
            outputs = to_struct({**inputs, **unknown}, secret)
            return provider_pb2.CreateResponse(properties=outputs)
        try:
            resource_id, values = random_values.create(request.type, request.name, inputs)
        except ValueError as error:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return provider_pb2.CreateResponse(id=resource_id, properties=to_struct(values, secret))


def serve(provider: Provider) -> tuple[grpc.Server, int]:
    """Serve a provider on a free loopback port."""
    server = grpc.server(ThreadPoolExecutor(_WORKERS), options=UNLIMITED)
    add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def _diff_response(difference: changes.Difference) -> Any:
    kinds = provider_pb2.DiffResponse
    detailed = {
        change.path: provider_pb2.PropertyDiff(
            kind=provider_pb2.PropertyDiff.Kind.Value(
                f"{change.kind.value}_REPLACE" if change.replaces else change.kind.value
            ),
            inputDiff=True,
        )
        for change in difference.changes
    }
    return kinds(
        changes=kinds.DIFF_SOME if difference.changes else kinds.DIFF_NONE,
        diffs=sorted({change.property for change in difference.changes}),
        replaces=difference.replaces,
        deleteBeforeReplace=difference.delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _nested(value: Any) -> Properties:
    """A nested property of a provider's configuration, which SDKs send as JSON."""
    if isinstance(value, str) and value != UNKNOWN:
        return json.loads(value)
    return cast("Properties", value) if isinstance(value, dict) else {}


def _abort(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError(message)
