"""The base of every section of the stack file, its errors, and the conflicts between sections."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, core_schema


class Section(BaseModel):
    """Frozen; camelCase in the stack file, snake_case in Python; unknown keys are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )


def invalid(bound: str, remedy: str) -> PydanticCustomError:
    """An error of the key that is validated: what is allowed, and what to do."""
    return PydanticCustomError("refused", "{bound}", {"bound": bound, "remedy": remedy})


@dataclass(frozen=True)
class Form:
    """The form of a text, as an annotation: a pattern, and the words for a text that has another.

    Unlike `Field(pattern=…)` it shows nobody the pattern, but in the JSON schema.
    """

    pattern: str
    """Of the whole text, with ^ and $."""
    bound: str
    remedy: str
    why: Callable[[str], tuple[str, str] | None] = lambda _: None
    """A bound and a remedy that say more of a wrong text; None: there is no more to say."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Have pydantic check it."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell the pattern."""
        return {**handler(schema), "pattern": self.pattern}

    def fits(self, value: str) -> bool:
        """Whether a text has it."""
        return bool(re.fullmatch(self.pattern, value))

    def _checked(self, value: str) -> str:
        if not self.fits(value):
            raise invalid(*(self.why(value) or (self.bound, self.remedy)))
        return value


def _ascii(value: str) -> str:
    if not value.isascii():
        raise invalid(
            "may have ASCII characters only: SNS, AWS Budgets and Langfuse take no others",
            "write the domain as xn--…, and have an address without others",
        )
    return value


Email = Annotated[EmailStr, AfterValidator(_ascii)]


class Conflict(NamedTuple):
    """What is wrong with a value because of others, which may be right by themselves."""

    path: str
    """The key whose value is shown, such as `web.platform`."""
    bound: str
    remedy: str
