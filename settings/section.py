"""The base of every section of the stack file, and the error a section raises."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """Frozen; camelCase in the stack file, snake_case in Python; unknown keys are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )


def refusal(bound: str, remedy: str, *, key: str = "") -> PydanticCustomError:
    """An error that says what is allowed and what to do.

    `key` names another key, relative to the one being validated, when that is where the value is.
    """
    context: dict[str, Any] = {"bound": bound, "remedy": remedy, "key": key}
    return PydanticCustomError("refused", "{bound}", context)
