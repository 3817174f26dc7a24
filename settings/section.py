"""The base of every section of the stack file, its errors, and the faults between sections."""

from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr
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


def refusal(bound: str, remedy: str) -> PydanticCustomError:
    """An error of the key that is validated: what is allowed, and what to do."""
    return PydanticCustomError("refused", "{bound}", {"bound": bound, "remedy": remedy})


def _ascii(value: str) -> str:
    if not value.isascii():
        raise refusal(
            "may have ASCII characters only: SNS, AWS Budgets and Langfuse take no others",
            "write the domain as xn--…, and have an address without others",
        )
    return value


Email = Annotated[EmailStr, AfterValidator(_ascii)]


class Fault(NamedTuple):
    """What is wrong with a value because of others, which may be right by themselves."""

    path: str
    """The key whose value is shown, such as `web.platform`."""
    bound: str
    remedy: str
