"""The two notations that Docker Compose knows for variables: a `.env` file, and `${…}` in a text.

https://docs.docker.com/reference/compose-file/interpolation/ and
https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from langfuse_aws.automation.errors import CommandLineError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE: Final = re.compile(
    r"(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*(?:[=:][ \t]*(.*))?$", re.DOTALL
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Put in the variables. ValueError for one that must be set and is not, or a wrong form."""
    result, rest = "", text
    while (at := rest.find("$")) >= 0:
        result, rest = result + rest[:at], rest[at + 1 :]
        if rest.startswith("$"):
            result, rest = f"{result}$", rest[1:]
        elif rest.startswith("{"):
            inside, rest = _braces(rest)
            result += _expression(inside, variables)
        elif found := _NAME.match(rest):
            result, rest = result + variables.get(found[0], ""), rest[found.end() :]
        else:
            result += "$"
    return result + rest


def _braces(text: str) -> tuple[str, str]:
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[1:index], text[index + 1 :]
    raise ValueError("a ${ is not closed")


def _expression(inside: str, variables: Mapping[str, str]) -> str:
    found = _NAME.match(inside)
    if found is None:
        raise ValueError("a ${…} names no variable")
    name, rest = found[0], inside[found.end() :]
    operator = next(
        (each for each in (":-", ":?", ":+", "-", "?", "+") if rest.startswith(each)), ""
    )
    if rest and not operator:
        raise ValueError(f"the variable {name} is followed by what is no operator")
    value = variables.get(name)
    # With a colon, an empty value counts as none.
    there = bool(value) if operator.startswith(":") else value is not None
    alternative = rest[len(operator) :]
    if operator.endswith("+"):
        return interpolate(alternative, variables) if there else ""
    if operator and not there:
        if operator.endswith("?"):
            raise ValueError(f"{name} must be set: {interpolate(alternative, variables)}")
        return interpolate(alternative, variables)
    return value or ""


def read_env_file(path: Path, around: Mapping[str, str]) -> dict[str, str]:
    """Read a `.env` file; its values may name those before them, and the variables `around`.

    CommandLineError names the line that is none; no message has a value in it.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise CommandLineError(f"{path}: cannot be read as a text file. Name another.") from None
    found: dict[str, str] = {}
    number = 0
    while number < len(lines):
        first = number
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        parsed = _LINE.match(line)
        if parsed is None:
            raise CommandLineError(f"{path}, line {first + 1}: must be NAME=VALUE, or a comment.")
        name, value = parsed[1], parsed[2]
        if value is None:
            if name in around:
                found[name] = around[name]
            continue
        quote = value[:1] if value[:1] in ("'", '"') else ""
        # A quoted value may go on over lines.
        while quote and _end_of_quote(value, quote) is None and number < len(lines):
            value = f"{value}\n{lines[number]}"
            number += 1
        try:
            # The process's own environment wins, as with Compose.
            found[name] = _value(value, quote, {**found, **around})
        except ValueError as error:
            raise CommandLineError(f"{path}, line {first + 1}, {name}: {error}.") from None
    return found


def _end_of_quote(value: str, quote: str) -> int | None:
    index = 1
    while index < len(value):
        if value[index] == "\\" and quote == '"':
            index += 1
        elif value[index] == quote:
            return index
        index += 1
    return None


def _value(value: str, quote: str, variables: Mapping[str, str]) -> str:
    if not quote:
        return interpolate(re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip(), variables)
    end = _end_of_quote(value, quote)
    if end is None:
        raise ValueError(f"the quote {quote} is not closed")
    inside = value[1:end]
    if quote == "'":
        return inside
    unescaped = re.sub(
        r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), inside, flags=re.DOTALL
    )
    return interpolate(unescaped, variables)
