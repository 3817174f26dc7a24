"""Turns pydantic's errors into lines for the user: key, value, what is allowed, what to do."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import ErrorDetails

from settings.external_stores import ExternalClickHouse, ExternalPostgres, ExternalRedis
from settings.model import Settings
from settings.network import AdoptedNetwork, CreatedNetwork, network_kind
from settings.section import Fault
from settings.services import ApiGatewayIngress, AppRunnerIngress, LoadBalancerIngress
from settings.sign_in import PROVIDERS, SesMail, SmtpMail
from settings.sign_in_secrets import PROVIDERS_KEY, SMTP_KEY
from settings.stores import AuroraPostgres, ClickHouseOnEc2, ElastiCacheRedis, PostgresInstance
from settings.wording import nearest, shown

NAMESPACE: Final = "langfuse"

PASSWORD_KEYS: Final[Mapping[str, str]] = {
    "clickhouse": "clickhousePassword",
    "postgres": "postgresPassword",
    "redis": "redisPassword",
}
"""The secret key of each store that may be external."""

GRAFANA_PASSWORD_KEY: Final = "grafanaClickhousePassword"  # noqa: S105 -- a name
"""The secret key of the user that Grafana reads an external ClickHouse as."""

SECRET_KEYS: Final = (
    "secretEnvironment",
    *PASSWORD_KEYS.values(),
    GRAFANA_PASSWORD_KEY,
    PROVIDERS_KEY,
    SMTP_KEY,
)
"""Top-level keys that hold secrets: a secret inside an object reads back as plain text
(https://github.com/pulumi/pulumi/issues/6531)."""

VARIANTS: Final[Mapping[str, Mapping[str, type[BaseModel]]]] = {
    "network": {"created": CreatedNetwork, "adopted": AdoptedNetwork},
    "ingress": {
        "alb": LoadBalancerIngress,
        "apiGateway": ApiGatewayIngress,
        "appRunner": AppRunnerIngress,
    },
    "clickhouse": {"ec2": ClickHouseOnEc2, "external": ExternalClickHouse},
    "postgres": {
        "auroraServerless": AuroraPostgres,
        "instance": PostgresInstance,
        "external": ExternalPostgres,
    },
    "redis": {"elasticache": ElastiCacheRedis, "external": ExternalRedis},
    "smtp": {"ses": SesMail, "smtp": SmtpMail},
}
"""Sections that come in several shapes, and the word that tells them apart."""

DISCRIMINATORS: Final = {
    "ingress": "kind",
    "clickhouse": "mode",
    "postgres": "mode",
    "redis": "mode",
    "smtp": "mode",
}


_PROVIDER: Final = "auth.providers."

_BESIDE_SECRETS: Final = ("auth.providers", "smtp")
"""Sections whose secrets have keys elsewhere, and may be put into the section by mistake."""

_ORDER: Final = {
    field.alias or name: place for place, (name, field) in enumerate(Settings.model_fields.items())
}

_WRONG_SHAPES: Final = ("dict_type", "model_type", "model_attributes_type", "string_type")


def line(error: ErrorDetails) -> str:
    """One line for one error."""
    context: dict[str, Any] = error.get("ctx") or {}
    location = [str(part) for part in error["loc"]]
    value = error["input"]
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        location.append(str(context["discriminator"]).strip("'"))
        value = context.get("tag")
    elif location[0] in VARIANTS and len(location) > 1:
        del location[1]
    if len(location) == 2 and error["type"] != "extra_forbidden":
        location[1] = to_camel(location[1])  # a default's error has the field's Python name
    path = ".".join(location)
    bound, remedy = _bound_and_remedy(error, path, context)
    hidden = (
        error["type"] in ("missing", "union_tag_not_found")
        or (error["type"] == "extra_forbidden" and _meant_as_secret(path))
        or (error["type"] in _WRONG_SHAPES and path.startswith(_BESIDE_SECRETS))
    )
    value_shown = "" if hidden else f" {shown(value)}:"
    return f"{NAMESPACE}:{path}:{value_shown} {bound}. {_sentence(remedy)}."


def line_of(fault: Fault, settings: Settings) -> str:
    """One line for a fault between sections, with the value that `settings` has at its key."""
    value: Any = settings
    for key in fault.path.split("."):
        value = getattr(value, to_snake(key))
    return f"{NAMESPACE}:{fault.path}: {shown(value)}: {fault.bound}. {_sentence(fault.remedy)}."


def place(line: str) -> int:
    """Where a line belongs among others: in the order of the sections, unknown keys at the end."""
    key = re.split(r"[.:]", line.removeprefix(f"{NAMESPACE}:"), maxsplit=1)[0]
    return _ORDER.get(key, len(_ORDER))


def keys(model: type[BaseModel]) -> set[str]:
    """The keys of a section as the stack file writes them."""
    return {field.alias or name for name, field in model.model_fields.items()}


def variant(section: str, given: Mapping[str, Any]) -> type[BaseModel] | None:
    """The shape that a section has by what is given of it; None if it has one only, or none."""
    if section not in VARIANTS:
        return None
    tag = network_kind(given) if section == "network" else given.get(DISCRIMINATORS[section])
    return VARIANTS[section].get(str(tag))


def _meant_as_secret(path: str) -> bool:
    """Whether an unknown key looks like a secret one, so that its value must not be shown."""
    section, _, key = path.rpartition(".")
    if section.startswith(_BESIDE_SECRETS):
        return True
    return bool(nearest(key, SECRET_KEYS if section in ("", "auth") else PASSWORD_KEYS.values()))


def _sentence(text: str) -> str:
    """Begin with a capital, unless the first word is a name such as `t4g.medium`."""
    return text[:1].upper() + text[1:] if text.split(" ", 1)[0].isalpha() else text


def _bound_and_remedy(error: ErrorDetails, path: str, context: dict[str, Any]) -> tuple[str, str]:
    remedy = f"set it with pulumi config set --path '{NAMESPACE}:{path}' VALUE"
    match error["type"]:
        case "refused":
            return context["bound"], context["remedy"]
        case "extra_forbidden":
            return _unknown_key(path)
        case "missing":
            return "is not set, and must be", remedy
        case "union_tag_not_found":
            return f"is not set, and must be {' or '.join(VARIANTS[path.split('.')[0]])}", remedy
        case "literal_error" | "union_tag_invalid":
            return f"must be {context.get('expected') or context['expected_tags']}", remedy
        case _:
            text = error["msg"].rstrip(".")
            return text[:1].lower() + text[1:], remedy


def _unknown_key(path: str) -> tuple[str, str]:
    section, _, key = path.rpartition(".")
    having = [tag for tag, model in VARIANTS.get(section, {}).items() if key in keys(model)]
    if having:
        shape = _shape(section, " or ".join(having))
        return f"exists only for {shape}", f"remove it, or choose {shape}"
    if section.startswith(_PROVIDER):
        having = [provider for provider, model in PROVIDERS.items() if key in keys(model)]
        if having:
            return f"exists only for {', '.join(having)}", "remove it"
        if "secret" in key.casefold():
            return "is a secret, and stored in the clear here", (
                f"remove it, and put it into the secret key {NAMESPACE}:{PROVIDERS_KEY}"
            )
    if section in PASSWORD_KEYS and key == "password":
        secret = f"{NAMESPACE}:{PASSWORD_KEYS[section]}"
        return "is a secret, and stored in the clear here", (
            f"remove it, and set it with pulumi config set --secret {secret} VALUE"
        )
    known = {each for model in _models(section) for each in keys(model)}
    if not section:
        known |= set(SECRET_KEYS)
    return f"unknown key{nearest(key, known)}", "remove it, or correct its spelling"


def _shape(section: str, tag: str) -> str:
    if section == "network":
        return "an adopted VPC" if tag == "adopted" else "a VPC of the stack"
    return f"{section}.{DISCRIMINATORS[section]} {tag}"


def _models(section: str) -> list[type[BaseModel]]:
    """The shapes of a section, which may be within another: `ingress.waf`."""
    if section in VARIANTS:
        return [*VARIANTS[section].values()]
    above, _, name = section.rpartition(".")
    return [
        candidate
        for model in (_models(above) if above else [Settings])
        for key, field in model.model_fields.items()
        if (field.alias or key) == name
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ()))
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
    ] or [Settings]
