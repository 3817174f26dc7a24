"""Turns pydantic's errors into lines for the user: key, value, what is allowed, what to do.

A stack file with two mistakes prints, below a count (`loading.SettingsError`):

    langfuse:network.zones: 7: must be 4 at the most. Set it with pulumi config set --path \
'langfuse:network.zones' VALUE.
    langfuse:clickhouse.volumeGib: "300Gi": must be an integer, without a unit. Set it with \
pulumi config set --path 'langfuse:clickhouse.volumeGib' VALUE.

Commands put file and line before each (`engine/stack_file.py`): docs/errors.md.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from pydantic import BaseModel
from pydantic.alias_generators import to_snake
from pydantic_core import ErrorDetails

from langfuse_aws.settings.external_stores import (
    ExternalClickHouse,
    ExternalPostgres,
    ExternalRedis,
)
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION, HowToSet
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.network import CreatedNetwork, ExistingNetwork, network_kind
from langfuse_aws.settings.own_environment import is_secret
from langfuse_aws.settings.secret_keys import PASSWORD_KEYS, SECRET_KEYS
from langfuse_aws.settings.section import Conflict
from langfuse_aws.settings.services import ApiGatewayIngress, AppRunnerIngress, LoadBalancerIngress
from langfuse_aws.settings.sign_in import PROVIDERS, SesMail, SmtpMail
from langfuse_aws.settings.stores import (
    AuroraPostgres,
    ClickHouseOnEc2,
    ElastiCacheRedis,
    PostgresInstance,
)
from langfuse_aws.settings.wording import nearest, shown

NAMESPACE: Final = "langfuse"

VARIANTS: Final[Mapping[str, Mapping[str, type[BaseModel]]]] = {
    "network": {"created": CreatedNetwork, "adopted": ExistingNetwork},
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


REPLACED: Final = {"worker.backlogPerTask": "worker.maxLagSeconds"}
"""Keys of before, and what took their place. A value of the one means nothing to the other."""

_NAMESPACES: Final = {NAMESPACE: f"{NAMESPACE}:size", "aws": "aws:region"}
"""What is before the colon, and may be written as a section; with a key of each."""

_PROVIDER: Final = "auth.providers."

_BESIDE_SECRETS: Final = ("auth.providers", "smtp")
"""Sections whose secrets have keys elsewhere, and may be put into the section by mistake."""

_ORDER: Final = {
    field.alias or name: place for place, (name, field) in enumerate(Settings.model_fields.items())
}

_SECTIONS: Final = ("model_type", "model_attributes_type")

_MUST_BE: Final[Mapping[str, str]] = {
    **dict.fromkeys(_SECTIONS, "must be a section with keys of its own"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing_size"), "must be an integer"),
    "int_parsing": "must be an integer, without a unit",
    "float_type": "must be a number",
    "float_parsing": "must be a number, without a unit",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "string_unicode": "must be Unicode, and has half of a surrogate pair",
    "list_type": "must be a list",
    "dict_type": "must be names with texts",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be {expected_tags}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} at the most",
    "too_short": "must have {min_length} entry or more",
    "string_too_short": "must have {min_length} character or more",
    "string_too_long": "must have {max_length} characters at the most",
    "value_error": "is no email address: {reason}",  # pydantic's EmailStr alone raises it
}
"""What a value must be, by the type of pydantic's error, with what that knows."""

WORDED: Final = frozenset(
    {*_MUST_BE, "refused", "extra_forbidden", "missing", "union_tag_not_found", "invalid_key"}
)
"""The types of pydantic's errors that a stack file can cause."""

_UNSHAPED: Final = (*_SECTIONS, "list_type", "dict_type")
_WRONG_SHAPES: Final = (*_UNSHAPED, "string_type")

_NAME: Final = "[key]"
"""Stands last in a place that is the name of an entry, and not its value."""

ONE_KEY: Final = "is one key with"
"""What is said of a key that was meant as a path."""

_OWN_VARIABLES: Final = ".environment."


def message(error: ErrorDetails, how: HowToSet = IN_CONFIGURATION) -> str:
    """One line for one error."""
    context: dict[str, Any] = error.get("ctx") or {}
    value = error["input"]
    location = [*error["loc"]] or [shown(value).strip('"')]  # a key that is no Unicode
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        location.append(str(context["discriminator"]).strip("'"))
        value = value.get(location[-1]) if isinstance(value, Mapping) else None  # pyright: ignore
    elif location[0] in VARIANTS and len(location) > 1:
        del location[1]
    path = _path(location)
    undotted = len(location) == 1 and error["type"] == "extra_forbidden" and _first(path) != path
    hidden = (
        path == "trustedCertificates"  # where a private key may have been pasted
        or error["type"] in ("missing", "union_tag_not_found")
        or (error["type"] == "extra_forbidden" and _meant_as_secret(path))
        or (error["type"] in _WRONG_SHAPES and path.startswith(_BESIDE_SECRETS))
        or (undotted and (_first(path) in SECRET_KEYS or _OWN_VARIABLES in path))
        or _has_secrets(value)
    )
    if undotted:
        bound, remedy = _dotted_key(path, value, how, hidden=hidden)
    elif value in (None, "") and error["type"] in _MUST_BE.keys() - {"value_error"}:
        bound, remedy = _no_value(error["type"], path, context, how)
        hidden = True
    else:
        bound, remedy = _bound_and_remedy(error, path, value, how)
    value_shown = "" if hidden else f" {shown(value)}:"
    return f"{NAMESPACE}:{path}:{value_shown} {bound}. {sentence(remedy)}."


def conflict_message(conflict: Conflict, settings: Settings) -> str:
    """One line for a conflict between sections, with the value that `settings` has at its key."""
    value: Any = settings
    for key in conflict.path.split("."):
        value = getattr(value, to_snake(key))
    where = f"{NAMESPACE}:{conflict.path}: {shown(value)}"
    return f"{where}: {conflict.bound}. {sentence(conflict.remedy)}."


def place(line: str) -> int:
    """Where a line belongs among others: in the order of the sections, unknown keys at the end."""
    key = re.split(r"[.:\[]", line.removeprefix(f"{NAMESPACE}:"), maxsplit=1)[0]
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
    if section.startswith(_BESIDE_SECRETS) or _secret_of(path):
        return True
    if key in SECRET_KEYS or is_secret(to_snake(key).upper()):  # as a variable is called
        return True
    return bool(nearest(key, SECRET_KEYS if section in ("", "auth") else PASSWORD_KEYS.values()))


def _has_secrets(value: Any) -> bool:
    """Whether something in it is called like a secret."""
    if isinstance(value, list):
        return any(_has_secrets(each) for each in cast("list[Any]", value))
    if not isinstance(value, Mapping):
        return False
    return any(
        _meant_as_secret(str(key)) or _has_secrets(below)
        for key, below in cast("Mapping[Any, Any]", value).items()
    )


def sentence(text: str) -> str:
    """Begin with a capital, unless the first word is a name such as `t4g.medium`."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


def _path(location: Sequence[int | str]) -> str:
    """A place as `pulumi config set --path` writes it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".").removesuffix(f".{_NAME}")


def _first(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _bound_and_remedy(error: ErrorDetails, path: str, value: Any, how: HowToSet) -> tuple[str, str]:
    kind, remedy = error["type"], f"set it {how.it(path)}"
    context: dict[str, Any] = error.get("ctx") or {}
    if kind == "refused":
        return context["bound"], context["remedy"]
    if kind == "extra_forbidden":
        return _unknown_key(path, how)
    if kind == "missing":
        return "is not set, and must be", remedy
    if kind == "union_tag_not_found":
        return f"is not set, and must be {' or '.join(VARIANTS[path.split('.')[0]])}", remedy
    if kind == "invalid_key" or error["loc"][-1:] == (_NAME,):
        return "is a name that is no text", "write it in quotes"
    bound = _must_be(kind, context)
    if kind in _UNSHAPED:
        return bound, how.anew(path, *_what_below(kind))
    if isinstance(value, Mapping | list):
        return bound, how.anew(path)
    if kind == "string_type":
        return bound, "write it in quotes"
    return bound, remedy


def _must_be(kind: str, context: dict[str, Any]) -> str:
    words = _MUST_BE.get(kind, "is not what this key takes")
    told = {key: _whole(value) for key, value in context.items()}
    told["expected_tags"] = " or ".join(context.get("expected_tags", "").rsplit(", ", 1))
    return words.format(**told).rstrip(".")


def _whole(value: Any) -> Any:
    """A bound as its field was given it: pydantic makes 0 a 0.0 beside a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _what_below(kind: str) -> tuple[str, str]:
    """What to set of a value that has parts, and where."""
    below = {"list_type": ("each of it", "[0]"), "dict_type": ("each of it", ".NAME")}
    return below.get(kind, ("its keys", ".KEY"))


def _no_value(kind: str, path: str, context: dict[str, Any], how: HowToSet) -> tuple[str, str]:
    """What to say of `key:` with nothing behind it: null in YAML, empty text from Pulumi."""
    what, below = _what_below(kind) if kind in _UNSHAPED else ("it", "")
    bound = f"has no value, and {_must_be(kind, context)}"
    return bound, f"remove it, or set {what} {how.it(path + below)}"


def _dotted_key(path: str, value: Any, how: HowToSet, *, hidden: bool) -> tuple[str, str]:
    """What to say of a key of the top level that was meant as a path."""
    first = _first(path)
    if found := _secret_within(path, how):
        return found
    sign = "bracket" if path[len(first)] == "[" else "dot"
    bound = f"{ONE_KEY} a {sign} in its name"
    if secret := SECRET_KEYS.get(first):
        remove = f" with pulumi config rm '{NAMESPACE}:{path}'" if how.remove else ""
        set_it = how.secretly(first, secret.argument)
        what = "object" if secret.by_name else "text"
        return f"{bound}, and {first} is one {'JSON ' if secret.by_name else ''}{what}", (
            f"remove it{remove}, and set the {what} {set_it}"
        )
    if first not in keys(Settings):
        return f"unknown key{nearest(first, keys(Settings))}", "remove it, or correct its spelling"
    because, remedy = how.undotted(path, value, hidden=hidden)
    return f"{bound}{because}", remedy


def _secret_within(path: str, how: HowToSet) -> tuple[str, str] | None:
    """What to say of a secret that was written into a section."""
    name = _secret_of(path)
    if name is None:
        return None
    secret = SECRET_KEYS[name]
    put = f"put it into the secret key {NAMESPACE}:{name}"
    set_it = put if secret.by_name else f"set it {how.secretly(name, secret.argument)}"
    return "is a secret, and stored in the clear here", f"remove it, and {set_it}"


def _secret_of(path: str) -> str | None:
    """The secret key that a key of a section should have been."""
    section, _, key = path.rpartition(".")
    return next(
        (
            name
            for name, secret in SECRET_KEYS.items()
            if secret.section
            and f"{section}.".startswith(f"{secret.section}.")
            and re.fullmatch(secret.key_there, key)
        ),
        None,
    )


def _unknown_key(path: str, how: HowToSet) -> tuple[str, str]:
    if new := REPLACED.get(path):
        return f"is no key any more: {new} took its place", f"remove it, and set {new} if need be"
    if example := _NAMESPACES.get(path):
        how_written = f"write each of its keys as {path}:KEY, such as {example}"
        return "is a namespace, and no section", how_written
    section, _, key = path.rpartition(".")
    having = [tag for tag, model in VARIANTS.get(section, {}).items() if key in keys(model)]
    if having:
        shape = _shape(section, " or ".join(having))
        return f"exists only for {shape}", f"remove it, or choose {shape}"
    if section.startswith(_PROVIDER):
        having = [provider for provider, model in PROVIDERS.items() if key in keys(model)]
        if having:
            return f"exists only for {', '.join(having)}", "remove it"
    if found := _secret_within(path, how):
        return found
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
