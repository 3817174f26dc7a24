"""What the program uses of Pulumi's Python packages that Pulumi documents nowhere.

Each is there because the documented API has nothing for it. A release may change any of them
without a word, so `test_pulumi_internals.py` holds them against what is installed, and
the sources against this list: an upgrade fails there, by name, and not in a deployment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SEEN_IN: Final[Mapping[str, str]] = {"pulumi": "3.272.0", "pulumi_policy": "1.21.0"}
"""The releases in which somebody has read what these do; the newest when it was written down."""

MESSAGE: Final = "message"
"""The shape of a message of the engine's protocol."""


@dataclass(frozen=True)
class Internal:
    """Names of a module, and what they are used for."""

    module: str
    names: Mapping[str, str]
    """By name its shape: the parameters of a function or class, or else the type of a value."""
    purpose: str


INTERNALS: Final = (
    Internal(
        "pulumi.automation.errors",
        {"create_command_error": "(command_result)"},
        "The error that the Automation API raises for a command that failed; the program runs the "
        "command itself, so that it can be interrupted.",
    ),
    Internal(
        "pulumi._types",
        {
            "resource_types": "(resource_cls)",
            "unwrap_type": "(val)",
            "unwrap_optional_type": "(val)",
        },
        "On mocks: a class's annotations are read once.",
    ),
    Internal(
        "pulumi.output",
        {"Unknown": "()", "_OutputData": "(resources, value, is_known, is_secret)"},
        "Tells in a preview whether a hook's input is not known yet. On mocks: an output from one "
        "future instead of four.",
    ),
    Internal(
        "pulumi",
        {"Output._from_data": "(data)"},
        "On mocks: an output from one future instead of four.",
    ),
    Internal(
        "pulumi.resource",
        {"DependencyResource": "(urn)"},
        "What an output of another process depends on, which has no type to be priced by.",
    ),
    Internal(
        "pulumi.runtime.config",
        {"CONFIG": "ContextVar", "get_config_env": "()", "get_config_secret_keys_env": "()"},
        "All keys of a stack file at once: `pulumi.Config` tells a key only to who knows its name, "
        "and a misspelt one has to be refused.",
    ),
    Internal(
        "pulumi.runtime.rpc",
        {
            "serialize_properties": "(inputs, property_deps, resource_obj, input_transformer, typ, "
            "keep_output_values, exclude_resource_refs_from_deps)",
            "serialize_property": "(value, deps, property_key, resource_obj, input_transformer, "
            "typ, keep_output_values, exclude_resource_refs_from_deps, return_protobuf_value)",
            "deserialize_property": "(value, keep_unknowns, keep_internal)",
            "transfer_properties": "(res, props, custom)",
            "contains_unknowns": "(val)",
            "UNKNOWN": "str",
            "_special_sig_key": "str",
            "_special_secret_sig": "str",
        },
        "The inputs as the engine gets them, to price them while they are registered. On mocks: "
        "the futures of a resource's outputs; plain values stay what they are. The marks of what "
        "is unknown or secret on the wire, which `offline/` reads and writes.",
    ),
    Internal(
        "pulumi.runtime.resource",
        {
            "_get_stack_trace": "()",
            "create_urn": "(name, type_, parent, project, stack)",
        },
        "On mocks: left out, since nobody asks for it.",
    ),
    Internal(
        "pulumi.runtime.mocks",
        {"MockMonitor": "(mocks)", "MockMonitor.RegisterResource": "(self, request)"},
        "On mocks: a resource's options and what its inputs come from, which mocks do not see.",
    ),
    Internal(
        "pulumi.runtime.settings",
        {"ROOT": "ContextVar", "SETTINGS": "Settings"},
        "On mocks: forgets the stack of an earlier run, which belongs to that run's event loop, "
        "and tracks outputs without a lock.",
    ),
    Internal(
        "pulumi.runtime.stack",
        {"run_pulumi_func": "(func)"},
        "On mocks: waits for all that a program registers.",
    ),
    Internal(
        "pulumi.provider.server",
        {
            "ComponentInitError": "(inner)",
            "ProviderServicer": "(provider, args, engine_address)",
            "ProviderServicer.Construct": "(self, request, context)",
        },
        "The offline awsx provider, with the handshake that the servicer lacks; and an error of "
        "the plugin as its user caused it, without a traceback.",
    ),
    Internal(
        "pulumi.provider.experimental.component",
        {
            "ComponentProvider": "(components, name, namespace, version)",
            "ComponentProvider.map_inputs": "(self, inputs, component_def)",
            "ComponentProvider.construct": "(self, name, resource_type, inputs, options)",
        },
        "The plugin: its schema by annotations, without dropping arguments that are not in it.",
    ),
    Internal(
        "pulumi.runtime.proto.plugin_pb2",
        {"PluginInfo": MESSAGE},
        "The engine's protocol, spoken by the offline providers.",
    ),
    Internal(
        "pulumi.runtime.proto.provider_pb2",
        {
            "CheckFailure": MESSAGE,
            "CheckResponse": MESSAGE,
            "ConfigureResponse": MESSAGE,
            "CreateResponse": MESSAGE,
            "DiffResponse": MESSAGE,
            "ErrorResourceInitFailed": MESSAGE,
            "GetSchemaResponse": MESSAGE,
            "InvokeResponse": MESSAGE,
            "PropertyDiff": MESSAGE,
            "ProviderHandshakeResponse": MESSAGE,
            "ReadResponse": MESSAGE,
            "UpdateResponse": MESSAGE,
        },
        "The engine's protocol, spoken by the offline providers.",
    ),
    Internal(
        "pulumi.runtime.proto.provider_pb2_grpc",
        {
            "ResourceProviderServicer": "()",
            "add_ResourceProviderServicer_to_server": "(servicer, server)",
        },
        "The engine's protocol, spoken by the offline providers.",
    ),
    Internal(
        "pulumi.runtime.proto.source_pb2",
        {"StackTrace": MESSAGE},
        "On mocks: an empty one.",
    ),
    Internal(
        "pulumi.runtime.proto.status_pb2",
        {"Status": MESSAGE},
        "The engine's protocol, spoken by the offline providers.",
    ),
    Internal(
        "pulumi_policy.deserialize",
        {"serialize_properties": "(props)"},
        "The properties that a policy gets, without the proxies that raise at what is unknown.",
    ),
    Internal(
        "pulumi_policy.proxy",
        {
            "UNKNOWN_ARCHIVE_VALUE": "str",
            "UNKNOWN_ARRAY_VALUE": "str",
            "UNKNOWN_ASSET_VALUE": "str",
            "UNKNOWN_BOOLEAN_VALUE": "str",
            "UNKNOWN_NUMBER_VALUE": "str",
            "UNKNOWN_OBJECT_VALUE": "str",
            "UNKNOWN_STRING_VALUE": "str",
        },
        "The engine's marks of what is unknown, by type.",
    ),
)
