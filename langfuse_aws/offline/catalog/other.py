"""Types without an entry of their own, worked out from the classes of the SDK.

The SDK tells which inputs and outputs a type has, not what AWS answers: the outputs are plausible
texts, and nothing but a change of name replaces such a resource.
"""

import functools
import importlib
import inspect
import keyword
from collections.abc import Callable
from typing import Any

from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType

_PULUMI_NAME = "_pulumi_name"
_TEXT = "Output[str]"
_LONGEST_NAME = 255
_ARN = "arn:{{partition}}:{service}:{{region}}:{{account}}:{kind}/{{id}}"
_BY_ENDING = {
    "Url": "https://{id}.{region}.{suffix}",
    "Name": "{id}.{region}.{suffix}",
    "status": "ACTIVE",
    "state": "ACTIVE",
}


@functools.cache
def described_by_sdk(token: str) -> ResourceType:
    """An entry for a type that the catalog has no entry for."""
    _, module, name = token.split(":")
    service, _, kind = module.partition("/")
    given, told = _properties(service, name)
    computed = {
        output: _template(output, service, kind)
        for output, annotation in told.items()
        if output not in given and output != "tagsAll" and _TEXT in annotation
    }
    named = "name" in given
    return ResourceType(
        "{name}" if named else "{hex17}",
        {"arn": _ARN.format(service=service, kind=kind)} | computed,
        naming=Naming(longest=_LONGEST_NAME) if named else None,
        replaced_by=frozenset({"name", "namePrefix"} & set(given)),
        tagged="tagsAll" in told,
        regional="region" in given,
    )


def _template(output: str, service: str, kind: str) -> str:
    if output.lower().endswith("arn"):
        return _ARN.format(service=service, kind=kind)
    for ending, template in _BY_ENDING.items():
        if output.endswith(ending):
            return template
    return "{hex16}"


def _properties(service: str, name: str) -> tuple[set[str], dict[str, str]]:
    """(inputs, outputs with their annotations) of a resource class; nothing if there is none."""
    module_name = f"{service}_" if keyword.iskeyword(service) else service
    try:
        module = importlib.import_module(f"pulumi_aws.{module_name}")
        resource = getattr(module, name)
        arguments = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    except (ImportError, AttributeError):
        return set(), {}
    return set(_getters(arguments)), _getters(resource)


def _getters(owner: type) -> dict[str, str]:
    """Pulumi names of the properties of a class, with the annotation of each."""
    found: dict[str, str] = {}
    for _, member in inspect.getmembers(owner, lambda value: isinstance(value, property)):
        getter: Callable[..., Any] = member.fget
        if name := getattr(getter, _PULUMI_NAME, None):
            found[name] = str(inspect.get_annotations(getter).get("return", ""))
    return found
