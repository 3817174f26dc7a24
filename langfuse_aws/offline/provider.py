"""The aws and random providers as the engine sees them, over gRPC.

The state is the engine's; what exists, and would make AWS refuse a request, is in `account.py`.
`Check` and `Diff` refuse what the provider sees before it asks AWS, and so do previews; `Create`,
`Update` and `Delete` refuse what AWS does. What is imported exists by the name that it is asked
for, and has no other input.
"""

# ruff: noqa: ARG002, N802 -- gRPC calls these methods by their names, with both arguments.

import json
import os
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar, NoReturn, cast

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, status_pb2
from pulumi.runtime.proto.provider_pb2_grpc import (
    ResourceProviderServicer,
    add_ResourceProviderServicer_to_server,
)

from langfuse_aws.offline import (
    changes,
    invokes,
    model,
    naming,
    random_values,
    read_back,
    rules,
    services,
    snapshots,
    text_rules,
)
from langfuse_aws.offline.account import Account, Existing, Made
from langfuse_aws.offline.catalog import resource_type
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.refusals import Request, all_refused, refused
from langfuse_aws.offline.unknown import UNKNOWN, any_unknown
from langfuse_aws.offline.wire import Properties, from_struct, to_struct

UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

_WORKERS = 16

_OF_SOMEBODY: Mapping[str, Properties] = {
    "aws:rds/cluster:Cluster": {"masterUsername": "langfuse", "databaseName": "langfuse"}
}
"""What is read of an imported resource besides its name: it has an owner already."""


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
        return UNKNOWN if any_unknown([own, self.tags]) else self.tags | own


class AwsProvider(Provider):
    """The aws provider: the model of `langfuse_aws.offline.model` behind the engine's protocol.

    `shared` is one account for all stacks. `begin_with` is what each account has before any stack
    does: types, and properties with an `id`.
    """

    package = "pulumi-aws"

    def __init__(self, *, shared: bool = False, begin_with: Iterable[Made] = ()) -> None:
        self.fails_to_start: dict[str, str] = {}
        """Why services do not start, by logical name, while it is so."""
        self.fails_to_launch: dict[str, str] = {}
        """Why Auto Scaling groups launch no instance, by logical name, while it is so."""
        self.clock_is_ahead = False
        """Whether the deploying machine's is, so that a rollback of ECS passes for success."""
        self._shared = shared
        self._begin_with = tuple(begin_with)
        self._configurations: dict[str, _Configuration] = {}
        self._accounts: dict[str, Account] = {}
        self._account_of_peer: dict[str, Account] = {}

    def Configure(self, request: Any, context: Any) -> Any:
        """Remember region, default tags and account; each provider resource has a connection."""
        arguments = from_struct(request.args)
        tags = _nested(arguments.get("defaultTags")).get("tags", {})
        region = arguments.get("region") or _region_of_environment()
        self._configurations[context.peer()] = _Configuration(region, tags)
        self._account_of_peer[context.peer()] = self._account_of(request.id)
        return super().Configure(request, context)

    def _configuration(self, context: Any) -> _Configuration:
        default = _Configuration(_region_of_environment())
        return self._configurations.get(context.peer(), default)

    def _account_of(self, provider_id: str) -> Account:
        """The account of a stack; a preview of a new stack has one that nothing else sees."""
        if self._shared:
            return self._accounts.setdefault("", Account(self._begin_with))
        if provider_id in ("", UNKNOWN):
            return Account(self._begin_with)
        return self._accounts.setdefault(provider_id, Account(self._begin_with))

    def account(self, context: Any) -> Account:
        """The account that a connection works on."""
        return self._account_of_peer.setdefault(context.peer(), self._account_of(""))

    def runs(self, name: str) -> str | None:
        """The task definition or image that the service with a logical name runs, if it does."""
        found = [
            each
            for account in self._accounts.values()
            for each in account.of_type(services.ECS, services.APP_RUNNER)
            if each.name == name
        ]
        return found[-1].runs if found else None

    def redeploy(self, name: str) -> None:
        """Begin a new deployment of the ECS service with a physical name, by hand."""
        for account in self._accounts.values():
            for each in account.of_type(services.ECS):
                if each.get("name") == name and each.name not in self.fails_to_start:
                    each.runs = services.program(each.type, each.properties)
                    each.told = {}

    def change_by_hand(self, token: str, resource_id: str, **properties: Any) -> None:
        """Change something in AWS that the engine hears of by a refresh only."""
        for account in self._accounts.values():
            if found := account.find(token, resource_id):
                account.change(found, {**found.properties, **properties})
                found.told = {**found.told, **properties}

    def unprotect(self, arns: Collection[str]) -> None:
        """Take AWS's protection from deletion off these resources, as a hand would."""
        for account in self._accounts.values():
            for each in account.of_type(*rules.protections()):
                if each.get("arn") in arns:
                    lifted = {rules.protections()[each.type]: False}
                    account.change(each, {**each.properties, **lifted})

    def Check(self, request: Any, context: Any) -> Any:
        """Fill in what pulumi-aws fills in: the name, the region, and all tags."""
        entry = resource_type(request.type)
        configuration = self._configuration(context)
        inputs = from_struct(request.news)
        if entry.regional:
            inputs.setdefault("region", configuration.region)
        if entry.tagged:
            inputs["tagsAll"] = configuration.tags_with(inputs.get("tags"))
        failures: list[Any] = []
        try:
            inputs = naming.named(
                request.type, request.name, inputs, from_struct(request.olds), request.randomSeed
            )
        except naming.NameTooLongError as error:
            failures.append(provider_pb2.CheckFailure(property=error.property, reason=str(error)))
        asked = Request(self.account(context), request.type, inputs)
        failures += (
            provider_pb2.CheckFailure(property=found.rule.properties[0], reason=found.message)
            for found in all_refused(asked, "check")
        )
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        """Compare the inputs."""
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        state = {**old, **from_struct(request.olds)}
        account = self.account(context)
        _learn(account, request, state)
        there = Existing(request.type, request.id, state)
        self._refuse(Request(account, request.type, new, there), "preview", context)
        difference = changes.compare(request.type, old, new, state, request.ignoreChanges)
        return _diff_response(difference)

    def Create(self, request: Any, context: Any) -> Any:
        """Make up a resource."""
        inputs = from_struct(request.properties)
        subject = (request.type, request.name, inputs)
        region = self._configuration(context).region
        if request.preview:
            outputs = model.preview_create(*subject, region)
            return provider_pb2.CreateResponse(properties=to_struct(outputs))
        account = self.account(context)
        with account.lock:
            self._refuse(Request(account, request.type, inputs), "create", context)
            resource_id, outputs = model.create(*subject, region)
            outputs |= snapshots.decided(account, request.type, inputs)
            made = account.add(request.type, resource_id, outputs, request.name)
            asked = Request(account, request.type, inputs, made)
            why = self._not_started(made, inputs)
            if why is not None:
                outputs |= services.STATUS[request.type]
            elif found := refused(asked, "start"):
                why = found.message
        if why is not None:
            _abort_half_made(context, resource_id, outputs, why)
        return provider_pb2.CreateResponse(id=resource_id, properties=to_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        """Work out the outputs for changed inputs; without a difference, nothing is sent."""
        olds, old, new = map(from_struct, (request.olds, request.old_inputs, request.news))
        difference = changes.compare(request.type, old, new, olds, request.ignoreChanges)
        if not difference.changes:
            return provider_pb2.UpdateResponse(properties=request.olds)
        update = model.preview_update if request.preview else model.update
        region = self._configuration(context).region
        outputs = update(request.type, request.name, request.id, olds, new, region)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))
        account = self.account(context)
        with account.lock:
            there = _learn(account, request, {**old, **olds})
            self._refuse(Request(account, request.type, new, there), "update", context)
            why = None
            changed = {change.property for change in difference.changes}
            if services.is_deployment(request.type, changed, new):
                why = self._not_started(there, new)
            before = {**there.properties, **there.told}
            account.change(there, outputs)
            if why is not None and there.runs is not None:
                there.told = services.rolled_back(there.type, before)
        silently = services.is_rolled_back_silently(there) or self.clock_is_ahead
        if why is not None and not silently:
            _abort_half_made(context, request.id, outputs, why)
        if why is not None:
            outputs = {**outputs, **there.told}
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        """Delete what nothing uses and nothing protects."""
        known = {**from_struct(request.old_inputs), **from_struct(request.properties)}
        account = self.account(context)
        with account.lock:
            there = _learn(account, request, known)
            self._refuse(Request(account, request.type, {}, there), "delete", context)
            snapshots.keep_final(account, there)
            account.remove(request.type, request.id)
        return super().Delete(request, context)

    def Read(self, request: Any, context: Any) -> Any:
        """Tell what was not asked for; what an import asks for is there, if its ID is its name."""
        entry = resource_type(request.type)
        account = self.account(context)
        if request.properties.fields or entry.naming is None:
            answer = super().Read(request, context)
            inputs, outputs = from_struct(request.inputs), from_struct(request.properties)
            told = _learn(account, request, {**inputs, **outputs}).told
            answer.properties.update(told)
            answer.inputs.update({key: told[key] for key in told if key in inputs})
            return answer
        region = self._configuration(context).region
        inputs = {entry.naming.property: request.id} | (
            {"region": region} if entry.regional else {}
        )
        known = inputs | _OF_SOMEBODY.get(request.type, {})
        found, outputs = model.create(request.type, request.name, known, region)
        if found != request.id:
            return super().Read(request, context)
        account.learn(request.type, found, outputs, request.name)
        return provider_pb2.ReadResponse(
            id=found, properties=to_struct(outputs), inputs=to_struct(known)
        )

    def Invoke(self, request: Any, context: Any) -> Any:
        """Answer a data source."""
        own = self._configuration(context)
        arguments = from_struct(request.args)
        account = self.account(context)
        with account.lock:
            existing = [
                read_back.Running(each.type, each.properties, each.runs)
                for each in account.of_type(*read_back.TYPES)
            ]
        try:
            answer = read_back.answer(request.tok, arguments, existing)
            if answer is None:
                find = snapshots.finder(account)
                answer = invokes.invoke(request.tok, arguments, own.region, own.tags, find)
        except ValueError as error:
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return provider_pb2.InvokeResponse(**cast("Any", {"return": to_struct(answer)}))

    def _refuse(self, request: Request, at: str, context: Any) -> None:
        if found := refused(request, at):
            _abort(context, grpc.StatusCode.UNKNOWN, found.message)
        if at in ("create", "update") and (faults := text_rules.faults(request.type, request.new)):
            _abort(context, grpc.StatusCode.UNKNOWN, f"InvalidParameterValue: {faults[0]}")

    def _not_started(self, service: Existing, inputs: Properties) -> str | None:
        """Why a service does not start what it is given; else it runs that from now on."""
        if service.type not in services.STATUS:
            return None
        group = service.type == services.GROUP
        why = (self.fails_to_launch if group else self.fails_to_start).get(service.name)
        if why is None:
            service.runs = services.program(service.type, inputs)
        return why


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


def _learn(account: Account, request: Any, known: Properties) -> Existing:
    """What the engine asks about exists."""
    runs = services.program(request.type, known)
    return account.learn(request.type, request.id, known, request.name, runs)


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


def _region_of_environment() -> str:
    # What AWS's provider takes: https://github.com/pulumi/pulumi-aws/pull/2088
    found = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return found or DEFAULT_REGION


def _nested(value: Any) -> Properties:
    """A nested property of a provider's configuration, which SDKs send as JSON."""
    if isinstance(value, str) and value != UNKNOWN:
        return json.loads(value)
    return cast("Properties", value) if isinstance(value, dict) else {}


def _abort_half_made(context: Any, resource_id: str, outputs: Properties, why: str) -> NoReturn:
    """Fail as the bridge does for what exists and is not as it was asked for."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=resource_id, properties=to_struct(outputs), reasons=[why]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=why)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    _abort(context, grpc.StatusCode.UNKNOWN, why)


def _abort(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError(message)
