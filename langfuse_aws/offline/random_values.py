"""The random provider's resources: real random values, or predictable ones for tests.

Does not import or upgrade existing values.
"""

import base64
import hashlib
import random
import uuid
from collections.abc import Callable
from typing import Any

Inputs = dict[str, Any]
Values = dict[str, Any]

SECRET_OUTPUTS: dict[str, frozenset[str]] = {
    "random:index/randomPassword:RandomPassword": frozenset({"result", "bcryptHash"}),
    "random:index/randomBytes:RandomBytes": frozenset({"base64", "hex"}),
}

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_ADJECTIVES = ("brave", "calm", "clever", "eager", "fond", "glad", "keen", "quick", "sharp", "warm")
_ANIMALS = ("badger", "crane", "finch", "heron", "koala", "lynx", "otter", "raven", "seal", "wren")
_PLACEHOLDER_HASH = "$2a$10$"
_HASH_LENGTH = 53


def _text(inputs: Inputs, source: random.Random) -> str:
    """A text of the wanted length that has the wanted minimums of each kind of character."""
    special = str(inputs.get("overrideSpecial") or _SPECIAL)
    kinds = {"Lower": _LOWER, "Upper": _LOWER.upper(), "Numeric": _DIGITS, "Special": special}
    allowed = "".join(
        characters
        for kind, characters in kinds.items()
        if inputs.get(kind.lower(), inputs.get("number", True) if kind == "Numeric" else True)
    )
    chosen = [
        source.choice(characters)
        for kind, characters in kinds.items()
        for _ in range(int(inputs.get(f"min{kind}", 0)))
    ]
    rest = int(inputs["length"]) - len(chosen)
    if rest < 0 or not allowed:
        message = "the length is less than the minimums, or no kind of character is allowed"
        raise ValueError(message)
    chosen += [source.choice(allowed) for _ in range(rest)]
    source.shuffle(chosen)
    return "".join(chosen)


def _password(inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    result = _text(inputs, source)
    digest = hashlib.sha256(result.encode()).hexdigest()[:_HASH_LENGTH]
    return "none", {"result": result, "bcryptHash": _PLACEHOLDER_HASH + digest}


def _string(inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    result = _text(inputs, source)
    return result, {"result": result}


def _random_id(inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    value = source.randbytes(int(inputs["byteLength"]))
    prefix = str(inputs.get("prefix", ""))
    url = base64.urlsafe_b64encode(value).decode().rstrip("=")
    return url, {
        "b64Std": prefix + base64.b64encode(value).decode(),
        "b64Url": prefix + url,
        "dec": prefix + str(int.from_bytes(value, "big")),
        "hex": prefix + value.hex(),
    }


def _bytes(inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    value = source.randbytes(int(inputs["length"]))
    return "none", {"base64": base64.b64encode(value).decode(), "hex": value.hex()}


def _uuid(_inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    result = str(uuid.UUID(bytes=source.randbytes(16), version=4))
    return result, {"result": result}


def _pet(inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    length = int(inputs.get("length", 2))
    words = [source.choice(_ADJECTIVES) for _ in range(length - 1)] + [source.choice(_ANIMALS)]
    prefix = [str(inputs["prefix"])] if inputs.get("prefix") else []
    result = str(inputs.get("separator", "-")).join(prefix + words)
    return result, {}


def _integer(inputs: Inputs, source: random.Random) -> tuple[str, Values]:
    result = source.randint(int(inputs["min"]), int(inputs["max"]))
    return str(result), {"result": result}


_MAKERS: dict[
    str, tuple[Callable[[Inputs, random.Random], tuple[str, Values]], tuple[str, ...]]
] = {
    "random:index/randomPassword:RandomPassword": (_password, ("result", "bcryptHash")),
    "random:index/randomString:RandomString": (_string, ("result",)),
    "random:index/randomId:RandomId": (_random_id, ("b64Std", "b64Url", "dec", "hex")),
    "random:index/randomBytes:RandomBytes": (_bytes, ("base64", "hex")),
    "random:index/randomUuid:RandomUuid": (_uuid, ("result",)),
    "random:index/randomPet:RandomPet": (_pet, ()),
    "random:index/randomInteger:RandomInteger": (_integer, ("result",)),
}

_DEFAULTS: dict[str, Values] = {
    "random:index/randomPet:RandomPet": {"length": 2, "separator": "-"},
}

COMPUTED: dict[str, tuple[str, ...]] = {token: outputs for token, (_, outputs) in _MAKERS.items()}


def create(
    token: str, name: str, inputs: Inputs, *, predictable: bool = False
) -> tuple[str, Values]:
    """(id, outputs) of a new random value."""
    if token not in _MAKERS:
        message = f"{token} is not known to langfuse_aws/offline/random_values.py"
        raise ValueError(message)
    source = random.Random(f"{token} {name}") if predictable else random.SystemRandom()  # noqa: S311
    inputs = {**_DEFAULTS.get(token, {}), **inputs}
    resource_id, values = _MAKERS[token][0](inputs, source)
    return resource_id, {**inputs, **values}
