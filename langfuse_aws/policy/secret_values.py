"""Rules on secrets: none in a plain environment, and the same keys for web and worker.

What a secret looks like is a guess from its name, from marks such as `sk-lf-`, and from how random
it is. A short password below a harmless name is not found; `langfuse:secretEnvironment` is where
one belongs. No fault quotes a value.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from langfuse_aws.graph.model import SECRET, Resource, has_unknown
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE, ECS_SERVICE, TASK_DEFINITION
from langfuse_aws.policy.inputs import LANGFUSE_IMAGE, containers, named_values, part
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule, StackRule
from langfuse_aws.settings.own_environment import is_secret

FUNCTION: Final = "aws:lambda/function:Function"

MARKS: Final = re.compile(
    r"\bsk-[A-Za-z0-9]|\bAKIA[A-Z0-9]{12}|\bgh[pousr]_[A-Za-z0-9]{20}|\bxox[abpr]-|\beyJ[\w-]+\.eyJ"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]*:[^/\s@]+@"
)
"""Keys of Langfuse and OpenAI, of AWS, GitHub and Slack, tokens in JSON, private keys, and a
password inside a URL."""

HEX_KEY: Final = re.compile(r"(?:[0-9a-f]{32,}|[0-9A-F]{32,})")
DENSE_TEXT: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+/]{24,}={0,2}")
LEAST_BITS: Final = {HEX_KEY: 3.0, DENSE_TEXT: 3.7}
"""Shannon entropy in bits a character: fewer than one in a thousand of 20,000 random texts of the
least length had less."""

HARMLESS: Final = re.compile(r"|true|false|\d+|arn:.+")
"""Values that say nothing: none, switches, numbers, references."""

SHARED: Final = ("ENCRYPTION_KEY", "SALT")


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable looks like one that holds a secret."""
    if MARKS.search(value):
        return True
    if any(form.fullmatch(value) and _bits(value) >= LEAST_BITS[form] for form in LEAST_BITS):
        return True
    public = name.endswith(("PUBLIC_KEY", "CONNECTION_URL", "CONNECTION_STRING"))
    return is_secret(name) and not public and not HARMLESS.fullmatch(value)


def _bits(text: str) -> float:
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _secret_in_environment(resource: Resource) -> Iterator[str]:
    if resource.type == FUNCTION:
        given = resource.inputs.get("environment")
        variables: Any = part(resource.inputs, "environment").get("variables")
        if SECRET in (given, variables):
            yield "its environment holds a secret value"
        elif isinstance(variables, Mapping):
            yield from _secrets("its environment", cast("Mapping[str, Any]", variables))
        return
    if resource.inputs.get("containerDefinitions") == SECRET:
        yield "its container definitions hold a secret value"
    for container in containers(resource):
        where = f"the environment of container {container['name']}"
        yield from _secrets(where, named_values(container, "environment"))


def _secrets(where: str, variables: Mapping[str, Any]) -> Iterator[str]:
    for name, value in variables.items():
        if value == SECRET or looks_secret(name, str(value)):
            yield f"{name} in {where} looks like a secret"


def _other_keys(resource: Resource, stack: JudgedStack) -> Iterator[str]:
    own = _references(resource, stack)
    for other in [*stack.graph.of_type(ECS_SERVICE), *stack.graph.of_type(APP_RUNNER_SERVICE)]:
        theirs = _references(other, stack)
        if own is None or theirs is None or other.urn >= resource.urn:
            continue
        for name in SHARED:
            if own.get(name) != theirs.get(name):
                yield f"its {name} is not that of {other.name}"
    for name in SHARED:
        if own is not None and name not in own:
            yield f"it has no {name}"


def _references(service: Resource, stack: JudgedStack) -> Mapping[str, str] | None:
    """The secrets of a service's Langfuse container; None if it has none, or none is known yet."""
    tasks = stack.graph.origins(service, "taskDefinition", TASK_DEFINITION)
    for task in [service] if service.type == APP_RUNNER_SERVICE else tasks:
        for container in containers(task):
            essential = container.get("essential", True)  # a queue probe is not
            if essential and LANGFUSE_IMAGE.fullmatch(container["image"]):
                found = named_values(container, "secrets")
                return None if has_unknown(found) else found
    return None


RULES: Final[tuple[Rule, ...]] = (
    ResourceRule(
        id="no-secret-in-environment",
        what="No plain environment of a container or a function holds a secret.",
        why="Whoever may describe a task reads it; five other projects have some there.",
        remedy="Put it into Secrets Manager and refer to it by secrets[].valueFrom",
        types=(TASK_DEFINITION, APP_RUNNER_SERVICE, FUNCTION),
        check=_secret_in_environment,
    ),
    StackRule(
        id="services-share-keys",
        what="Web and worker have the same ENCRYPTION_KEY and SALT.",
        why="tubone24/langfuse-v3-terraform ecs.tf:177 has a misspelt name, so the worker cannot "
        "decrypt what web stored.",
        remedy="Give both the same reference",
        types=(ECS_SERVICE, APP_RUNNER_SERVICE),
        check=_other_keys,
    ),
)
